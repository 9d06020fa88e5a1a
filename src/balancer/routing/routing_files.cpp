#include "balancer/routing/routing_files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "base/memory.h"

namespace tribune::balancer {
namespace {

constexpr std::size_t kLongestZones = 64u << 20;

base::Counter file_reloads_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_balancer_routing_files_total",
                         "Reads of changed zone and geography files, by result.", {{"result", result}});
}

base::Result<std::string> text_of(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(path.c_str(), "re"), &std::fclose);
  if (!in) return base::failure(base::ErrorKind::io, base::Fault::tribune, std::strerror(errno));
  std::string text;
  std::string piece(1 << 16, '\0');
  while (const auto got = std::fread(piece.data(), 1, piece.size(), in.get())) {
    text.append(piece, 0, got);
    if (text.size() > kLongestZones)
      return base::failure(base::ErrorKind::too_large, base::Fault::client, "the file is larger than 64 MiB");
  }
  if (std::ferror(in.get())) return base::failure(base::ErrorKind::io, base::Fault::tribune, std::strerror(errno));
  return text;
}

bool is_same_file(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

RoutingFiles::RoutingFiles(const base::Clock& clock, base::Log& log, base::Metrics& metrics)
    : clock_(clock),
      log_(log),
      taken_(file_reloads_counter(metrics, "ok")),
      refused_(file_reloads_counter(metrics, "refused")),
      view_(std::make_shared<RoutingView>()) {}

RoutingFiles::~RoutingFiles() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RoutingFiles::configure(const RoutingSettings& settings) {
  const std::lock_guard lock(mutex_);
  if (settings.zones_file != zones_.path) {
    zones_ = Watched{};
    zones_.path = settings.zones_file;
    good_zones_ = nullptr;
  }
  if (settings.geography_file != geography_.path) {
    geography_ = Watched{};
    geography_.path = settings.geography_file;
    good_geography_ = nullptr;
  }
  settings_ = settings;
  look();
  view_.publish(std::make_shared<RoutingView>(RoutingView{settings_.rules(), good_zones_, good_geography_}));
  const bool has_files = !zones_.path.empty() || !geography_.path.empty();
  if (has_files && !thread_.joinable()) thread_ = std::thread([this] { run(); });
  wake_.notify_all();
}

void RoutingFiles::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, settings_.poll);
    if (stopping_) return;
    try {
      look();
    } catch (const std::bad_alloc&) {
      base::Memory::of_process().gave_up_work();  // the values in use stay; the next check tries again
    }
  }
}

void RoutingFiles::look() {
  const auto zones = good_zones_;
  const auto geography = good_geography_;
  if (changed(zones_)) read_zones();
  if (changed(geography_)) read_geography();
  if (zones == good_zones_ && geography == good_geography_) return;
  view_.publish(std::make_shared<RoutingView>(RoutingView{settings_.rules(), good_zones_, good_geography_}));
}

bool RoutingFiles::changed(Watched& file) {
  if (file.path.empty()) return false;
  struct stat now {};
  if (::stat(file.path.c_str(), &now) != 0) now = {};
  if (file.was_read && is_same_file(now, file.seen)) return false;
  file.seen = now;
  file.was_read = true;
  return true;
}

void RoutingFiles::judge(Watched& file, std::string_view what, std::string why) {
  file.trouble = std::move(why);
  if (file.trouble.empty()) {
    file.since = clock_.wall_now();
    taken_.add();
    log_.info("balancer", "routing_file_taken", {{"what", what}, {"file", file.path}});
  } else {
    refused_.add();
    log_.error("balancer", "routing_file_refused", {{"what", what}, {"file", file.path}, {"reason", file.trouble}});
  }
}

void RoutingFiles::read_zones() {
  const auto text = text_of(zones_.path);
  if (!text) return judge(zones_, "zones", text.error().text);
  auto zones = Zones::parse(*text);
  if (!zones) return judge(zones_, "zones", zones.error().text);
  good_zones_ = std::make_shared<Zones>(std::move(*zones));
  judge(zones_, "zones", "");
}

void RoutingFiles::read_geography() {
  auto opened = Geography::open(geography_.path);
  if (!opened) return judge(geography_, "geography", opened.error().text);
  good_geography_ = std::move(*opened);
  judge(geography_, "geography", "");
}

void RoutingFiles::describe(base::json::Writer& w) const {
  const std::lock_guard lock(mutex_);
  const auto say = [&](std::string_view key, const Watched& file, bool in_force) {
    w.key(key).begin_object().member("file", file.path).member("in_force", in_force).member("trouble", file.trouble);
    if (in_force) w.member("since_unix", base::unix_seconds(file.since));
  };
  say("zones_file", zones_, good_zones_ != nullptr);
  if (good_zones_)
    w.member("zones", std::uint64_t{good_zones_->all().size()})
        .member("prefixes", std::uint64_t{good_zones_->prefixes()});
  w.end_object();
  say("geography_file", geography_, good_geography_ != nullptr);
  w.end_object();
}

}  // namespace tribune::balancer
