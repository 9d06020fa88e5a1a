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
constexpr std::size_t kMaxRefusedViewers = 100'000;

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
  remember(device, channel, std::nullopt);
  auto& shard = shards_.of(session);
  const std::lock_guard lock(shard.mutex);
  auto& entry = shard.entries[session];
  entry = {device, std::string(channel), now, now, {}, {}};
  entry.is_confirmed = true;
}

SessionEntitlements::Status SessionEntitlements::check(access::SessionId session, std::string_view channel,
                                                       const contracts::EntitledDevice& device) {
  const auto now = clock_.steady_now();
  auto& shard = shards_.of(session);
  const std::lock_guard lock(shard.mutex);
  const auto [found, is_new] = shard.entries.try_emplace(session);
  auto& entry = found->second;
  if (is_new) {
    entry = {device, std::string(channel), {}, now, {}, {}};
    if (const auto why = refused(device, channel)) begin_ending(session, entry, *why, now);
  }
  const bool was_idle = now - entry.seen_at > kIdle;
  entry.seen_at = now;
  if (!entry.ending_at) {
    if (is_new || was_idle) ask_soon(session, entry);
    if (is_over(entry)) note_expiry(session, entry, now);
  }
  if (!entry.ending_at) return {};
  if (now - *entry.ending_at < ending_time_.load()) return {Standing::ending, entry.why};
  return {Standing::ended, entry.why, !std::exchange(entry.has_ended, true)};
}

bool SessionEntitlements::is_over(const Entry& entry) const {
  return entry.device.until != 0 && entry.device.until <= base::unix_seconds(clock_.wall_now());
}

void SessionEntitlements::note_expiry(access::SessionId session, Entry& entry, base::SteadyTime now) {
  if (!entry.expired_at) {
    entry.expired_at = now;
    ask_soon(session, entry);
  }
  if (now - *entry.expired_at >= await_renewal_.load()) begin_ending(session, entry, EntitlementEnd::expired, now);
}

void SessionEntitlements::release(access::SessionId session) {
  auto& shard = shards_.of(session);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(session);
  if (found == shard.entries.end()) return;
  const bool is_remembered = found->second.ending_at || found->second.expired_at;
  if (!is_remembered) shard.entries.erase(found);
}

base::KeyedHash::Value SessionEntitlements::viewer_key(const contracts::EntitledDevice& device,
                                                       std::string_view channel) const {
  std::string text(channel);
  for (const auto id : {device.account, device.device})
    for (int shift = 0; shift < 64; shift += 8) text += static_cast<char>(id >> shift & 0xff);
  return hash_(text);
}

std::optional<EntitlementEnd> SessionEntitlements::refused(const contracts::EntitledDevice& device,
                                                           std::string_view channel) {
  const auto key = viewer_key(device, channel);
  const std::lock_guard lock(refused_mutex_);
  const auto* why = refused_.find(key);
  return why ? std::optional(*why) : std::nullopt;
}

/// nullopt: the viewer may watch.
void SessionEntitlements::remember(const contracts::EntitledDevice& device, std::string_view channel,
                                   std::optional<EntitlementEnd> why) {
  const auto key = viewer_key(device, channel);
  const std::lock_guard lock(refused_mutex_);
  if (!why) {
    refused_.erase(key);
    return;
  }
  refused_.try_emplace(key, *why).first = *why;
  while (refused_.size() > kMaxRefusedViewers) refused_.erase(refused_.oldest()->first);
}

void SessionEntitlements::ask_soon(access::SessionId session, Entry& entry) {
  if (std::exchange(entry.is_urgent, true)) return;
  const std::lock_guard lock(urgent_mutex_);
  urgent_.push_back(session);
}

/// An unknown session was served by its token alone, and gets no further time.
void SessionEntitlements::begin_ending(access::SessionId session, Entry& entry, EntitlementEnd why,
                                       base::SteadyTime now) {
  entry.ending_at = entry.is_confirmed ? now : now - ending_time_.load();
  entry.why = why;
  (why == EntitlementEnd::expired ? expired_ : why == EntitlementEnd::withdrawn ? withdrawn_ : logged_out_).add();
  log_.info("balancer", "entitlement_ended",
            {{"session", contracts::session_name(session)}, {"channel", entry.channel}, {"reason", to_string(why)}});
}

std::vector<SessionEntitlements::DueCheck> SessionEntitlements::due() {
  const auto period = static_cast<std::size_t>(std::chrono::floor<std::chrono::seconds>(check_period_.load()).count());
  const auto now = clock_.steady_now();
  std::vector<DueCheck> checks;
  for (std::size_t i = 0; i < (shards_.size() + period - 1) / period; ++i) collect(shards_[next_shard_++], now, checks);
  return checks;
}

std::vector<SessionEntitlements::DueCheck> SessionEntitlements::urgent() {
  std::vector<access::SessionId> sessions;
  {
    const std::lock_guard lock(urgent_mutex_);
    sessions.swap(urgent_);
  }
  std::vector<DueCheck> checks;
  for (const auto session : sessions) {
    auto& shard = shards_.of(session);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(session);
    if (found == shard.entries.end()) continue;
    auto& entry = found->second;
    entry.is_urgent = false;
    entry.checked_at = clock_.steady_now();
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
    entry.is_confirmed = true;
    entry.expired_at.reset();
    entry.ending_at.reset();
    remember(entry.device, entry.channel, std::nullopt);
    return;
  }
  const auto why = verdict.kind == Kind::logged_out ? EntitlementEnd::logged_out
                   : is_over(entry)                 ? EntitlementEnd::expired
                                                    : EntitlementEnd::withdrawn;
  remember(entry.device, entry.channel, why);
  if (!entry.ending_at) begin_ending(session, entry, why, now);
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
