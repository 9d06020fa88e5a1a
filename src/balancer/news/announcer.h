#pragma once
// The publish gate of one media playlist: what is new in a reading is told to the nodes whose viewers follow it, and the
// reading is held back until they fill it, for publish_delay at most. Nodes that do not listen are not waited for.

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "balancer/news/audience.h"
#include "balancer/news/news_desk.h"
#include "base/metrics.h"
#include "net/event_loop.h"

namespace tribune::balancer {

/// What is told of one reading: its newest segments and parts. A source that gained more is not at its live edge.
inline constexpr std::size_t kMaxAnnounced = 16;

/// Owned by one worker.
class Announcer {
 public:
  /// Without a desk nothing is told or held back. The others outlive it.
  Announcer(NewsDesk*, net::EventLoop&, const base::Clock&, base::Metrics&);
  ~Announcer();

  const std::shared_ptr<Audience>& audience() const { return audience_; }

  /// `newest` are the links' targets at the end of a reading. Runs `then` once, at once when nobody is to be told. `idle`: who
  /// did not ask for so long follows no more.
  void announce(const std::vector<std::string>& newest, base::SteadyTime::duration idle, std::function<void()> then);

 private:
  void release(std::int64_t number, bool taken);

  NewsDesk* const desk_;
  net::EventLoop& loop_;
  const base::Clock& clock_;
  base::Counter taken_, late_, unheard_;
  const std::shared_ptr<Audience> audience_ = std::make_shared<Audience>();
  std::set<std::string> told_;             // of the last reading
  std::function<void()> then_;
  std::int64_t number_ = 0;                // of the announcement that then_ waits for
  net::Timer patience_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace tribune::balancer
