#include "access/queue_lane.h"

namespace tribune::access {
namespace {

const std::vector<double>& wait_buckets() {
  static const std::vector<double> buckets{1, 5, 10, 20, 30, 60, 120, 300, 600, 1'200, 1'800, 3'600, 7'200};
  return buckets;
}

}  // namespace

QueueLane::QueueLane(std::uint8_t i, const LaneSettings& settings, std::string_view id, std::string_view channel,
                     std::uint32_t queue, base::Metrics& metrics)
    : index(i),
      name(settings.name),
      share(settings.share),
      tickets(queue),
      length(metrics.gauge("tribune_access_queue_length",
                           "Tickets that wait for their turn and whose holders still poll.",
                           {{"channel", channel}, {"lane", name}})),
      called(metrics.counter("tribune_access_tickets_called_total",
                             "Tickets that were called: their turn came and a slot is reserved for them. The rate is "
                             "the outflow of the queue.",
                             {{"channel", channel}, {"lane", name}})),
      claimed(metrics.counter("tribune_access_tickets_claimed_total", "Tickets that were exchanged for a session.",
                              {{"channel", channel}, {"lane", name}})),
      abandoned(metrics.counter("tribune_access_tickets_abandoned_total",
                                "Tickets whose holder had not polled for the lease time when their turn came.",
                                {{"channel", channel}, {"lane", name}})),
      unclaimed(metrics.counter("tribune_access_tickets_unclaimed_total",
                                "Called tickets that were not claimed in time.",
                                {{"channel", channel}, {"lane", name}})),
      wait_time(metrics.histogram("tribune_access_wait_seconds",
                                  "Time from issuing the ticket to opening the session, over all channels, in seconds.",
                                  wait_buckets(), {{"lane", name}})) {
  disk.key = std::string(id) + "/" + name;
}

void QueueLane::publish_length() {
  const auto now = tickets.waiting();
  length.add(static_cast<double>(now) - static_cast<double>(published_length));
  published_length = now;
}

void log_ticket(base::Log& log, const Scope& global, std::string_view event, const QueueLane& lane,
                std::uint64_t number) {
  if (!log.wants(base::LogLevel::debug)) return;
  log.debug("access", event,
            {{"queue", lane.disk.key},
             {"number", number},
             {"waiting", lane.tickets.waiting()},
             {"sessions", global.sessions},
             {"limit", global.limit.max_sessions.value_or(kNoLimit)},
             {"kept", global.reserved}});
}

}  // namespace tribune::access
