#include "balancer/news/announcer.h"

#include <utility>

namespace tribune::balancer {
namespace {

base::Counter counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_balancer_announcements_total",
                         "Readings with new segments, by whether all nodes of their viewers filled them before they were listed.", {{"result", result}});
}

}  // namespace

Announcer::Announcer(NewsDesk* desk, net::EventLoop& loop, const base::Clock& clock, base::Metrics& metrics)
    : desk_(desk), loop_(loop), clock_(clock), taken_(counter(metrics, "taken")), late_(counter(metrics, "late")), unheard_(counter(metrics, "unheard")) {}
Announcer::~Announcer() = default;

void Announcer::announce(const std::vector<std::string>& newest, base::SteadyTime::duration idle, std::function<void()> then) {
  std::vector<std::string> fresh;
  for (const auto& target : newest)
    if (!told_.count(target)) fresh.push_back(target);
  told_ = {newest.begin(), newest.end()};
  const auto nodes = desk_ && !fresh.empty() ? audience_->nodes(clock_.steady_now() - idle) : std::vector<std::string>{};
  if (nodes.empty()) return then();
  const auto number = ++number_;
  const auto delay = desk_->publish_delay();
  const auto listening = desk_->tell(nodes, fresh, [&loop = loop_, this, number, alive = std::weak_ptr<int>(alive_)] {
    loop.post([this, number, alive] {
      if (!alive.expired()) release(number, true);
    });
  });
  if (listening < nodes.size()) unheard_.add();
  if (listening == 0 || delay.count() == 0) return then();
  then_ = std::move(then);
  patience_ = loop_.after(delay, [this, number] { release(number, false); });
}

void Announcer::release(std::int64_t number, bool taken) {
  if (number != number_ || !then_) return;
  (taken ? taken_ : late_).add();
  patience_.cancel();
  const auto then = std::exchange(then_, nullptr);
  then();
}

}  // namespace tribune::balancer
