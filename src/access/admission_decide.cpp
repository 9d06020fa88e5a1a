#include <algorithm>
#include <cstring>
#include <utility>

#include "access/admission_inner.h"
#include "base/hash.h"
#include "base/ids.h"

namespace tribune::access {
namespace {

using namespace std::chrono_literals;

constexpr auto kSoon = 250ms;  // for who is called but not yet on disk
constexpr std::uint64_t kSlackOfSilent = 65'536;
constexpr std::uint64_t kMostUnknown = 4'000'000;  // numbers of former runs that nobody showed yet, 32 bytes each:
                                                   // thousands of crashes with no room in between

/// The interval and up to a fifth of it, so that those who came together do not ask together for ever.
std::chrono::milliseconds spread(std::chrono::milliseconds interval, std::uint64_t number) {
  return interval + interval * static_cast<std::int64_t>((base::multiplicative_hash(number) >> 32) % 201) / 1'000;
}

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
  set.each([&](const Scope& scope) {
    may = may && !scope.is_contested && scope.has_room(queue.kbps) && !(is_grace && scope.has_limit());
  });
  return may;
}

/// A called ticket has its room already. Unless a limit was lowered since, or the drill is on.
bool Admission::Inner::may_claim(const ScopeSet& set) const {
  bool may = !sessions.is_full();
  set.each([&](const Scope& scope) {
    if (scope.drill.is_closed) may = false;
    if (scope.limit.max_sessions && scope.sessions + scope.drill.extra_sessions + 1 > *scope.limit.max_sessions)
      may = false;
  });
  return may;
}

Account* Admission::Inner::full_account(const Visitor& visitor) {
  if (visitor.account.empty() || !limits.max_sessions_per_account) return nullptr;
  if (*limits.max_sessions_per_account == 0) return &nobody;
  const auto found = accounts.find(std::string(visitor.account));
  if (found == accounts.end() ||
      static_cast<std::int64_t>(found->second.devices.size()) < *limits.max_sessions_per_account)
    return nullptr;
  return &found->second;
}

bool Admission::Inner::is_unheard_account(const Visitor& visitor) const {
  return !visitor.account.empty() && limits.max_sessions_per_account && is_in_grace(clock.steady_now());
}

namespace {

Refused account_full(const Account& account) {
  Refused refused{DenyReason::account_full};
  for (const auto& device : account.devices) refused.devices.push_back(device.name);
  return refused;
}

}  // namespace

namespace {

Refused too_many_sessions() { return {DenyReason::too_many_sessions, {}, 60s}; }

}  // namespace

std::optional<ScopeSet> Admission::Inner::entrance(const ChannelQueue& queue, const AccountSessionList& places) {
  for (const auto& place : places)
    if (const auto set = scopes_at(queue, place); may_enter(queue, set)) return set;
  return std::nullopt;
}

Decision Admission::Inner::newcomer(ChannelQueue& queue, const Visitor& visitor, std::chrono::milliseconds idle) {
  const auto places = places_of(visitor);
  auto* account = full_account(visitor);
  if (account && (limits.account_rule == AccountRule::refuse || account->devices.empty()))
    return account_full(*account);
  if (is_address_full(visitor, account)) return too_many_sessions();
  if (is_unheard_account(visitor)) return join(queue, visitor, places);
  Granted result;
  std::optional<ScopeSet> set;
  if (account) {
    // The oldest device's room is the newest one's, when it is of the same channel: nobody else is let in or kept out
    // by it.
    const auto oldest = account->devices.front().session;
    const auto held = holdings.at(oldest).scopes;
    const bool is_same = held.channel == queue.scope &&
                         std::count(places.begin(), places.end(), AccountSessionScopes{held.group, held.node}) > 0;
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
  if (!open(result.session, visitor, *set, queue.kbps, idle)) return Refused{DenyReason::busy};
  granted.add();
  return result;
}

Decision Admission::Inner::join(ChannelQueue& queue, const Visitor& visitor, const AccountSessionList& places) {
  Lane* lane = queue.lanes.front().get();
  for (const auto& candidate : queue.lanes)
    if (candidate->name == visitor.lane) lane = candidate.get();
  const auto most = static_cast<std::uint64_t>(settings.max_queue);
  const auto most_in_line = 4 * most + kSlackOfSilent;
  if (queue.waiting() >= most || lane->line.heard_in_line() >= most_in_line ||
      lane->line.in_line() >= most_in_line + kMostUnknown) {
    const auto rate = lane->line.calls_per_second();
    const auto come_back = rate ? std::clamp(static_cast<double>(most) / 10 / *rate, 10.0, 3'600.0) : 60.0;
    return Refused{DenyReason::queue_full, {}, std::chrono::seconds(static_cast<std::int64_t>(come_back))};
  }
  const auto client = client_of(visitor);
  if (client != 0) {
    const auto found = clients.find(client);
    if (found != clients.end() && found->second >= settings.max_tickets_per_address)
      return Refused{DenyReason::too_many_tickets, {}, 60s};
  }
  if (lane->line.next() >= lane->disk.reserved) write_behind(*lane);
  if (lane->line.next() >= lane->disk.reserved || is_stopping) return Refused{DenyReason::busy, {}, 1s};
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
  if (is_turn_over)
    answer.retry_after = std::min<std::chrono::milliseconds>(
        settings.refresh, lane.line.place_of(ticket.number) > lane.disk.served ? kSoon : 2s);
  const bool is_moving = queue.is_open && !queue.scope->drill.is_closed && !scopes.global().drill.is_closed &&
                         !is_in_grace(clock.steady_now());
  if (const auto rate = lane.line.calls_per_second(); rate && is_moving && !is_turn_over) {
    answer.eta = std::chrono::seconds(static_cast<std::int64_t>(static_cast<double>(answer.ahead + 1) / *rate + 0.999));
  }
  return answer;
}

void Admission::Inner::hear(Lane& lane, const Visitor& visitor, const TicketClaim& ticket, TicketEntry& entry) {
  const auto now = clock.steady_now();
  entry.heard = TicketQueue::ticks(now);
  if (entry.state != TicketState::unknown && entry.state != TicketState::silent) return;
  if (entry.state == TicketState::unknown) {
    entry.session = ticket.session;
    entry.client = client_of(visitor);
    entry.joined = TicketQueue::ticks(now);
  }
  if (entry.client != 0) ++clients[entry.client];
  lane.line.set_state(ticket.number, TicketState::waiting);
}

Decision Admission::Inner::holder(ChannelQueue& queue, const Visitor& asking, const TicketClaim& ticket,
                                  std::chrono::milliseconds idle) {
  auto visitor = asking;
  if (ticket.issued > 0 && (visitor.opened == 0 || ticket.issued < visitor.opened))
    visitor.opened = ticket.issued;  // its oldest pass
  if (ticket.lane >= queue.lanes.size()) return Refused{DenyReason::ticket_unknown};
  auto& lane = *queue.lanes[ticket.lane];
  auto& line = lane.line;
  if (ticket.queue != line.queue() || ticket.number == 0 || ticket.number >= line.next())
    return Refused{DenyReason::ticket_unknown};
  auto* entry = line.find(ticket.number);
  if (!entry) return spent(queue, visitor, ticket, false, idle);
  if (entry->state >= TicketState::done)
    return spent(queue, visitor, ticket, entry->state == TicketState::claimed, idle);
  const bool is_late = entry->state == TicketState::unknown && line.place_of(ticket.number) <= line.served();
  if (entry->state != TicketState::unknown && entry->session != ticket.session)
    return Refused{DenyReason::ticket_unknown};
  if (is_late) {
    // Of a former run, and its turn came before it was heard again: first as soon as there is room.
    entry->session = ticket.session;
    entry->joined = TicketQueue::ticks(clock.steady_now());
    line.set_state(ticket.number, TicketState::passed);
    pass(queue, lane, ticket.number, *entry);
    has_changed = true;
  }
  replace(queue, lane, ticket.number, *entry, visitor);
  const auto heard_before = entry->state == TicketState::called ? std::optional(entry->heard) : std::nullopt;
  hear(lane, visitor, ticket, *entry);
  catch_up();
  entry = line.find(ticket.number);
  const bool is_on_disk = line.place_of(ticket.number) <= lane.disk.served;
  if (entry->state == TicketState::called && is_on_disk) {
    auto decision = claim(queue, lane, visitor, ticket, *entry, idle);
    // Who is refused keeps the room that was kept for the ticket no longer by asking.
    if (heard_before && std::holds_alternative<Refused>(decision)) entry->heard = *heard_before;
    return decision;
  }
  return queued(queue, lane, ticket, false);
}

/// Its turn is over: it is worth no more than a session token, but for one that a former run had called.
Decision Admission::Inner::spent(ChannelQueue& queue, const Visitor& visitor, const TicketClaim& ticket,
                                 bool was_claimed, std::chrono::milliseconds idle) {
  const bool is_over = past.is_ended(ticket.session);
  const Refused too_late{was_claimed || is_over ? DenyReason::ticket_used : DenyReason::ticket_expired};
  if (is_over || is_expired(ticket.session, ticket.issued)) return too_late;
  const bool is_of_former_run = is_in_grace(clock.steady_now()) && !was_claimed;
  const auto places = places_of(visitor);
  const auto set = is_of_former_run ? way_back(queue, places) : entrance(queue, places);
  if (!set) return too_late;
  if (auto* account = full_account(visitor)) return account_full(*account);
  if (is_address_full(visitor)) return too_many_sessions();
  if (!open(ticket.session, visitor, *set, queue.kbps, idle)) return too_late;
  return Granted{ticket.session, !is_of_former_run, name_of(*set)};
}

Decision Admission::Inner::claim(ChannelQueue& queue, Lane& lane, const Visitor& visitor, const TicketClaim& ticket,
                                 TicketEntry& entry, std::chrono::milliseconds idle) {
  const auto set = scopes_of(queue, entry);
  Granted result{ticket.session, true, name_of(set)};
  auto* account = full_account(visitor);
  if (account && (limits.account_rule == AccountRule::refuse || account->devices.empty()))
    return account_full(*account);
  if (is_address_full(visitor, account)) return too_many_sessions();
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
  lane.waited.observe(static_cast<double>(TicketQueue::ticks(clock.steady_now()) - entry.joined) / 10);
  lane.line.set_state(ticket.number, TicketState::claimed);
  record("ticket_claimed", lane, ticket.number);
  granted.add();
  return result;
}

/// False when it was no place any more.
bool Admission::Inner::give_up(std::string_view id, const TicketClaim& ticket) {
  auto& queue = channel(id);
  if (ticket.lane >= queue.lanes.size() || queue.lanes[ticket.lane]->line.queue() != ticket.queue) return false;
  auto& lane = *queue.lanes[ticket.lane];
  auto* entry = lane.line.find(ticket.number);
  if (!entry || entry->state >= TicketState::done ||
      (entry->state != TicketState::unknown && entry->session != ticket.session))
    return false;
  if (entry->state == TicketState::called) keep(scopes_of(queue, *entry), queue.kbps, -1);
  if (entry->state == TicketState::waiting) forget_client(*entry);
  lane.line.set_state(ticket.number, TicketState::done);
  record("ticket_given_up", lane, ticket.number);
  has_changed = true;
  return true;
}

void Admission::Inner::record(std::string_view event, const Lane& lane, std::uint64_t number) {
  if (!log.wants(base::LogLevel::debug)) return;
  const auto& all = scopes.global();
  log.debug("access", event,
            {{"queue", lane.disk.key},
             {"number", number},
             {"waiting", lane.line.waiting()},
             {"sessions", all.sessions},
             {"limit", all.limit.max_sessions.value_or(kNoLimit)},
             {"kept", all.kept}});
}

}  // namespace tribune::access
