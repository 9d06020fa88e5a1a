#include "balancer/node_push/segment_announcer.h"

#include <utility>

namespace tribune::balancer {
namespace {

base::Counter announcements_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_balancer_announcements_total",
                         "Refreshes of media playlists with new segments, by whether all nodes of their viewers filled "
                         "the segments before the end of the publish delay.",
                         {{"result", result}});
}

}  // namespace

SegmentAnnouncer::SegmentAnnouncer(NodePushHandler* push_handler, net::EventLoop& loop, const base::Clock& clock,
                                   base::Metrics& metrics)
    : push_handler_(push_handler),
      loop_(loop),
      clock_(clock),
      filled_(announcements_counter(metrics, "taken")),
      late_(announcements_counter(metrics, "late")),
      not_listening_(announcements_counter(metrics, "unheard")) {}

// A waiting callback owns an answer, which owns the publication: forget() ends that cycle.
SegmentAnnouncer::~SegmentAnnouncer() { publication_->hold.forget(); }

void SegmentAnnouncer::announce(const std::vector<std::string>& newest, base::SteadyTime::duration idle,
                                SnapshotPtr former) {
  std::vector<std::string> fresh;
  for (const auto& target : newest)
    if (!announced_.count(target)) fresh.push_back(target);
  announced_ = {newest.begin(), newest.end()};
  const auto nodes = push_handler_ && !fresh.empty() ? publication_->followers.nodes(clock_.steady_now() - idle)
                                                     : std::vector<std::string>{};
  if (nodes.empty()) return;
  const auto number = ++number_;
  const auto delay = push_handler_->publish_delay();
  const auto listening = push_handler_->push_segments(
      nodes, fresh, [&loop = loop_, this, number, alive = std::weak_ptr<int>(alive_)](const std::string& node) {
        loop.post([this, number, alive, node] {
          if (!alive.expired()) on_filled(number, node);
        });
      });
  if (listening.size() < nodes.size()) not_listening_.add();
  if (listening.empty() || delay.count() == 0 || !former) return;
  publication_->hold.hold(number, std::move(former), listening);
  pending_[number] = {listening.size(), loop_.after(delay, [this, number] { on_timeout(number); })};
}

void SegmentAnnouncer::on_filled(std::int64_t number, std::string_view node) {
  const auto found = pending_.find(number);
  if (found == pending_.end()) return;  // its delay is over, or all holds were ended
  if (--found->second.left == 0) {
    filled_.add();
    pending_.erase(found);
  }
  publication_->hold.open(number, node);
}

void SegmentAnnouncer::on_timeout(std::int64_t number) {
  late_.add();
  pending_.erase(number);
  publication_->hold.end(number);
}

void SegmentAnnouncer::end() {
  pending_.clear();
  publication_->hold.end();
}

}  // namespace tribune::balancer
