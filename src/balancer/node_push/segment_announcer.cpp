#include "balancer/node_push/segment_announcer.h"

#include <utility>

namespace tribune::balancer {
namespace {

base::Counter counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter(
      "tribune_balancer_announcements_total",
      "Readings with new segments, by whether all nodes of their viewers filled them before the delay was over.",
      {{"result", result}});
}

}  // namespace

SegmentAnnouncer::SegmentAnnouncer(NodePushHandler* desk, net::EventLoop& loop, const base::Clock& clock,
                                   base::Metrics& metrics)
    : desk_(desk),
      loop_(loop),
      clock_(clock),
      taken_(counter(metrics, "taken")),
      late_(counter(metrics, "late")),
      unheard_(counter(metrics, "unheard")) {}

// Snapshots know the gate, and what it holds are snapshots.
SegmentAnnouncer::~SegmentAnnouncer() { gate_->forget(); }

void SegmentAnnouncer::announce(const std::vector<std::string>& newest, base::SteadyTime::duration idle,
                                SnapshotPtr former) {
  std::vector<std::string> fresh;
  for (const auto& target : newest)
    if (!told_.count(target)) fresh.push_back(target);
  told_ = {newest.begin(), newest.end()};
  const auto nodes =
      desk_ && !fresh.empty() ? audience_->nodes(clock_.steady_now() - idle) : std::vector<std::string>{};
  if (nodes.empty()) return;
  const auto number = ++number_;
  const auto delay = desk_->publish_delay();
  const auto listening = desk_->tell(
      nodes, fresh, [&loop = loop_, this, number, alive = std::weak_ptr<int>(alive_)](const std::string& node) {
        loop.post([this, number, alive, node] {
          if (!alive.expired()) taken(number, node);
        });
      });
  if (listening.size() < nodes.size()) unheard_.add();
  if (listening.empty() || delay.count() == 0 || !former) return;
  gate_->hold(number, std::move(former), listening);
  tellings_[number] = {listening.size(), loop_.after(delay, [this, number] { give_up(number); })};
}

void SegmentAnnouncer::taken(std::int64_t number, std::string_view node) {
  const auto found = tellings_.find(number);
  if (found == tellings_.end()) return;  // too late
  if (--found->second.left == 0) {
    taken_.add();
    tellings_.erase(found);
  }
  gate_->open(number, node);
}

void SegmentAnnouncer::give_up(std::int64_t number) {
  late_.add();
  tellings_.erase(number);
  gate_->end(number);
}

void SegmentAnnouncer::end() {
  tellings_.clear();
  gate_->end();
}

}  // namespace tribune::balancer
