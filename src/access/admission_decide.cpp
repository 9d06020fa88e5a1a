#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "access/admission_inner.h"
#include "base/ids.h"

namespace tribune::access {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostEnded = 100'000;
constexpr auto kSoon = 250ms;                     // for who is called but not yet on disk
constexpr std::uint64_t kSlackOfSilent = 65'536;

std::uint64_t client_of(const Visitor& visitor) {
  return visitor.client.empty() ? 0 : std::hash<std::string_view>{}(visitor.client) | 1;
}

/// The interval and up to a fifth of it, so that those who came together do not ask together for ever.
std::chrono::milliseconds spread(std::chrono::milliseconds interval, std::uint64_t number) {
  return interval + interval * static_cast<std::int64_t>((number * 0x9e3779b97f4a7c15ull >> 32) % 201) / 1'000;
}

std::string_view name_of(const ScopeSet& set) { return set.node ? std::string_view(set.node->id) : ""; }

}  // namespace

SessionId Admission::Inner::new_id() {
  for (;;) {
    if (ids.empty()) {
      const auto bytes = base::random_bytes(256 * sizeof(SessionId));
      ids.resize(256);
      std::memcpy(ids.data(), bytes.data(), bytes.size());
    }
    const auto id = ids.back();
    ids.pop_back();
    if (id != 0 && !holdings.contains(id)) return id;
  }
}

bool Admission::Inner::may_enter(const ChannelQueue& queue, const ScopeSet& set) const {
  if (!queue.is_open || sessions.is_full() || has_backlog) return false;
  const bool is_grace = is_in_grace(clock.steady_now());
  bool may = true;
  set.each([&](const Scope& scope) { may = may && !scope.is_contested && scope.has_room(queue.kbps) && !(is_grace && scope.has_limit()); });
  return may;
}

/// A called ticket has its room already. Unless a limit was lowered since, or the drill is on.
bool Admission::Inner::may_claim(const ScopeSet& set) const {
  bool may = !sessions.is_full();
  set.each([&](const Scope& scope) {
    if (scope.drill.is_closed) may = false;
    if (scope.limit.max_sessions && scope.sessions + scope.drill.extra_sessions + 1 > *scope.limit.max_sessions) may = false;
  });
  return may;
}

Account* Admission::Inner::full_account(const Visitor& visitor) {
  if (visitor.account.empty() || !limits.max_sessions_per_account) return nullptr;
  if (*limits.max_sessions_per_account == 0) return &nobody;
  const auto found = accounts.find(std::string(visitor.account));
  if (found == accounts.end() || static_cast<std::int64_t>(found->second.devices.size()) < *limits.max_sessions_per_account) return nullptr;
  return &found->second;
}

bool Admission::Inner::is_unheard_account(const Visitor& visitor) const {
  return !visitor.account.empty() && limits.max_sessions_per_account && is_in_grace(clock.steady_now());
}

namespace {

Refused account_full(const Account& account) {
  Refused refused{Refusal::account_full};
  for (const auto& device : account.devices) refused.devices.push_back(device.name);
  return refused;
}

}  // namespace

std::optional<ScopeSet> Admission::Inner::entrance(const ChannelQueue& queue, const PlaceList& places) {
  for (const auto& place : places)
    if (const auto set = scopes_at(queue, place); may_enter(queue, set)) return set;
  return std::nullopt;
}

Decision Admission::Inner::newcomer(ChannelQueue& queue, const Visitor& visitor, std::chrono::milliseconds idle) {
  const auto places = places_of(visitor);
  auto* account = full_account(visitor);
  if (account && (limits.account_rule == AccountRule::refuse || account->devices.empty())) return account_full(*account);
  if (is_unheard_account(visitor)) return join(queue, visitor, places);
  Granted result;
  std::optional<ScopeSet> set;
  if (account) {
    // The oldest device's room is the newest one's, when it is of the same channel: nobody else is let in or kept out by it.
    const auto oldest = account->devices.front().session;
    const auto held = holdings.at(oldest).scopes;
    const bool is_same = held.channel == queue.scope && std::count(places.begin(), places.end(), PlaceScopes{held.group, held.node}) > 0;
    set = is_same ? held : entrance(queue, places);
    if (!set) return join(queue, visitor, places);
    end(oldest);
    result.replaced.push_back(oldest);
  } else {
    set = entrance(queue, places);
    if (!set) return join(queue, visitor, places);
  }
  result.session = new_id();
  result.node = name_of(*set);
  if (!open(result.session, visitor, *set, queue.kbps, idle)) return Refused{Refusal::busy};
  granted.add();
  return result;
}

Decision Admission::Inner::join(ChannelQueue& queue, const Visitor& visitor, const PlaceList& places) {
  Lane* lane = queue.lanes.front().get();
  for (const auto& candidate : queue.lanes)
    if (candidate->name == visitor.lane) lane = candidate.get();
  const auto most = static_cast<std::uint64_t>(settings.max_queue);
  if (queue.waiting() >= most || lane->line.in_line() >= 4 * most + kSlackOfSilent) {
    const auto rate = lane->line.calls_per_second();
    const auto come_back = rate ? std::clamp(static_cast<double>(most) / 10 / *rate, 10.0, 3'600.0) : 60.0;
    return Refused{Refusal::queue_full, {}, std::chrono::seconds(static_cast<std::int64_t>(come_back))};
  }
  const auto client = client_of(visitor);
  if (client != 0) {
    const auto found = clients.find(client);
    if (found != clients.end() && found->second >= settings.max_tickets_per_address) return Refused{Refusal::too_many_tickets, {}, 60s};
  }
  if (lane->line.next() >= lane->disk.reserved) {
    write_behind(*lane);
    if (lane->line.next() >= lane->disk.reserved) return Refused{Refusal::busy, {}, 1s};
  }
  TicketClaim ticket{lane->line.queue(), lane->index, 0, new_id()};
  if (client != 0) ++clients[client];
  ticket.number = lane->line.join(ticket.session, client, lists.number(places), clock.steady_now());
  write_behind(*lane);
  queued_new.add();
  record("ticket_given", *lane, ticket.number);
  return queued(queue, *lane, ticket, true);
}

Queued Admission::Inner::queued(const ChannelQueue& queue, Lane& lane, const TicketClaim& ticket, bool is_new) {
  Queued answer;
  answer.ticket = ticket;
  answer.is_new = is_new;
  answer.lane = lane.name;
  answer.served = lane.line.served();
  answer.ahead = lane.line.ahead_of(ticket.number);
  answer.retry_after = spread(settings.refresh, ticket.number);
  const bool is_turn_over = lane.line.place_of(ticket.number) <= lane.line.served();
  if (is_turn_over) answer.retry_after = std::min<std::chrono::milliseconds>(settings.refresh, lane.line.place_of(ticket.number) > lane.disk.served ? kSoon : 2s);
  const bool is_moving = queue.is_open && !queue.scope->drill.is_closed && !scopes.global().drill.is_closed && !is_in_grace(clock.steady_now());
  if (const auto rate = lane.line.calls_per_second(); rate && is_moving && !is_turn_over) {
    answer.eta = std::chrono::seconds(static_cast<std::int64_t>(static_cast<double>(answer.ahead + 1) / *rate + 0.999));
  }
  return answer;
}

void Admission::Inner::hear(Lane& lane, const Visitor& visitor, const TicketClaim& ticket, TicketEntry& entry) {
  const auto now = clock.steady_now();
  entry.heard = Line::ticks(now);
  if (entry.state != TicketState::unknown && entry.state != TicketState::silent) return;
  if (entry.state == TicketState::unknown) {
    entry.session = ticket.session;
    entry.client = client_of(visitor);
    entry.joined = Line::ticks(now);
  }
  if (entry.client != 0) ++clients[entry.client];
  lane.line.set_state(ticket.number, TicketState::waiting);
}

Decision Admission::Inner::holder(ChannelQueue& queue, const Visitor& visitor, const TicketClaim& ticket, std::chrono::milliseconds idle) {
  if (ticket.lane >= queue.lanes.size()) return Refused{Refusal::ticket_unknown};
  auto& lane = *queue.lanes[ticket.lane];
  auto& line = lane.line;
  if (ticket.queue != line.queue() || ticket.number == 0 || ticket.number >= line.next()) return Refused{Refusal::ticket_unknown};
  auto* entry = line.find(ticket.number);
  if (!entry) return spent(queue, visitor, ticket, false, idle);
  if (entry->state >= TicketState::done) return spent(queue, visitor, ticket, entry->state == TicketState::claimed, idle);
  const bool is_late = entry->state == TicketState::unknown && line.place_of(ticket.number) <= line.served();
  if (entry->state != TicketState::unknown && entry->session != ticket.session) return Refused{Refusal::ticket_unknown};
  if (is_late) {
    // Of a former run, and its turn came before it was heard again: first as soon as there is room.
    entry->session = ticket.session;
    entry->joined = Line::ticks(clock.steady_now());
    line.set_state(ticket.number, TicketState::passed);
    pass(queue, lane, ticket.number, *entry);
    has_changed = true;
  }
  replace(queue, lane, ticket.number, *entry, visitor);
  hear(lane, visitor, ticket, *entry);
  catch_up();
  entry = line.find(ticket.number);
  const bool is_on_disk = line.place_of(ticket.number) <= lane.disk.served;
  if (entry->state == TicketState::called && is_on_disk) return claim(queue, lane, visitor, ticket, *entry, idle);
  return queued(queue, lane, ticket, false);
}

/// Its turn is over: it is worth no more than no ticket, but for one that a former run had called.
Decision Admission::Inner::spent(ChannelQueue& queue, const Visitor& visitor, const TicketClaim& ticket, bool was_claimed,
                                 std::chrono::milliseconds idle) {
  const Refused too_late{was_claimed || ended.contains(ticket.session) ? Refusal::ticket_used : Refusal::ticket_expired};
  if (ended.contains(ticket.session)) return too_late;
  const bool is_of_former_run = is_in_grace(clock.steady_now()) && !was_claimed;
  const auto places = places_of(visitor);
  auto set = entrance(queue, places);
  if (is_of_former_run) {
    set.reset();
    for (auto place = places.begin(); place != places.end() && !set; ++place)
      if (const auto there = scopes_at(queue, *place); may_claim(there)) set = there;
  }
  if (!set) return too_late;
  if (auto* account = full_account(visitor)) return account_full(*account);
  if (!open(ticket.session, visitor, *set, queue.kbps, idle)) return too_late;
  return Granted{ticket.session, !is_of_former_run, name_of(*set)};
}

Decision Admission::Inner::claim(ChannelQueue& queue, Lane& lane, const Visitor& visitor, const TicketClaim& ticket, TicketEntry& entry,
                                 std::chrono::milliseconds idle) {
  const auto set = scopes_of(queue, entry);
  Granted result{ticket.session, true, name_of(set)};
  auto* account = full_account(visitor);
  if (account && (limits.account_rule == AccountRule::refuse || account->devices.empty())) return account_full(*account);
  if (!may_claim(set)) return queued(queue, lane, ticket, false);
  if (account) {
    result.replaced.push_back(account->devices.front().session);
    end(result.replaced.front());
  }
  keep(set, queue.kbps, -1);
  if (!open(ticket.session, visitor, set, queue.kbps, idle)) {
    keep(set, queue.kbps, 1);
    return queued(queue, lane, ticket, false);
  }
  lane.claimed.add();
  lane.waited.observe(static_cast<double>(Line::ticks(clock.steady_now()) - entry.joined) / 10);
  lane.line.set_state(ticket.number, TicketState::claimed);
  record("ticket_claimed", lane, ticket.number);
  granted.add();
  return result;
}

bool Admission::Inner::open(SessionId id, const Visitor& visitor, const ScopeSet& set, std::int64_t kbps, std::chrono::milliseconds idle) {
  if (!sessions.insert(id, visitor.channel, idle)) return false;
  hold(id, visitor, set, kbps);
  record("session_opened", set);
  return true;
}

void Admission::Inner::record(std::string_view event, const ScopeSet& set) {
  if (!log.wants(base::LogLevel::debug)) return;
  const auto& all = *set.global;
  log.debug("access", event, {{"channel", set.channel->id}, {"sessions", all.sessions}, {"limit", all.limit.max_sessions.value_or(kNoLimit)}, {"kept", all.kept},
                              {"channel_sessions", set.channel->sessions}, {"channel_limit", set.channel->limit.max_sessions.value_or(kNoLimit)},
                              {"node", name_of(set)}});
}

void Admission::Inner::record(std::string_view event, const Lane& lane, std::uint64_t number) {
  if (!log.wants(base::LogLevel::debug)) return;
  const auto& all = scopes.global();
  log.debug("access", event, {{"queue", lane.disk.key}, {"number", number}, {"waiting", lane.line.waiting()}, {"sessions", all.sessions},
                              {"limit", all.limit.max_sessions.value_or(kNoLimit)}, {"kept", all.kept}});
}

void Admission::Inner::hold(SessionId id, const Visitor& visitor, const ScopeSet& set, std::int64_t kbps) {
  drop(id);
  Holding holding{set, nullptr, kbps, true};
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
  young.emplace_back(clock.steady_now() + settings.traffic_settles, id);
  holdings.emplace(id, holding);
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
  const auto scopes_left = holding.scopes;
  holdings.erase(found);
  record("session_released", scopes_left);
  has_changed = true;
  return true;
}

void Admission::Inner::end(SessionId id) {
  sessions.release(id);
  drop(id);
  if (!ended.insert(id).second) return;
  ended_order.push_back(id);
  if (ended_order.size() <= kMostEnded) return;
  ended.erase(ended_order.front());
  ended_order.pop_front();
}

bool Admission::Inner::move(SessionId id, const PlaceScopes& to, bool must) {
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
  count(from.group, -1);
  count(from.node, -1);
  from.group = to.group;
  from.node = to.node;
  count(from.group, 1);
  count(from.node, 1);
  has_changed = true;
  return true;
}

}  // namespace tribune::access
