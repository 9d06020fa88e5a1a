#pragma once
// GET /queue/{channel} on a cache node: the balancer's status of a channel's queue, for many waiting clients. One
// worker requests the status from the balancer at most once per second, however many clients wait, so a status is at
// most 1 s old. While no balancer answers, the last status is served for a minute, with its Age.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "http/message.h"
#include "net/server/exchange.h"
#include "runtime/role.h"

namespace tribune::cache_node {

inline constexpr std::chrono::milliseconds kQueueFresh{1'000};
inline constexpr std::chrono::seconds kQueueKept{60};
inline constexpr std::size_t kMaxQueueWaiters = 50'000;

/// Any thread; locks inside, never held while a request is answered. Destroyed after the workers' loops have ended.
class QueueRelayHandler {
 public:
  /// `balancers`: their current URLs. `is_known`: whether the node has a channel.
  QueueRelayHandler(const base::Clock&, base::Metrics&, const std::vector<std::unique_ptr<runtime::Worker>>&,
                    std::function<std::vector<std::string>()> balancers,
                    std::function<bool(std::string_view)> is_known);
  ~QueueRelayHandler();

  void answer(runtime::Worker&, std::unique_ptr<net::Exchange>, std::string_view channel);

 private:
  struct Waiter {
    std::size_t worker;
    std::shared_ptr<std::unique_ptr<net::Exchange>> exchange;  // emptied by the worker when the client has left
  };
  struct QueueStatus {
    base::SharedBytes text;
    base::SteadyTime fetched{};
    std::optional<base::SteadyTime> failed;
    bool is_fetching = false;
    std::vector<Waiter> waiters;
    std::unique_ptr<net::Fetch> fetch;  // belongs to the first worker
  };

  void fetch(const std::string& channel, std::size_t balancer);
  void fetched(const std::string& channel, std::size_t balancer, const base::Result<net::WholeAnswer>&);
  http::Response response_of(const QueueStatus&) const;
  bool is_servable(const QueueStatus&) const;

  const base::Clock& clock_;
  const std::vector<std::unique_ptr<runtime::Worker>>& workers_;
  const std::function<std::vector<std::string>()> balancers_;
  const std::function<bool(std::string_view)> is_known_;
  base::Counter requests_, failed_, served_;

  std::mutex mutex_;                                          // guards the members below
  std::map<std::string, QueueStatus, std::less<>> statuses_;  // one for each requested channel that the node has
};

}  // namespace tribune::cache_node
