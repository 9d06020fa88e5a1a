#include "access/sessions.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "access/session_record.h"
#include "base/ids.h"
#include "base/sharded.h"

namespace tribune::access {
namespace {

struct ChannelSessions {
  std::size_t sessions = 0;
  base::Gauge gauge;
};
using ByChannel = std::map<std::string, ChannelSessions, std::less<>>;

struct Session {
  ByChannel::value_type* channel;
  base::SteadyTime deadline;
  std::int64_t examined_at;  // the second in whose list the id is; entries in other lists are ignored
  base::SteadyTime saved_deadline;
  SessionNetworks networks{};
  ConcurrentViewing viewing{};
};

/// A renewal moves the deadline only. The id stays in the list of the second in which it was due, and moves to a later
/// list when that second is swept: a session is examined once per idle time, however often it is renewed.
struct Shard {
  mutable std::mutex mutex;
  std::unordered_map<SessionId, Session> sessions;
  std::map<std::int64_t, std::vector<SessionId>> due;
  ByChannel channels;
};

}  // namespace

struct Sessions::Inner {
  const base::Clock& clock;
  base::Metrics& metrics;
  const std::size_t max_known;
  const ChannelLabelsPtr labels;
  base::Counter opened, adopted, refused, released;
  std::atomic<std::size_t> known{0};
  base::Sharded<Shard> shards;

  Inner(const base::Clock& c, base::Metrics& m, std::size_t bound, ChannelLabelsPtr l)
      : clock(c),
        metrics(m),
        max_known(bound),
        labels(std::move(l)),
        opened(m.counter("tribune_access_sessions_opened_total", "Sessions opened.")),
        adopted(m.counter("tribune_access_sessions_adopted_total",
                          "Sessions of an earlier run of the process that were adopted by their token.")),
        refused(m.counter("tribune_access_sessions_refused_total",
                          "Sessions not opened because the maximum number of known sessions was reached.")),
        released(m.counter("tribune_access_sessions_released_total",
                           "Sessions that were released because they were stopped or not renewed in time.")) {}

  Shard& shard_of(SessionId id) { return shards.of(id); }

  /// Counts one more known session. False when the bound is reached.
  bool reserve_slot() {
    auto now = known.load(std::memory_order_relaxed);
    while (now < max_known)
      if (known.compare_exchange_weak(now, now + 1, std::memory_order_relaxed)) return true;
    return false;
  }

  ByChannel::value_type& channel_in(Shard& shard, std::string_view name) {
    auto found = shard.channels.find(name);
    if (found == shard.channels.end()) {
      auto gauge = metrics.gauge("tribune_access_sessions", "Open sessions.",
                                 {{"channel", labels ? labels->of(name) : std::string(name)}});
      found = shard.channels.emplace(std::string(name), ChannelSessions{0, gauge}).first;
    }
    return *found;
  }

  void insert(Shard& shard, SessionId id, std::string_view channel, base::SteadyTime deadline) {
    auto& watched = channel_in(shard, channel);
    const auto second = second_of(deadline);
    shard.sessions.emplace(id, Session{&watched, deadline, second, deadline});
    shard.due[second].push_back(id);
    ++watched.second.sessions;
    watched.second.gauge.add(1);
  }

  void remove(Shard& shard, std::unordered_map<SessionId, Session>::iterator found) {
    auto& watched = found->second.channel->second;
    --watched.sessions;
    watched.gauge.add(-1);
    shard.sessions.erase(found);
    known.fetch_sub(1, std::memory_order_relaxed);
    released.add();
  }

  /// Removes the list of the first second if that second has passed, and returns its ids; else empty.
  std::pair<std::int64_t, std::vector<SessionId>> remove_due(Shard& shard, std::int64_t now_second) {
    const std::lock_guard lock(shard.mutex);
    const auto first = shard.due.begin();
    if (first == shard.due.end() || first->first >= now_second) return {};
    std::pair<std::int64_t, std::vector<SessionId>> taken(first->first, std::move(first->second));
    shard.due.erase(first);
    return taken;
  }

  /// True when the session is overdue: it is in no list any more and must be released now. Other sessions move to a
  /// later list.
  bool examine(Shard& shard, SessionId id, std::int64_t second, base::SteadyTime now) {
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.sessions.find(id);
    if (found == shard.sessions.end() || found->second.examined_at != second) return false;
    if (found->second.deadline <= now) return true;
    reschedule(shard, found);
    return false;
  }

  void reschedule(Shard& shard, std::unordered_map<SessionId, Session>::iterator found) {
    found->second.examined_at = second_of(found->second.deadline);
    shard.due[found->second.examined_at].push_back(found->first);
  }
};

Sessions::Sessions(const base::Clock& clock, base::Metrics& metrics, std::size_t max_known, ChannelLabelsPtr labels)
    : inner_(std::make_unique<Inner>(clock, metrics, max_known, std::move(labels))) {}
Sessions::~Sessions() = default;

std::optional<SessionId> Sessions::open(std::string_view channel, std::chrono::milliseconds idle) {
  if (!inner_->reserve_slot()) {
    inner_->refused.add();
    return std::nullopt;
  }
  const auto deadline = inner_->clock.steady_now() + idle;
  for (;;) {
    const auto id = base::random_u64();
    if (id == 0) continue;  // 0 means no session
    auto& shard = inner_->shard_of(id);
    const std::lock_guard lock(shard.mutex);
    if (shard.sessions.count(id)) continue;
    inner_->insert(shard, id, channel, deadline);
    inner_->opened.add();
    return id;
  }
}

Sessions::Renewal Sessions::renew(SessionId id, std::string_view channel, std::chrono::milliseconds idle) {
  const auto deadline = inner_->clock.steady_now() + idle;
  auto& shard = inner_->shard_of(id);
  const std::lock_guard lock(shard.mutex);
  if (const auto found = shard.sessions.find(id); found != shard.sessions.end()) {
    found->second.deadline = std::max(found->second.deadline, deadline);
    return Renewal::known;
  }
  if (!inner_->reserve_slot()) return Renewal::uncounted;
  inner_->insert(shard, id, channel, deadline);
  inner_->adopted.add();
  return Renewal::adopted;
}

bool Sessions::release(SessionId id) {
  auto& shard = inner_->shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.sessions.find(id);
  if (found == shard.sessions.end()) return false;
  inner_->remove(shard, found);
  return true;
}

bool Sessions::insert(SessionId id, std::string_view channel, std::chrono::milliseconds idle) {
  if (id == 0 || !inner_->reserve_slot()) return false;
  auto& shard = inner_->shard_of(id);
  const std::lock_guard lock(shard.mutex);
  if (shard.sessions.count(id)) {
    inner_->known.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  inner_->insert(shard, id, channel, inner_->clock.steady_now() + idle);
  inner_->opened.add();
  return true;
}

Sessions::Extension Sessions::extend(SessionId id, std::chrono::milliseconds idle) {
  const auto deadline = inner_->clock.steady_now() + idle;
  auto& shard = inner_->shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.sessions.find(id);
  if (found == shard.sessions.end()) return Extension::unknown;
  auto& session = found->second;
  session.deadline = std::max(session.deadline, deadline);
  if (idle <= kLongIdle || session.deadline - session.saved_deadline < idle / 4) return Extension::known;
  session.saved_deadline = session.deadline;
  return Extension::save_due;
}

SessionNetworks::Usage Sessions::record_network(SessionId id, std::uint32_t network, const NetworkRule& rule) {
  auto& shard = inner_->shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.sessions.find(id);
  return found == shard.sessions.end() ? SessionNetworks::Usage::allowed
                                       : found->second.networks.record(network, inner_->clock.steady_now(), rule);
}

ConcurrentViewing::Verdict Sessions::record_progress(SessionId id, std::uint32_t network,
                                                     std::optional<std::uint64_t> version,
                                                     const ConcurrencyRule& rule) {
  const auto now = inner_->clock.steady_now();
  auto& shard = inner_->shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.sessions.find(id);
  if (found == shard.sessions.end()) return {};
  auto& viewing = found->second.viewing;
  return version ? viewing.record(network, *version, now, rule)
                 : ConcurrentViewing::Verdict{.is_refused = viewing.is_refused(network, now, rule)};
}

bool Sessions::contains(SessionId id) const {
  auto& shard = inner_->shard_of(id);
  const std::lock_guard lock(shard.mutex);
  return shard.sessions.contains(id);
}

bool Sessions::shorten(SessionId id, std::chrono::milliseconds rest) {
  const auto deadline = inner_->clock.steady_now() + rest;
  auto& shard = inner_->shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.sessions.find(id);
  if (found == shard.sessions.end()) return false;
  if (found->second.deadline <= deadline) return true;
  found->second.deadline = found->second.saved_deadline = deadline;
  inner_->reschedule(shard, found);
  return true;
}

bool Sessions::is_full() const { return inner_->known.load(std::memory_order_relaxed) >= inner_->max_known; }

std::size_t Sessions::sweep(const std::function<void(SessionId)>& on_released) {
  std::size_t count = 0;
  for (const auto id : overdue()) {
    if (!release_overdue(id)) continue;
    ++count;
    if (on_released) on_released(id);
  }
  return count;
}

bool Sessions::release_overdue(SessionId id) {
  auto& shard = inner_->shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.sessions.find(id);
  if (found == shard.sessions.end()) return false;
  if (found->second.deadline > inner_->clock.steady_now()) {  // renewed meanwhile
    inner_->reschedule(shard, found);
    return false;
  }
  inner_->remove(shard, found);
  return true;
}

std::vector<SessionId> Sessions::overdue() {
  std::vector<SessionId> overdue;
  const auto now = inner_->clock.steady_now();
  for (auto& shard : inner_->shards) {
    for (;;) {
      const auto [second, ids] = inner_->remove_due(shard, second_of(now));
      if (ids.empty()) break;
      for (const auto id : ids) {
        if (inner_->examine(shard, id, second, now)) overdue.push_back(id);
      }
    }
  }
  return overdue;
}

std::size_t Sessions::count() const { return inner_->known.load(std::memory_order_relaxed); }

std::size_t Sessions::count(std::string_view channel) const {
  std::size_t sum = 0;
  for (const auto& shard : inner_->shards) {
    const std::lock_guard lock(shard.mutex);
    if (const auto found = shard.channels.find(channel); found != shard.channels.end()) sum += found->second.sessions;
  }
  return sum;
}

}  // namespace tribune::access
