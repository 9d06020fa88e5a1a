#include "app/schema.h"

#include <utility>
#include <vector>

#include "app/roles.h"
#include "base/clock.h"
#include "base/text_file.h"
#include "contracts/event.h"
#include "contracts/key_watch.h"
#include "http_cache/http_cache_settings.h"
#include "net/client/http_client.h"
#include "net/server/http_server.h"
#include "runtime/process_settings.h"
#include "runtime/server.h"

namespace tribune::app {
namespace {

constexpr std::size_t kLongestFile = 1 << 20;

/// The listening addresses of the process, each with its configuration key first.
using Listeners = std::vector<std::pair<std::string, std::string>>;

Listeners listeners(const config::Settings& settings) {
  Listeners found;
  const auto add = [&](const std::string& key, const std::vector<std::string>& addresses) {
    for (std::size_t i = 0; i < addresses.size(); ++i)
      found.emplace_back(key + "[" + std::to_string(i) + "]", addresses[i]);
  };
  add("front.listen", settings.get<net::ServerSettings>(runtime::kFrontSection).listen);
  add("admin.listen", settings.get<runtime::AdminSettings>(runtime::admin_section().name()).listen);
  if (settings.has("http_cache"))
    add("http_cache.listen", settings.get<http_cache::HttpCacheSettings>("http_cache").listen);
  return found;
}

std::string_view listener_of(std::string_view key) { return key.substr(0, key.find('[')); }

/// Whether both addresses would receive the same connections: SO_REUSEPORT lets them share a port, and the kernel then
/// distributes the connections between them.
bool overlap(const std::string& a, const std::string& b) {
  const auto port = [](const std::string& address) { return address.substr(address.rfind(':')); };
  if (port(a) != port(b) || port(a) == ":0") return false;
  const auto is_any = [](const std::string& address) {
    return address.starts_with("0.0.0.0:") || address.starts_with("[::]:");
  };
  return a == b || is_any(a) || is_any(b);
}

std::string no_address_twice(const config::Settings& settings) {
  const auto all = listeners(settings);
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (overlap(all[i].second, all[j].second) && listener_of(all[i].first) != listener_of(all[j].first))
        return all[j].first + " (" + all[j].second + ") and " + all[i].first + " (" + all[i].second +
               ") use the same port; give each listener its own port";
      else if (all[i].second == all[j].second && !all[i].second.ends_with(":0"))
        return all[j].first + " and " + all[i].first + " are the same address, " + all[i].second;
  return "";
}

std::string has_a_key_that_signs(const config::Settings& settings) {
  return settings.has("event")
             ? contracts::no_key_signs(settings.get<contracts::Event>("event"), base::SystemClock().wall_now())
             : "";
}

std::string some_role(const config::Settings& settings) {
  std::string names;
  for (const auto& type : role_types()) {
    if (settings.has(type.name)) return "";
    names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  return "no role is configured: add at least one of the sections " + names;
}

/// A process without a role that serves at the front listener needs no section "front".
std::string has_front(const config::Settings& settings) {
  if (!settings.get<net::ServerSettings>(runtime::kFrontSection).listen.empty()) return "";
  std::string names;
  for (const auto& type : role_types())
    if (type.needs_front && settings.has(type.name)) names += (names.empty() ? "" : ", ") + std::string(type.name);
  return names.empty() ? ""
                       : "is required by " + names +
                             " and needs an address to listen on: \"front\": { \"listen\": [\"0.0.0.0:8080\"] }";
}

config::Schema build() {
  using config::Presence;
  config::Schema made;
  made.add(runtime::kFrontSection, net::server_section(), Presence::defaulted);
  made.add(runtime::admin_section(), Presence::defaulted);
  made.add(runtime::log_section(), Presence::defaulted);
  made.add(runtime::process_section(), Presence::defaulted);
  made.add(net::client_section(), Presence::defaulted);
  made.add(contracts::event_section(), Presence::defaulted);
  for (const auto& type : role_types()) type.add_section(made);
  made.check(some_role);
  made.check(runtime::kFrontSection, has_front);
  made.check(no_address_twice);
  made.check("event", has_a_key_that_signs);
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
  auto text = base::read_text_file(file, kLongestFile);
  if (!text) return unreadable(file, text.error().text);
  ConfigText config{file, std::move(*text)};
  if (config.text.size() > kLongestFile) return unreadable(file, "the file is longer than 1 MiB");
  return config;
}

tl::expected<config::Settings, std::string> settings_of(const ConfigText& config) {
  auto outcome = schema().read(config.text);
  if (outcome.settings) return std::move(*outcome.settings);
  return tl::unexpected(config::describe(outcome.problems, config.file, config.text));
}

}  // namespace tribune::app
