#pragma once
// The files that routing reads, zones and geography: checked for changes by a thread of their own, and replaced as
// values. After an invalid file the last valid one stays in use.

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

  /// Reads files that were not configured before, on the caller's thread, and begins to check them. An invalid file is
  /// reported in the log and in describe(); the view is made without it.
  void configure(const RoutingSettings&);

  std::shared_ptr<const RoutingView> view() const { return view_.get(); }

  /// "zones_file": {…}, "geography_file": {…}
  void describe(base::json::Writer&) const;

 private:
  struct Watched {
    std::string path;
    struct stat seen {};  // at the last read, valid or not
    bool was_read = false;
    std::string trouble{};   // why the present file is not in use
    base::WallTime since{};  // of the file in use
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

  mutable std::mutex mutex_;  // guards what follows; held while the files are read
  RoutingSettings settings_;
  Watched zones_, geography_;
  std::shared_ptr<const Zones> good_zones_;
  std::shared_ptr<const Geography> good_geography_;
  bool stopping_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace tribune::balancer
