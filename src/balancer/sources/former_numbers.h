#pragma once
// Asks each cache node once what a former process of this balancer listed. The records on disk may say less: a full
// disk takes none.
//
//   awaited     the balancer has started on records that may lack writes, and lists nothing   (start)
//   begun       every configured node has answered, or kWaitForNodes is over                  (take, the timer)
// A node that answers later is heard all the same, and so is each node when the records are complete.

#include <chrono>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/nodes/heartbeat_handler.h"
#include "balancer/sources/sources.h"
#include "net/event_loop.h"

namespace tribune::balancer {

/// Nodes send a heartbeat each second, and answer a question 100 ms later.
inline constexpr std::chrono::milliseconds kWaitForNodes{2'500};

/// Any thread; locks inside. Destroyed after the workers' loops have ended.
class FormerNumbers final : public NumbersAtNodes {
 public:
  /// Both outlive it. `store` has the records of the sources.
  FormerNumbers(Sources& sources, store::Store& store) : sources_(sources), store_(store) {}

  /// Call it before the first configure() of the sources, with the configured nodes.
  void start(runtime::Worker&, const std::vector<std::string>& nodes);

  bool wants(std::string_view node) const override;
  void take(std::string_view node, const contracts::ListedNumbers&) override;
  contracts::ListedNumbers listed() const override { return sources_.listed_numbers(); }

 private:
  void begin_numbering();

  Sources& sources_;
  store::Store& store_;
  net::Timer wait_;  // used by its worker
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> awaited_, heard_;
};

}  // namespace tribune::balancer
