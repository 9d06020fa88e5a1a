#include "balancer/nodes/delivery_health.h"

#include <fmt/format.h>

#include <algorithm>

namespace tribune::balancer {
namespace {

using contracts::share;

/// Viewers' requests that failed because the origin did not answer. An error status of the origin is no fault of the
/// node.
std::int64_t failed_without_origin(const contracts::NodeExperience& e) {
  return std::max<std::int64_t>(0, e.failures_by_origin - e.failures_by_origin_status);
}

bool fails_by_origin(const contracts::NodeExperience& e) {
  const auto lacking = failed_without_origin(e);
  return share(lacking, e.requests) >= kFitShare && lacking > 0 && 2 * e.origin_failures >= e.origin_asks &&
         e.origin_failures > 0;
}

/// Why a node does not deliver, and how badly.
struct Finding {
  std::string why;  // empty: it delivers
  double weight = 0;
  bool may_be_origin = false;
  bool is_for_players = false;
};

Finding find(const Judged& node) {
  const auto& last = *node.last;
  const auto& record = *node.record;
  const bool is_unfit = !record.unfit.empty();
  const auto& e = last.experience;
  if (last.memory == "spent" || record.short_of_memory >= (is_unfit ? 1 : kScarceHeartbeats))
    return {"memory is " + last.memory, 2, false};
  if (last.max_descriptors > 0 && share(last.descriptors, last.max_descriptors) >= (is_unfit ? 0.9 : 0.97))
    return {fmt::format("{} of {} file descriptors are open", last.descriptors, last.max_descriptors), 2, false};
  if (!node.compared.refused.empty()) return {node.compared.refused, 1, false};
  if (record.without_store >= (is_unfit ? 1 : kHeartbeatsWithoutStore))
    return {"its store does not work: " + last.reason, 0.1, false};
  if (!node.compared.starving.empty()) return {node.compared.starving, 0.1, false, true};
  const auto counted = std::max<std::int64_t>(0, e.failures - e.failures_by_origin_status);
  const auto failed = share(counted, e.requests);
  if (e.requests < kMinRequests || failed < (is_unfit ? kFitShare : kUnfitShare)) return {};
  auto why = fmt::format("{:.0f} % of the last {} requests failed", failed * 100, e.requests);
  if (e.origin_failures > 0)
    why += fmt::format(", {:.0f} % of the fill requests to the origin failed",
                       share(e.origin_failures, e.origin_asks) * 100);
  if (e.peer_failures > 0)
    why +=
        fmt::format(", {:.0f} % of the fill requests to other nodes failed", share(e.peer_failures, e.peer_asks) * 100);
  return {std::move(why), failed, share(counted - failed_without_origin(e), e.requests) < kUnfitShare};
}

std::chrono::seconds unfit_time(const DeliveryRecord& record) {
  return std::min(kMinUnfitTime * (1 << std::clamp(record.times - 1, 0, 8)), kMaxUnfitTime);
}

void mark_unfit(DeliveryRecord& record, Finding finding, base::SteadyTime now) {
  const bool is_soon = record.fit_again && now - *record.fit_again < kRepeatWindow;
  record.times = is_soon ? record.times + 1 : 1;
  record.unfit_since = now;
  record.unfit = std::move(finding.why);
  record.is_unfit_by_origin = finding.may_be_origin;
  record.is_unfit_for_players = finding.is_for_players;
  record.degraded.clear();
}

void release(DeliveryRecord& record, base::SteadyTime now) {
  record.unfit.clear();
  record.unfit_since.reset();
  record.is_unfit_by_origin = record.is_unfit_for_players = false;
  record.fit_again = now;
}

bool set(std::string& text, std::string next) {
  if (text == next) return false;
  text = std::move(next);
  return true;
}

using NodeFinding = std::pair<Finding, Judged*>;

constexpr std::string_view kTooFew = "; the node stays in service because too few other nodes deliver";

/// Releases those of the unfit candidates that deliver best while there are more than allowed, as when other nodes are
/// lost.
void release_best(std::vector<NodeFinding>& unfit, std::int64_t most, Judgement& judgement, base::SteadyTime now) {
  std::stable_sort(unfit.begin(), unfit.end(),
                   [](const auto& a, const auto& b) { return a.first.weight > b.first.weight; });
  while (!unfit.empty() && static_cast<std::int64_t>(unfit.size()) > most) {
    const auto& [finding, node] = unfit.back();
    node->record->degraded = (finding.why.empty() ? node->record->unfit : finding.why) + std::string(kTooFew);
    release(*node->record, now);
    judgement.has_changed = true;
    unfit.pop_back();
  }
}

/// The worst become unfit, as many as are allowed.
void mark_worst_unfit(std::vector<NodeFinding>& failing, std::int64_t allowed, Judgement& judgement,
                      base::SteadyTime now) {
  std::stable_sort(failing.begin(), failing.end(),
                   [](const auto& a, const auto& b) { return a.first.weight > b.first.weight; });
  for (auto& [finding, node] : failing) {
    if (allowed-- > 0) {
      mark_unfit(*node->record, std::move(finding), now);
      judgement.has_changed = true;
    } else {
      judgement.has_changed |= set(node->record->degraded, finding.why + std::string(kTooFew));
    }
  }
}

}  // namespace

void record_experience(DeliveryRecord& record, const contracts::Heartbeat& heartbeat, base::SteadyTime now) {
  const auto& e = heartbeat.experience;
  record.short_of_memory = heartbeat.memory == "scarce" || heartbeat.memory == "spent" ? record.short_of_memory + 1 : 0;
  // A node that is healthy and has a reason works without its store.
  record.without_store = heartbeat.healthy && !heartbeat.reason.empty() ? record.without_store + 1 : 0;
  if (fails_by_origin(e))
    record.origin_failed = now;
  else if (e.origin_asks > 0 && 2 * e.origin_failures < e.origin_asks)
    record.origin_failed.reset();
  else if (record.origin_failed && now - *record.origin_failed >= kOriginFailureCounts)
    record.origin_failed.reset();
}

Judgement judge(std::vector<Judged>& nodes, base::SteadyTime now) {
  Judgement judgement;
  std::int64_t candidates = 0, failed_by_origin = 0;
  for (const auto& node : nodes) {
    if (!node.is_candidate) continue;
    ++candidates;
    if (node.record->origin_failed) ++failed_by_origin;
  }
  judgement.is_origin_to_blame = 2 * failed_by_origin > candidates;
  const auto most_unfit = std::min((candidates + 1) / 2, candidates - 1);

  std::vector<NodeFinding> failing, unfit;  // unfit: candidates that stay unfit
  for (auto& node : nodes) {
    auto& record = *node.record;
    auto finding = node.is_candidate ? find(node) : Finding{};
    const bool may_be_origin = finding.why.empty() ? record.is_unfit_by_origin : finding.may_be_origin;
    const bool is_excused = may_be_origin && record.origin_failed && judgement.is_origin_to_blame;
    if (!record.unfit.empty()) {
      const bool is_over = record.unfit_since && now - *record.unfit_since >= unfit_time(record);
      if (!is_excused && (!finding.why.empty() || !is_over)) {  // the reported cause stays
        if (node.is_candidate) unfit.emplace_back(std::move(finding), &node);
        continue;
      }
      release(record, now);
      judgement.has_changed = true;
    }
    if (finding.why.empty() || is_excused) {
      judgement.has_changed |=
          set(record.degraded,
              finding.why.empty() ? "" : finding.why + "; most nodes have the same failures: the origin is the cause");
      continue;
    }
    failing.emplace_back(std::move(finding), &node);
  }
  release_best(unfit, most_unfit, judgement, now);
  mark_worst_unfit(failing, most_unfit - static_cast<std::int64_t>(unfit.size()), judgement, now);
  return judgement;
}

}  // namespace tribune::balancer
