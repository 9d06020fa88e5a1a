#pragma once
// The settings that do not belong to a role: the sections "process", "admin" and "log".

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "config/section.h"
#include "net/server/http_server.h"

namespace tribune::runtime {

struct ProcessSettings {
  std::int64_t workers = 0;  // 0: one per core
  std::chrono::milliseconds stop_delay{0};
  std::chrono::milliseconds stop_deadline{10'000};
};

struct AdminSettings {
  std::vector<std::string> listen{"127.0.0.1:9080"};
  std::string token;
  std::vector<std::string> names;  // accepted host names, in addition to its addresses and localhost
};

const config::Section<ProcessSettings>& process_section();
const config::Section<AdminSettings>& admin_section();
const config::Section<base::LogSettings>& log_section();

/// Server settings of the admin listener: the defaults of the front listener, with limits for few clients.
net::ServerSettings admin_server(const AdminSettings&);

/// The error in an operator token; empty when the token is valid or absent.
std::string operator_token_rule(const std::string& text);

/// Whether the listen address is a loopback address.
bool is_loopback(std::string_view listen_address);

/// The number of workers: the setting, or the number of cores that this process may use.
std::size_t worker_count(const ProcessSettings&);

}  // namespace tribune::runtime
