// The sessions that watch: what each of them takes up, and what is written down of it.

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "access/admission_inner.h"
#include "access/session_record.h"
#include "base/rendezvous.h"

namespace tribune::access {

/// The same in every process.
std::uint64_t client_of(const Visitor& visitor) {
  return visitor.client.empty() ? 0 : base::rendezvous_hash("client", visitor.client) | 1;
}

bool Admission::Inner::open(SessionId id, const Visitor& visitor, const ScopeSet& set, std::int64_t kbps,
                            std::chrono::milliseconds idle) {
  if (!sessions.insert(id, visitor.channel, idle)) return false;
  write_down(id, hold(id, visitor, set, kbps, idle));
  record("session_opened", set);
  return true;
}

/// As it was when the former process wrote it down. False when it cannot be known.
bool Admission::Inner::restore(SessionId id, const SessionRecord& kept) {
  auto& queue = channel(kept.channel);
  const auto now = base::unix_seconds(clock.wall_now());
  const auto rest = std::max<std::chrono::milliseconds>(settings.restart_grace, rest_of(kept, now));
  if (!sessions.insert(id, kept.channel, rest)) return false;
  const ScopeSet set =
      scopes_at(queue, {scopes.at(ScopeKind::group, kept.group), scopes.at(ScopeKind::node, kept.node)});
  const Visitor visitor{.channel = kept.channel, .account = kept.account, .device = kept.device, .opened = kept.opened};
  auto& holding = hold(id, visitor, set, kept.kbps, std::chrono::seconds{kept.idle_seconds});
  holding.client = kept.client;
  if (kept.client != 0) ++watching[kept.client];
  holding.until = kept.until;
  record("session_adopted", set);
  return true;
}

/// What the next process needs to know of it. A move or a longer life is written anew, a renewal is not.
void Admission::Inner::write_down(SessionId id, const SessionHolding& holding) {
  if (!store) return;
  const auto& set = holding.scopes;
  SessionRecord kept{.channel = set.channel->id,
                     .group = set.group ? set.group->id : "",
                     .node = set.node ? set.node->id : "",
                     .account = {},
                     .device = {},
                     .opened = holding.opened,
                     .until = holding.until,
                     .idle_seconds = holding.idle_seconds,
                     .kbps = holding.kbps,
                     .client = holding.client};
  if (holding.account) {
    kept.account = holding.account->first;
    for (const auto& device : holding.account->second.devices)
      if (device.session == id) kept.device = device.name;
  }
  ++unsaved;
  store->put(kSessionsTable, table_key(id), to_text(kept), [this](base::Status status) {
    --unsaved;
    if (!status) unwritten.add();
  });
}

void Admission::Inner::note_end(SessionId id, std::chrono::milliseconds idle) {
  const auto found = holdings.find(id);
  if (found == holdings.end()) return;
  found->second.last_for(idle, base::unix_seconds(clock.wall_now()));
  write_down(id, found->second);
}

void SessionHolding::last_for(std::chrono::milliseconds idle, std::int64_t now) {
  idle_seconds = std::chrono::ceil<std::chrono::seconds>(idle).count();
  until = now + idle_seconds;
}

void Admission::Inner::set_sharing() {
  most_networks = settings.max_networks_per_session;
  handover = settings.handover;
  sharing_rule = settings.sharing_rule;
}

std::optional<Admission::Renewal> Admission::Inner::hear_network(SessionId id, const Visitor& visitor) {
  if (visitor.network == 0) return std::nullopt;
  const auto hearing = sessions.hear(id, visitor.network, {most_networks, handover});
  if (hearing == SessionNetworks::Hearing::fine) return std::nullopt;
  shared.add();
  const auto rule = sharing_rule.load();
  if (hearing == SessionNetworks::Hearing::beyond) {
    const std::string_view outcome = rule == SharingRule::log      ? "served"
                                     : rule == SharingRule::refuse ? "refused"
                                                                   : "ended";
    log.warning("access", "session_shared",
                {{"session", fmt::format("{:016x}", id)},
                 {"channel", visitor.channel},
                 {"client", visitor.client},
                 {"outcome", outcome}});
  }
  if (rule == SharingRule::log) return std::nullopt;
  if (rule == SharingRule::refuse) return Renewal::shared;
  const std::lock_guard lock(mutex);
  end(id);
  return Renewal::ended;
}

bool Admission::Inner::is_address_full(const Visitor& visitor, const Account* leaving) {
  const auto client = client_of(visitor);
  const auto found = watching.find(client);
  if (settings.max_sessions_per_address == kNoLimit || client == 0) return false;
  auto sessions_there = found == watching.end() ? std::int64_t{0} : std::int64_t{found->second};
  if (leaving && !leaving->devices.empty() && holdings.at(leaving->devices.front().session).client == client)
    --sessions_there;
  if (sessions_there < settings.max_sessions_per_address) return false;
  address_full.add();
  const auto now = clock.steady_now();
  if (!address_told || now - *address_told >= std::chrono::seconds{10}) {
    address_told = now;
    log.warning("access", "address_full", {{"client", visitor.client}, {"sessions", sessions_there}});
  }
  return true;
}

/// Nothing says that the token was used since it was given out, and that is too long ago.
bool Admission::Inner::is_expired(SessionId id, std::int64_t issued) const {
  const auto now = base::unix_seconds(clock.wall_now());
  return issued > 0 && now - issued > lifetime_seconds() && !past.is_away(id, now);
}

/// Where a session that is not known may go on. While a former process's sessions are taken over no newcomer is let in,
/// and there is room beside all of those that were written down.
std::optional<ScopeSet> Admission::Inner::way_back(const ChannelQueue& queue, const NodeScopesList& places) {
  if (!is_in_grace(clock.steady_now())) return entrance(queue, places);
  if (sessions.is_full()) return std::nullopt;
  for (const auto& place : places)
    if (const auto set = scopes_at(queue, place); !set.full(queue.kbps)) return set;
  return std::nullopt;
}

void Admission::Inner::record(std::string_view event, const ScopeSet& set) {
  if (!log.wants(base::LogLevel::debug)) return;
  const auto& all = *set.global;
  log.debug("access", event,
            {{"channel", set.channel->id},
             {"sessions", all.sessions},
             {"limit", all.limit.max_sessions.value_or(kNoLimit)},
             {"kept", all.kept},
             {"channel_sessions", set.channel->sessions},
             {"channel_limit", set.channel->limit.max_sessions.value_or(kNoLimit)},
             {"node", name_of(set)}});
}

SessionHolding& Admission::Inner::hold(SessionId id, const Visitor& visitor, const ScopeSet& set, std::int64_t kbps,
                                       std::chrono::milliseconds idle) {
  drop(id);
  past.come_back(id);
  SessionHolding holding{.scopes = set, .kbps = kbps, .opened = visitor.opened, .client = client_of(visitor)};
  holding.last_for(idle, base::unix_seconds(clock.wall_now()));
  if (!visitor.account.empty()) {
    holding.account = &*accounts.try_emplace(std::string(visitor.account)).first;
    auto& devices = holding.account->second.devices;
    const auto is_before = [](std::int64_t opened, const Account::Device& device) { return opened < device.opened; };
    const auto place = std::upper_bound(devices.begin(), devices.end(), visitor.opened, is_before);
    devices.insert(place, {id, std::string(visitor.device), visitor.opened});
  }
  set.each([&](Scope& scope) {
    ++scope.sessions;
    scope.predicted_kbps += kbps;
    scope.young_kbps += kbps;
  });
  if (holding.client != 0) ++watching[holding.client];
  young.emplace_back(clock.steady_now() + settings.traffic_settles, id);
  return holdings.emplace(id, holding).first->second;
}

bool Admission::Inner::drop(SessionId id) {
  const auto found = holdings.find(id);
  if (found == holdings.end()) return false;
  const auto& holding = found->second;
  holding.scopes.each([&](Scope& scope) {
    --scope.sessions;
    scope.predicted_kbps -= holding.kbps;
    if (holding.is_young) scope.young_kbps -= holding.kbps;
  });
  if (holding.account) {
    auto& devices = holding.account->second.devices;
    std::erase_if(devices, [&](const auto& device) { return device.session == id; });
    if (devices.empty()) accounts.erase(std::string(holding.account->first));
  }
  if (const auto sessions_there = watching.find(holding.client);
      sessions_there != watching.end() && --sessions_there->second == 0)
    watching.erase(sessions_there);
  const auto scopes_left = holding.scopes;
  holdings.erase(found);
  if (store) store->erase(kSessionsTable, table_key(id));
  record("session_released", scopes_left);
  has_changed = true;
  return true;
}

/// Nobody renewed it: its token opens it again while it is good.
void Admission::Inner::lapse(SessionId id) {
  const auto found = holdings.find(id);
  if (found == holdings.end()) return;
  const auto now = base::unix_seconds(clock.wall_now());
  const auto opened = found->second.opened;
  if (opened > 0 && now - opened > lifetime_seconds() / 2) past.away(id, now + lifetime_seconds() / 2);
  drop(id);
}

void Admission::Inner::end(SessionId id) {
  take_back(id);
  past.end(id, base::unix_seconds(clock.wall_now()) + lifetime_seconds());
}

/// Nobody has a token of it.
void Admission::Inner::take_back(SessionId id) {
  sessions.release(id);
  drop(id);
}

bool Admission::Inner::move(SessionId id, const NodeScopes& to, bool must) {
  const auto found = holdings.find(id);
  if (found == holdings.end()) return true;
  auto& holding = found->second;
  auto& from = holding.scopes;
  const auto has_room = [&](const Scope* scope, const Scope* now) {
    return !scope || scope == now || (!scope->is_contested && scope->has_room(holding.kbps));
  };
  if (!must && !(has_room(to.group, from.group) && has_room(to.node, from.node))) return false;
  const auto count = [&](Scope* scope, int by) {
    if (!scope) return;
    scope->sessions += by;
    scope->predicted_kbps += by * holding.kbps;
    if (holding.is_young) scope->young_kbps += by * holding.kbps;
  };
  const bool has_moved = from.group != to.group || from.node != to.node;
  count(from.group, -1);
  count(from.node, -1);
  from.group = to.group;
  from.node = to.node;
  count(from.group, 1);
  count(from.node, 1);
  if (has_moved) write_down(id, holding);
  has_changed = true;
  return true;
}

}  // namespace tribune::access
