#include "balancer/nodes/reachability.h"

#include <algorithm>

namespace tribune::balancer {

void Reachability::heartbeat_received(base::SteadyTime now) {
  silent_from_ = now;
  has_ended_ = false;
}

void Reachability::probed(PingResult result, base::SteadyTime now) {
  is_refused_ = result == PingResult::refused;
  if (result == PingResult::answered) {
    was_reached_ = true;
    has_ended_ = false;
    failed_probes_ = 0;
    if (++good_probes_ >= kGoodProbes) unreachable_ = {};
    return;
  }
  good_probes_ = 0;
  if (++failed_probes_ == 1) probes_fail_since_ = now;
  // WHY: a node in a network that this balancer never reached is judged by its heartbeats and by clients alone.
  if (!was_reached_) return;
  const bool is_reported = reports_.size() >= kReporters;
  const bool has_closed = connection_lost_at_ && now - *connection_lost_at_ < kConnectionLossCounts;
  if (has_closed && is_refused_ && silent_from_ <= *connection_lost_at_) has_ended_ = true;
  if (failed_probes_ < (is_reported || has_closed ? 1 : kFailedProbes)) return;
  unreachable_ = is_reported  ? "clients and a probe cannot reach the node"
                 : has_closed ? "the node closed its connection, and a probe cannot reach it"
                              : "probes cannot reach the node";
}

void Reachability::connection_lost(base::SteadyTime now) {
  connection_lost_at_ = now;
  request_probe();
}

void Reachability::reported_gone(std::string_view client_prefix, base::SteadyTime now) {
  expire_reports(now);
  if (reports_.size() < kReporters) reports_.insert_or_assign(std::string(client_prefix), now);
}

void Reachability::expire_reports(base::SteadyTime now) {
  std::erase_if(reports_, [&](const auto& report) { return now - report.second > kReportWindow; });
}

void Reachability::reset_probes() {
  request_probe();
  failed_probes_ = good_probes_ = 0;
  is_refused_ = has_ended_ = false;
  connection_lost_at_.reset();
  unreachable_ = {};
}

void Reachability::reset_address() {
  was_reached_ = false;
  reset_probes();
}

void Reachability::excuse(base::SteadyTime from) {
  silent_from_ = from;
  reset_probes();
}

void Reachability::shorten_silence(base::SteadyTime::duration by, base::SteadyTime now) {
  silent_from_ = std::min(now, silent_from_ + by);
}

std::optional<base::SteadyTime> Reachability::failing_since(base::SteadyTime now,
                                                            base::SteadyTime::duration timeout) const {
  std::optional<base::SteadyTime> since;
  if (silence(now) >= late_after(timeout)) since = silent_from_ + late_after(timeout);
  if (probes_fail()) since = since ? std::min(*since, probes_fail_since_) : probes_fail_since_;
  return since;
}

bool Reachability::is_cut_off(base::SteadyTime now, base::SteadyTime::duration time) const {
  return silence(now) >= time && (!was_reached_ || (failed_probes_ > 0 && now - probes_fail_since_ >= time));
}

bool Reachability::is_lost_for_certain(base::SteadyTime now, base::SteadyTime::duration timeout) const {
  const bool is_silent = silence(now) >= timeout;
  if (has_ended_ || (was_reached_ && is_refused_ && is_silent)) return true;
  return reports_.size() >= kReporters && (probes_fail() || is_silent);
}

SharedFailure::Change SharedFailure::update(const std::vector<NodeFailure>& all, base::SteadyTime::duration timeout) {
  failing_ = nodes_ = 0;
  if (is_doubted_) {
    for (const auto& node : all) {
      if (!node.counts || node.is_out) continue;
      ++nodes_;
      if (node.since) ++failing_;
    }
    if (is_shared()) return Change::none;
    is_doubted_ = false;
    return Change::ended;
  }
  // The earliest failure that would take a node out of service now: others that began to fail a timeout before it, or
  // later, may have the same cause. Nodes that were out before have their own.
  std::optional<base::SteadyTime> earliest;
  for (const auto& node : all)
    if (node.counts && node.is_lost && !node.is_out && node.since && (!earliest || *node.since < *earliest))
      earliest = node.since;
  if (!earliest) return Change::none;
  from_ = *earliest - timeout;
  for (const auto& node : all) {
    if (!node.counts || (node.since && *node.since < from_)) continue;
    ++nodes_;
    if (node.since) ++failing_;
  }
  is_doubted_ = is_shared();
  return is_doubted_ ? Change::began : Change::none;
}

}  // namespace tribune::balancer
