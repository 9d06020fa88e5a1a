#include "access/admission_decide.h"

#include <algorithm>

#include "base/hash.h"

namespace tribune::access {
namespace {

using namespace std::chrono_literals;

constexpr auto kUnconfirmedCallRetry = 250ms;  // retry interval for a called ticket whose call is not on disk yet
constexpr std::uint64_t kSilentSlack = 65'536;
constexpr std::uint64_t kMaxUnknown = 4'000'000;  // numbers of former runs that were not presented yet, 32 bytes each:
                                                  // thousands of crashes while the event is full

/// The interval plus up to a fifth of it, so that clients that came together do not keep polling together.
std::chrono::milliseconds spread(std::chrono::milliseconds interval, std::uint64_t number) {
  return interval + interval * static_cast<std::int64_t>((base::multiplicative_hash(number) >> 32) % 201) / 1'000;
}

Refused account_full(const WatchingAccount& account) {
  Refused refused{DenyReason::account_full};
  for (const auto& device : account.devices) refused.devices.push_back(device.name);
  return refused;
}

Refused too_many_sessions() { return {DenyReason::too_many_sessions, {}, 60s}; }

Refused queue_full(const QueueLane& lane, std::uint64_t max_queue) {
  const auto rate = lane.tickets.calls_per_second();
  const auto come_back = rate ? std::clamp(static_cast<double>(max_queue) / 10 / *rate, 10.0, 3'600.0) : 60.0;
  return {DenyReason::queue_full, {}, std::chrono::seconds(static_cast<std::int64_t>(come_back))};
}

std::string_view node_id(const ScopeSet& set) { return set.node ? std::string_view(set.node->id) : ""; }

/// Whether the ticket names this entry; the session of an unknown one is not known.
bool is_of(const TicketClaim& ticket, const TicketEntry& entry) {
  return entry.state == TicketState::unknown || entry.session == ticket.session;
}

TicketEntry* find_live(QueueLane* lane, const TicketClaim& ticket) {
  auto* entry = lane ? lane->tickets.find(ticket.number) : nullptr;
  return entry && entry->state < TicketState::done && is_of(ticket, *entry) ? entry : nullptr;
}

base::Counter decisions(base::Metrics& metrics, std::string_view outcome) {
  return metrics.counter("tribune_access_decisions_total",
                         "Admission decisions about new viewers and tickets that changed state, by outcome.",
                         {{"outcome", outcome}});
}

}  // namespace

AdmissionDecider::AdmissionDecider(const base::Clock& clock, base::Log& log, base::Metrics& metrics, const Parts& parts)
    : clock_(clock),
      log_(log),
      p_(parts),
      granted_(decisions(metrics, "granted")),
      queued_(decisions(metrics, "queued")) {}

std::optional<ScopeSet> AdmissionDecider::find_for_newcomer(const ChannelQueue& queue, const NodeScopesList& nodes) {
  if (!queue.is_open() || !p_.store.has_begun()) return std::nullopt;
  return p_.capacity.find_for_newcomer(queue.scope, queue.kbps, nodes);
}

std::optional<ScopeSet> AdmissionDecider::find_for_returning(const ChannelQueue& queue, const NodeScopesList& nodes) {
  if (!p_.capacity.is_in_grace() && p_.store.has_begun()) return find_for_newcomer(queue, nodes);
  return p_.capacity.find_for_restored(queue.scope, queue.kbps, nodes);
}

Decision AdmissionDecider::newcomer(ChannelQueue& queue, const Visitor& visitor, std::chrono::milliseconds idle) {
  const auto nodes = p_.capacity.nodes_of(visitor);
  const auto* account = p_.sessions.full_account(visitor);
  if (account && (p_.capacity.limits().account_rule == AccountRule::refuse || account->devices.empty()))
    return account_full(*account);
  if (p_.sessions.is_address_full(visitor, account)) return too_many_sessions();
  if (p_.sessions.is_account_incomplete(visitor)) return enqueue(queue, visitor, nodes);
  Granted result;
  std::optional<ScopeSet> scopes;
  if (account) {
    // The new device takes the capacity of the oldest one when that watches the same channel on one of the nodes: other
    // visitors are not affected.
    const auto oldest = account->devices.front().session;
    const auto held = p_.sessions.scopes_of(oldest);
    const bool is_same =
        held.channel == queue.scope && std::count(nodes.begin(), nodes.end(), NodeScopes{held.group, held.node}) > 0;
    scopes = is_same ? held : find_for_newcomer(queue, nodes);
    if (!scopes) return enqueue(queue, visitor, nodes);
    p_.sessions.end(oldest);
    result.replaced.push_back(oldest);
  } else {
    scopes = find_for_newcomer(queue, nodes);
    if (!scopes) return enqueue(queue, visitor, nodes);
  }
  result.session = p_.sessions.new_id();
  result.node = node_id(*scopes);
  if (!p_.sessions.open(result.session, visitor, *scopes, queue.kbps, idle)) return Refused{DenyReason::busy};
  granted_.add();
  return result;
}

Decision AdmissionDecider::enqueue(ChannelQueue& queue, const Visitor& visitor, const NodeScopesList& nodes) {
  auto& lane = queue.lane_named(visitor.lane);
  auto& tickets = lane.tickets;
  const auto max_queue = static_cast<std::uint64_t>(p_.settings.max_queue);
  const auto max_unserved = 4 * max_queue + kSilentSlack;
  if (queue.waiting() >= max_queue || tickets.known_unserved() >= max_unserved ||
      tickets.unserved() >= max_unserved + kMaxUnknown)
    return queue_full(lane, max_queue);
  const auto client = client_hash(visitor);
  if (p_.ticket_addresses.of(client) >= p_.settings.max_tickets_per_address)
    return Refused{DenyReason::too_many_tickets, {}, 60s};
  if (!lane.may_issue()) p_.store.save_lane(lane);
  if (!lane.may_issue() || p_.store.is_stopping()) return Refused{DenyReason::busy, {}, 1s};
  TicketClaim ticket{tickets.queue(), lane.index, 0, p_.sessions.new_id()};
  p_.ticket_addresses.add(client);
  ticket.number = tickets.add(ticket.session, client, p_.capacity.node_lists().number(nodes), clock_.steady_now());
  p_.store.save_lane(lane);
  queued_.add();
  log("ticket_given", lane, ticket.number);
  return queued(queue, lane, ticket, true);
}

Queued AdmissionDecider::queued(const ChannelQueue& queue, QueueLane& lane, const TicketClaim& ticket,
                                bool is_new) const {
  Queued result;
  result.ticket = ticket;
  result.is_new = is_new;
  result.lane = lane.name;
  result.served = lane.tickets.served();
  result.ahead = lane.tickets.ahead_of(ticket.number);
  result.retry_after = spread(p_.settings.refresh, ticket.number);
  const bool is_served = lane.is_served(ticket.number);
  if (is_served)
    result.retry_after = std::min<std::chrono::milliseconds>(
        p_.settings.refresh, lane.is_served_on_disk(ticket.number) ? 2s : kUnconfirmedCallRetry);
  const bool is_moving = queue.is_open() && !queue.scope->drill.is_closed &&
                         !p_.capacity.scopes().global().drill.is_closed && !p_.capacity.is_in_grace();
  if (const auto rate = lane.tickets.calls_per_second(); rate && is_moving && !is_served)
    result.eta = std::chrono::seconds(static_cast<std::int64_t>(static_cast<double>(result.ahead + 1) / *rate + 0.999));
  return result;
}

/// Records a poll of the ticket's holder.
void AdmissionDecider::record_poll(QueueLane& lane, const Visitor& visitor, const TicketClaim& ticket,
                                   TicketEntry& entry) {
  const auto now = TicketQueue::ticks(clock_.steady_now());
  entry.last_poll = now;
  if (entry.state != TicketState::unknown && entry.state != TicketState::silent) return;
  if (entry.state == TicketState::unknown) {
    entry.session = ticket.session;
    entry.client = client_hash(visitor);
    entry.joined = now;
  }
  p_.ticket_addresses.add(entry.client);
  lane.tickets.set_state(ticket.number, TicketState::waiting);
}

/// Updates the nodes where a waiting visitor may watch. A called ticket keeps its node.
void AdmissionDecider::update_nodes(ChannelQueue& queue, QueueLane& lane, std::uint64_t number, TicketEntry& entry,
                                    const Visitor& visitor) {
  if (visitor.node.empty() || entry.state == TicketState::called) return;
  auto& lists = p_.capacity.node_lists();
  const auto nodes = p_.capacity.nodes_of(visitor);
  if (nodes == lists.at(entry.node_list)) return;
  const auto list = lists.number(nodes);
  if (list == entry.node_list) return;
  const bool is_deferred = entry.state == TicketState::deferred;
  if (is_deferred) queue.remove_deferred(lane, number, entry);
  entry.node_list = list;
  if (!is_deferred) return;
  queue.defer(lane, number, entry);
  p_.capacity.mark_changed();
}

Decision AdmissionDecider::ticket_holder(ChannelQueue& queue, const Visitor& asking, const TicketClaim& ticket,
                                         std::chrono::milliseconds idle) {
  auto visitor = asking;
  if (ticket.issued > 0 && (visitor.opened == 0 || ticket.issued < visitor.opened))
    visitor.opened = ticket.issued;  // the oldest of its tokens and tickets
  auto* found = queue.lane_of(ticket);
  if (!found || ticket.number == 0 || ticket.number >= found->tickets.next())
    return Refused{DenyReason::ticket_unknown};
  auto& lane = *found;
  auto* entry = lane.tickets.find(ticket.number);
  if (!entry) return after_its_turn(queue, visitor, ticket, false, idle);
  if (entry->state >= TicketState::done)
    return after_its_turn(queue, visitor, ticket, entry->state == TicketState::claimed, idle);
  if (!is_of(ticket, *entry)) return Refused{DenyReason::ticket_unknown};
  if (entry->state == TicketState::unknown && lane.is_served(ticket.number)) {
    // A ticket of a former run whose turn came before it was presented is the first to be called.
    entry->session = ticket.session;
    entry->joined = TicketQueue::ticks(clock_.steady_now());
    lane.tickets.set_state(ticket.number, TicketState::deferred);
    queue.defer(lane, ticket.number, *entry);
    p_.capacity.mark_changed();
  }
  update_nodes(queue, lane, ticket.number, *entry, visitor);
  const auto poll_before = entry->state == TicketState::called ? std::optional(entry->last_poll) : std::nullopt;
  record_poll(lane, visitor, ticket, *entry);
  p_.scheduler.call_if_changed();
  entry = lane.tickets.find(ticket.number);
  if (entry->state != TicketState::called || !lane.is_served_on_disk(ticket.number))
    return queued(queue, lane, ticket, false);
  auto decision = claim(queue, lane, visitor, ticket, *entry, idle);
  // A holder that is refused does not prolong the reservation by polling.
  if (poll_before && std::holds_alternative<Refused>(decision)) entry->last_poll = *poll_before;
  return decision;
}

/// The turn of the ticket is over. Like a session token, it opens its session only where there is capacity for a
/// newcomer; an unclaimed ticket in the grace after a restart opens it where a returning session may continue.
Decision AdmissionDecider::after_its_turn(ChannelQueue& queue, const Visitor& visitor, const TicketClaim& ticket,
                                          bool was_claimed, std::chrono::milliseconds idle) {
  const bool is_over = p_.sessions.is_ended(ticket.session);
  const Refused too_late{was_claimed || is_over ? DenyReason::ticket_used : DenyReason::ticket_expired};
  if (is_over || p_.sessions.is_expired(ticket.session, ticket.issued)) return too_late;
  const bool is_of_former_run = p_.capacity.is_in_grace() && !was_claimed;
  const auto nodes = p_.capacity.nodes_of(visitor);
  const auto scopes = is_of_former_run ? find_for_returning(queue, nodes) : find_for_newcomer(queue, nodes);
  if (!scopes) return too_late;
  if (const auto* account = p_.sessions.full_account(visitor)) return account_full(*account);
  if (p_.sessions.is_address_full(visitor)) return too_many_sessions();
  if (!p_.sessions.open(ticket.session, visitor, *scopes, queue.kbps, idle)) return too_late;
  return Granted{ticket.session, !is_of_former_run, node_id(*scopes)};
}

Decision AdmissionDecider::claim(ChannelQueue& queue, QueueLane& lane, const Visitor& visitor,
                                 const TicketClaim& ticket, TicketEntry& entry, std::chrono::milliseconds idle) {
  const auto scopes = p_.capacity.scopes_of_called(queue.scope, entry.node_list);
  Granted result{ticket.session, true, node_id(scopes)};
  const auto* account = p_.sessions.full_account(visitor);
  if (account && (p_.capacity.limits().account_rule == AccountRule::refuse || account->devices.empty()))
    return account_full(*account);
  if (p_.sessions.is_address_full(visitor, account)) return too_many_sessions();
  if (!p_.capacity.may_claim(scopes)) return queued(queue, lane, ticket, false);
  if (account) {
    result.replaced.push_back(account->devices.front().session);
    p_.sessions.end(result.replaced.front());
  }
  p_.capacity.cancel_reservation(scopes, queue.kbps);
  if (!p_.sessions.open(ticket.session, visitor, scopes, queue.kbps, idle)) {
    p_.capacity.reserve(scopes, queue.kbps);
    return queued(queue, lane, ticket, false);
  }
  lane.claimed.add();
  lane.wait_time.observe(static_cast<double>(TicketQueue::ticks(clock_.steady_now()) - entry.joined) / 10);
  lane.tickets.set_state(ticket.number, TicketState::claimed);
  log("ticket_claimed", lane, ticket.number);
  granted_.add();
  return result;
}

bool AdmissionDecider::is_live(ChannelQueue& queue, const TicketClaim& ticket) const {
  return find_live(queue.lane_of(ticket), ticket) != nullptr;
}

bool AdmissionDecider::cancel(ChannelQueue& queue, const TicketClaim& ticket) {
  auto* lane = queue.lane_of(ticket);
  const auto* entry = find_live(lane, ticket);
  if (!entry) return false;
  if (entry->state == TicketState::called)
    p_.capacity.cancel_reservation(p_.capacity.scopes_of_called(queue.scope, entry->node_list), queue.kbps);
  if (entry->state == TicketState::waiting) p_.scheduler.stop_counting(*entry);
  lane->tickets.set_state(ticket.number, TicketState::done);
  log("ticket_given_up", *lane, ticket.number);
  p_.capacity.mark_changed();
  return true;
}

}  // namespace tribune::access
