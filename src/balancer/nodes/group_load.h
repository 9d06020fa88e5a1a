#pragma once
// The load of the members of a large group, summed once for many selections, so that not every selection reads all
// members.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/published.h"

namespace tribune::balancer {

struct NodeViewers;

/// Immutable except for the count of its uses; const methods from any thread.
struct GroupLoad {
  struct Member {
    const NodeViewers* viewers;  // null: the member takes no viewers
    std::int64_t reported;       // by its heartbeat: those of other balancers, too
    double weight;
    double ramp;
  };
  std::vector<Member> members;  // in the group's order
  double weights = 0, viewers = 0;
  base::SteadyTime made{};
  mutable std::atomic<std::size_t> uses{0};

  /// Whether it is less than 50 ms old and was used for fewer selections than an eighth of the members (at least one).
  bool is_fresh(base::SteadyTime now) const {
    return now >= made && now - made < std::chrono::milliseconds{50} &&
           uses.fetch_add(1, std::memory_order_relaxed) < std::max<std::size_t>(members.size() / 8, 1);
  }
};

/// The last GroupLoad of one group of a table. Any thread; locks inside.
class GroupLoads {
 public:
  GroupLoads() : last_(nullptr) {}

  /// The last GroupLoad while it is fresh, otherwise the result of `make`.
  template <class Make>
  std::shared_ptr<const GroupLoad> get(base::SteadyTime now, const Make& make) {
    auto load = last_.get();
    if (load && load->is_fresh(now)) return load;
    load = make();
    last_.publish(load);
    return load;
  }

 private:
  base::Published<GroupLoad> last_;
};

}  // namespace tribune::balancer
