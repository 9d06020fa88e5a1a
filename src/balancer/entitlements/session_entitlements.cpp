#include "balancer/entitlements/session_entitlements.h"

#include <algorithm>
#include <utility>

#include "contracts/token.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

/// A session that made no request for this time is not checked; its next request makes the check urgent.
constexpr auto kIdle = 2min;
/// A session that made no request for this time is forgotten: one that watches is known again by its token.
constexpr auto kForgotten = 1h;

base::Counter ended_entitlements_counter(base::Metrics& metrics, EntitlementEnd why) {
  return metrics.counter("tribune_balancer_entitlements_ended_total",
                         "Sessions of paid channels whose account may not watch the channel any more, by reason.",
                         {{"reason", to_string(why)}});
}

}  // namespace

std::string_view to_string(EntitlementEnd why) {
  switch (why) {
    case EntitlementEnd::expired: return "expired";
    case EntitlementEnd::withdrawn: return "withdrawn";
    case EntitlementEnd::logged_out: return "logged_out";
  }
  return "";
}

SessionEntitlements::SessionEntitlements(const base::Clock& clock, base::Log& log, base::Metrics& metrics)
    : clock_(clock),
      log_(log),
      expired_(ended_entitlements_counter(metrics, EntitlementEnd::expired)),
      withdrawn_(ended_entitlements_counter(metrics, EntitlementEnd::withdrawn)),
      logged_out_(ended_entitlements_counter(metrics, EntitlementEnd::logged_out)) {
  configure({});
}

void SessionEntitlements::configure(const PaidChannelSettings& settings) {
  check_period_ = settings.check_period;
  await_renewal_ = settings.await_renewal;
  ending_time_ = settings.ending_time;
}

void SessionEntitlements::open(access::SessionId session, std::string_view channel,
                               const contracts::EntitledDevice& device) {
  const auto now = clock_.steady_now();
  auto& shard = shards_.of(session);
  const std::lock_guard lock(shard.mutex);
  shard.entries.insert_or_assign(session, Entry{device, std::string(channel), now, now, {}, {}});
}

SessionEntitlements::Status SessionEntitlements::check(access::SessionId session, std::string_view channel,
                                                       const contracts::EntitledDevice& device) {
  const auto now = clock_.steady_now();
  auto& shard = shards_.of(session);
  const std::lock_guard lock(shard.mutex);
  const auto [found, is_new] = shard.entries.try_emplace(session);
  auto& entry = found->second;
  if (is_new) entry = {device, std::string(channel), {}, now, {}, {}};
  const bool was_idle = now - entry.seen_at > kIdle;
  entry.seen_at = now;
  if (entry.ending_at) {
    if (now - *entry.ending_at < ending_time_.load()) return {Standing::ending, entry.why};
    return {Standing::ended, entry.why, !std::exchange(entry.has_ended, true)};
  }
  if (is_new || was_idle) ask_soon(session, entry);
  if (entry.device.until == 0 || base::unix_seconds(clock_.wall_now()) < entry.device.until) return {};
  if (!entry.expired_at) {
    entry.expired_at = now;
    ask_soon(session, entry);
  }
  if (now - *entry.expired_at < await_renewal_.load()) return {};
  begin_ending(session, entry, EntitlementEnd::expired, now);
  return {Standing::ending, entry.why};
}

void SessionEntitlements::release(access::SessionId session) {
  auto& shard = shards_.of(session);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(session);
  if (found != shard.entries.end() && !found->second.ending_at) shard.entries.erase(found);
}

void SessionEntitlements::ask_soon(access::SessionId session, Entry& entry) {
  if (std::exchange(entry.is_urgent, true)) return;
  const std::lock_guard lock(urgent_mutex_);
  urgent_.push_back(session);
}

void SessionEntitlements::begin_ending(access::SessionId session, Entry& entry, EntitlementEnd why,
                                       base::SteadyTime now) {
  entry.ending_at = now;
  entry.why = why;
  (why == EntitlementEnd::expired ? expired_ : why == EntitlementEnd::withdrawn ? withdrawn_ : logged_out_).add();
  log_.info("balancer", "entitlement_ended",
            {{"session", contracts::session_name(session)}, {"channel", entry.channel}, {"reason", to_string(why)}});
}

std::vector<SessionEntitlements::DueCheck> SessionEntitlements::due() {
  const auto period = static_cast<std::size_t>(std::chrono::floor<std::chrono::seconds>(check_period_.load()).count());
  const auto now = clock_.steady_now();
  auto checks = take_urgent(now);
  for (std::size_t i = 0; i < (shards_.size() + period - 1) / period; ++i) collect(shards_[next_shard_++], now, checks);
  return checks;
}

std::vector<SessionEntitlements::DueCheck> SessionEntitlements::take_urgent(base::SteadyTime now) {
  std::vector<access::SessionId> urgent;
  {
    const std::lock_guard lock(urgent_mutex_);
    urgent.swap(urgent_);
  }
  std::vector<DueCheck> checks;
  for (const auto session : urgent) {
    auto& shard = shards_.of(session);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(session);
    if (found == shard.entries.end()) continue;
    auto& entry = found->second;
    entry.is_urgent = false;
    entry.checked_at = now;
    checks.push_back({session, {entry.device.account, entry.device.device, entry.channel}});
  }
  return checks;
}

void SessionEntitlements::collect(Shard& shard, base::SteadyTime now, std::vector<DueCheck>& checks) {
  const std::lock_guard lock(shard.mutex);
  std::erase_if(shard.entries, [&](const auto& of) { return now - of.second.seen_at > kForgotten; });
  for (auto& [session, entry] : shard.entries) {
    const bool is_due =
        !entry.has_ended && now - entry.seen_at <= kIdle && now - entry.checked_at > check_period_.load() / 2;
    if (!is_due) continue;
    entry.checked_at = now;
    checks.push_back({session, {entry.device.account, entry.device.device, entry.channel}});
  }
}

void SessionEntitlements::apply(access::SessionId session, const contracts::ViewerVerdict& verdict) {
  using Kind = contracts::ViewerVerdict::Kind;
  const auto now = clock_.steady_now();
  auto& shard = shards_.of(session);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(session);
  if (found == shard.entries.end() || found->second.has_ended) return;
  auto& entry = found->second;
  if (verdict.kind == Kind::entitled) {
    entry.device.until = verdict.until;
    entry.expired_at.reset();
    entry.ending_at.reset();
    return;
  }
  if (entry.ending_at) return;
  const bool is_over = entry.device.until != 0 && entry.device.until <= base::unix_seconds(clock_.wall_now());
  begin_ending(session, entry,
               verdict.kind == Kind::logged_out ? EntitlementEnd::logged_out
               : is_over                        ? EntitlementEnd::expired
                                                : EntitlementEnd::withdrawn,
               now);
}

void SessionEntitlements::check_again(access::SessionId session) {
  auto& shard = shards_.of(session);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(session);
  if (found != shard.entries.end()) found->second.checked_at = clock_.steady_now() - check_period_.load();
}

std::size_t SessionEntitlements::size() const {
  std::size_t count = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    count += shard.entries.size();
  }
  return count;
}

}  // namespace tribune::balancer
