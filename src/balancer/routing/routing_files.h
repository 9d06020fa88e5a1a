#pragma once
// The files that routing reads, zones and geography: looked at again and again by a thread of their own, and replaced
// as values. A broken file leaves the last good one in force.

#include <sys/stat.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "balancer/routing/routing_settings.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/published.h"

namespace tribune::balancer {

/// Any thread; locks inside.
class RoutingFiles {
 public:
  RoutingFiles(const base::Clock&, base::Log&, base::Metrics&);
  ~RoutingFiles();

  /// Reads the files that are new to it, on the caller's thread, and begins to look. A broken file is said in the log
  /// and in describe(); the view then goes without it.
  void configure(const RoutingSettings&);

  std::shared_ptr<const RoutingView> view() const { return view_.get(); }

  /// "zones_file": {…}, "geography_file": {…}
  void describe(base::json::Writer&) const;

 private:
  struct Watched {
    std::string path;
    struct stat seen {};  // as it was when it was last read, well or not
    bool was_read = false;
    std::string trouble{};   // why the file, as it is, is not in force
    base::WallTime since{};  // of what is in force
  };
  void run();
  void look();  // with mutex_ held
  bool changed(Watched&);
  void judge(Watched&, std::string_view what, std::string why);
  void read_zones();
  void read_geography();

  const base::Clock& clock_;
  base::Log& log_;
  base::Counter taken_, refused_;
  base::Published<RoutingView> view_;

  mutable std::mutex mutex_;  // guards what follows; held while the files are read, by this thread and a reload alone
  RoutingSettings settings_;
  Watched zones_, geography_;
  std::shared_ptr<const Zones> good_zones_;
  std::shared_ptr<const Geography> good_geography_;
  bool stopping_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace tribune::balancer
