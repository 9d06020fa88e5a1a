#pragma once
// The load of the members of a large group, summed up for many selections: a selection among 1,000 nodes does not sum
// it up again.

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

/// Immutable but for the count of its uses; const methods from any thread.
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

  /// For 50 ms, and until an eighth of the members may have got a viewer.
  bool is_fresh(base::SteadyTime now) const {
    return now >= made && now - made < std::chrono::milliseconds{50} &&
           uses.fetch_add(1, std::memory_order_relaxed) < std::max<std::size_t>(members.size() / 8, 1);
  }
};

/// The last one; belongs to one table's group. Any thread; locks inside.
class GroupLoads {
 public:
  GroupLoads() : last_(nullptr) {}

  /// The last one while it is fresh, else the result of `make`.
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
