#include "app/schema.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "app/roles.h"
#include "contracts/event.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "runtime/house.h"
#include "runtime/process_settings.h"

namespace tribune::app {
namespace {

constexpr std::size_t kLongestFile = 1 << 20;

std::string some_role(const config::Settings& settings) {
  std::string names;
  for (const auto& type : role_types()) {
    if (settings.has(type.name)) return "";
    names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  return "no role is configured: give at least one of the sections " + names;
}

config::Schema build() {
  using config::Presence;
  config::Schema made;
  made.add(runtime::kFrontSection, net::server_section(), Presence::required);
  made.add(runtime::admin_section(), Presence::defaulted);
  made.add(runtime::log_section(), Presence::defaulted);
  made.add(runtime::process_section(), Presence::defaulted);
  made.add(net::client_section(), Presence::defaulted);
  made.add(contracts::event_section(), Presence::defaulted);
  for (const auto& type : role_types()) type.add_section(made);
  made.check(some_role);
  return made;
}

base::Result<ConfigText> unreadable(const std::string& file, const std::string& why) {
  return base::failure(base::ErrorKind::io, base::Fault::client, file + ": cannot be read: " + why);
}

}  // namespace

const config::Schema& schema() {
  static const auto built = build();
  return built;
}

base::Result<ConfigText> read_config(const std::string& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.c_str(), "re"), &std::fclose);
  if (!in) return unreadable(file, std::strerror(errno));
  ConfigText config{file, std::string(kLongestFile + 1, '\0')};
  config.text.resize(std::fread(config.text.data(), 1, config.text.size(), in.get()));
  if (std::ferror(in.get())) return unreadable(file, std::strerror(errno));
  if (config.text.size() > kLongestFile) return unreadable(file, "it is longer than 1 MiB");
  return config;
}

tl::expected<config::Settings, std::string> settings_of(const ConfigText& config) {
  auto outcome = schema().read(config.text);
  if (outcome.settings) return std::move(*outcome.settings);
  return tl::unexpected(config::describe(outcome.problems, config.file, config.text));
}

}  // namespace tribune::app
