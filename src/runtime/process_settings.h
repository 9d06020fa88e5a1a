#pragma once
// The settings of the house itself: the sections "process", "admin" and "log".

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
  std::vector<std::string> names;  // host names by which operators reach it, beside its addresses and localhost
};

const config::Section<ProcessSettings>& process_section();
const config::Section<AdminSettings>& admin_section();
const config::Section<base::LogSettings>& log_section();

/// The admin listener as a server: the front door's safe defaults with bounds for few clients.
net::ServerSettings admin_server(const AdminSettings&);

/// What is wrong with a token of operators; empty when it is fine, or absent.
std::string operator_token_rule(const std::string& text);

/// Whether only this machine reaches the listen address.
bool is_loopback(std::string_view listen_address);

/// How many workers to run: the setting, or the cores that this process may use.
std::size_t worker_count(const ProcessSettings&);

}  // namespace tribune::runtime
