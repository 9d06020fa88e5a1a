#include "app/check_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "api/api_settings.h"
#include "api/reset_code_hook.h"
#include "balancer/balancer_settings.h"
#include "balancer/routing/zones.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "base/text_file.h"
#include "cache_node/settings/cache_node_settings.h"
#include "contracts/event.h"
#include "contracts/key_watch.h"
#include "net/client/http_client.h"
#include "net/server/gzip.h"
#include "runtime/process_settings.h"
#include "web/site.h"
#include "web/web_role.h"

namespace tribune::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestZoneFile = 64 << 20;

void add(std::vector<std::string>& to, const std::string& key, const std::string& text) {
  to.push_back(key + ": " + text);
}

/// The reason why files cannot be created in this folder, or why a missing folder cannot be created; empty when they
/// can.
std::string unwritable(const std::string& folder) {
  std::error_code error;
  auto at = fs::absolute(folder, error);
  if (error) return folder + ": " + error.message();
  const auto wanted = at;
  while (!fs::exists(at, error) && !error && at.has_relative_path()) at = at.parent_path();
  if (error) return at.string() + ": " + error.message();
  if (!fs::is_directory(at, error)) return at.string() + " is not a directory";
  if (::access(at.c_str(), W_OK | X_OK) == 0) return "";
  const std::string why = std::strerror(errno);
  return at == wanted ? folder + " cannot be written: " + why
                      : folder + " does not exist and cannot be created in " + at.string() + ": " + why;
}

/// The reason why the file cannot be read; empty when it can be read, or when `file` is empty.
std::string unreadable_file(const std::string& file) {
  if (file.empty()) return "";
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return file + ": " + std::strerror(errno);
  if (!S_ISREG(status.st_mode)) return file + " is not a regular file";
  return ::access(file.c_str(), R_OK) == 0 ? "" : file + ": " + std::strerror(errno);
}

void look_at_secrets(const config::Settings& settings, Findings& found) {
  const auto& event = settings.get<contracts::Event>("event");
  for (std::size_t i = 0; i < event.keys.size(); ++i) {
    contracts::Event one;
    one.keys = {event.keys[i]};
    if (const auto ring = contracts::key_ring(one); !ring)
      add(found.errors, "event.keys[" + std::to_string(i) + "].secret_file", ring.error().text);
  }
}

void look_at_balancer(const config::Settings& settings, Findings& found) {
  const auto& own = settings.get<balancer::BalancerSettings>("balancer");
  if (const auto why = unwritable(own.state_dir); !why.empty()) add(found.errors, "balancer.state_dir", why);
  if (!own.slate_folder.empty() && !fs::is_directory(own.slate_folder))
    add(found.errors, "balancer.slate_folder", own.slate_folder + " is not a directory");
  if (const auto why = unreadable_file(own.routing.geography_file); !why.empty())
    add(found.errors, "balancer.routing.geography_file", why);
  const auto& zones = own.routing.zones_file;
  if (const auto why = unreadable_file(zones); !why.empty())
    return add(found.errors, "balancer.routing.zones_file", why);
  if (zones.empty()) return;
  const auto text = base::read_text_file(zones, kLongestZoneFile);
  if (!text) return add(found.errors, "balancer.routing.zones_file", zones + ": " + text.error().text);
  if (const auto parsed = balancer::Zones::parse(*text); !parsed)
    add(found.errors, "balancer.routing.zones_file", zones + ": " + parsed.error().text);
}

void look_at_api(const config::Settings& settings, Findings& found) {
  const auto& own = settings.get<api::ApiSettings>("api").accounts;
  const auto& directory = own.state_dir;
  if (directory.empty()) return;
  if (const auto target = api::reset_hook_target(own.reset_hook); !target) found.errors.push_back(target.error().text);
  if (const auto why = unwritable(directory); !why.empty()) add(found.errors, "api.accounts.state_dir", why);
}

void look_at_process(const config::Settings& settings, Findings& found) {
  const auto& ca_file = settings.get<net::ClientSettings>(net::client_section().name()).ca_file;
  if (const auto why = unreadable_file(ca_file); !why.empty()) add(found.errors, "client.ca_file", why);
  const auto& log = settings.get<base::LogSettings>(runtime::log_section().name()).file;
  if (log.empty()) return;
  std::error_code error;
  if (fs::is_regular_file(log, error)) {
    if (::access(log.c_str(), W_OK) != 0)
      add(found.errors, "log.file", log + " cannot be written: " + std::strerror(errno));
    return;
  }
  if (fs::exists(log, error)) return;  // a device, or a pipe to a collector
  const auto folder = fs::absolute(log, error).parent_path().string();
  if (!fs::is_directory(folder, error))
    add(found.errors, "log.file", folder + " is not a directory");
  else if (const auto why = unwritable(folder); !why.empty())
    add(found.errors, "log.file", why);
}

}  // namespace

Findings check_named_files(const config::Settings& settings) {
  Findings found;
  if (settings.has("event")) look_at_secrets(settings, found);
  if (settings.has("balancer")) look_at_balancer(settings, found);
  if (settings.has("api")) look_at_api(settings, found);
  if (settings.has("cache_node")) {
    const auto& own = settings.get<cache_node::CacheNodeSettings>("cache_node");
    if (const auto why = own.is_memory_only() ? std::string() : unwritable(own.store_dir); !why.empty())
      add(found.errors, "cache_node.store_dir", why);
  }
  if (settings.has("web")) {
    const auto page = web::Site::load(web::folder_of(settings), net::gzip);
    if (!page) add(found.errors, "web.folder", page.error().text);
  }
  look_at_process(settings, found);
  return found;
}

Findings check_keys(const config::Settings& settings, base::WallTime now) {
  Findings found;
  if (!settings.has("event")) return found;
  const auto& event = settings.get<contracts::Event>("event");
  bool lasts = event.keys.empty();
  for (std::size_t i = 0; i < event.keys.size(); ++i) {
    const auto& key = event.keys[i];
    const auto ends = base::parse_rfc3339(key.not_after);
    lasts = lasts || !ends || *ends - now > contracts::KeyWatch::kFirstAlarm;
    if (ends && *ends <= now)
      add(found.warnings, "event.keys[" + std::to_string(i) + "]",
          "the key " + key.id + " ended at " + key.not_after + ": remove it");
  }
  if (!lasts)
    add(found.warnings, "event.keys",
        "no signing key is valid for longer than one week from now: add a key with a later not_after");
  return found;
}

}  // namespace tribune::app
