#include "access/admission.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "access/admission_inner.h"
#include "base/ids.h"

namespace tribune::access {
namespace {

const std::vector<double>& wait_buckets() {
  static const std::vector<double> buckets{1, 5, 10, 20, 30, 60, 120, 300, 600, 1'200, 1'800, 3'600, 7'200};
  return buckets;
}

base::Counter decisions(base::Metrics& metrics, std::string_view outcome) {
  return metrics.counter("tribune_access_decisions_total", "Decisions about newcomers and tickets that changed something.", {{"outcome", outcome}});
}

std::int64_t kbps_of(double mbps) { return std::max<std::int64_t>(1, static_cast<std::int64_t>(mbps * 1'000)); }

}  // namespace

Lane::Lane(std::uint8_t i, const LaneSettings& settings, std::string_view id, std::string_view channel, std::uint32_t queue, base::Metrics& metrics)
    : index(i), name(settings.name), share(settings.share), line(queue),
      waiting(metrics.gauge("tribune_access_queue_length", "Tickets that wait for their turn and were heard lately.", {{"channel", channel}, {"lane", name}})),
      called(metrics.counter("tribune_access_tickets_called_total", "Tickets whose turn came and for which room is kept: the outflow.",
                             {{"channel", channel}, {"lane", name}})),
      claimed(metrics.counter("tribune_access_tickets_claimed_total", "Tickets that became sessions.", {{"channel", channel}, {"lane", name}})),
      abandoned(metrics.counter("tribune_access_tickets_abandoned_total", "Tickets that were not heard for the lease when their turn came.",
                                {{"channel", channel}, {"lane", name}})),
      unclaimed(metrics.counter("tribune_access_tickets_unclaimed_total", "Called tickets that were not claimed in time.",
                                {{"channel", channel}, {"lane", name}})),
      waited(metrics.histogram("tribune_access_wait_seconds", "From the ticket to the session, all channels together.", wait_buckets(), {{"lane", name}})) {
  disk.key = std::string(id) + "/" + name;
}

Admission::Inner::Inner(const base::Clock& c, base::Log& l, base::Metrics& m, const AccessSettings& s, std::size_t max_known, ChannelLabelsPtr cl)
    : clock(c), log(l), metrics(m), labels(std::move(cl)), sessions(c, m, max_known, labels), settings(s),
      past(m, std::max(kMostPastSessions, max_known)), granted(decisions(m, "granted")), queued_new(decisions(m, "queued")), refused(decisions(m, "refused")),
      uncounted(m.counter("tribune_access_renewals_uncounted_total",
                          "Renewals of sessions that are served and not counted, because as many as may be are known and nothing is limited.")),
      unwritten(m.counter("tribune_access_sessions_unwritten_total", "Sessions that the disk refused to take: after a restart they go on only where there is room.")),
      address_full(m.counter("tribune_access_address_full_total",
                             "Newcomers, and sessions that would come back, that were not let in because their address had max_sessions_per_address.")),
      shared(m.counter("tribune_access_shared_requests_total", "Requests for a session that came from more networks than max_networks_per_session.")) {
  set_limits(settings.limits());
  set_sharing();
}

/// Made when it is new.
ChannelQueue& Admission::Inner::channel(std::string_view id) {
  if (const auto found = channels.find(id); found != channels.end()) return *found->second;
  auto queue = std::make_unique<ChannelQueue>();
  queue->scope = scopes.at(ScopeKind::channel, id);
  auto lanes = settings.lanes;
  if (lanes.empty()) lanes.push_back({"general", 1});
  for (const auto& lane : lanes) {
    const auto number = static_cast<std::uint32_t>(base::random_u64());
    queue->lanes.push_back(std::make_unique<Lane>(static_cast<std::uint8_t>(queue->lanes.size()), lane, id, labels ? labels->of(id) : std::string(id), number, metrics));
    take_up(*queue->lanes.back());
    write_behind(*queue->lanes.back());
  }
  scopes.set(limits);
  return *channels.emplace(std::string(id), std::move(queue)).first->second;
}

Admission::Admission(const base::Clock& clock, base::Log& log, base::Metrics& metrics, const AccessSettings& settings, std::size_t max_known,
                     ChannelLabelsPtr labels)
    : inner_(std::make_unique<Inner>(clock, log, metrics, settings, max_known, std::move(labels))) {}
Admission::~Admission() = default;

void Admission::configure(const AccessSettings& settings, const std::vector<ChannelFacts>& facts) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  auto next = settings;
  next.lanes = inner.settings.lanes;   // fixed at the start: tickets name them by number
  inner.settings = std::move(next);
  if (!inner.limits_are_live) inner.set_limits(inner.settings.limits());
  inner.limits.account_rule = inner.settings.account_rule;
  inner.set_sharing();
  for (auto& [id, queue] : inner.channels) queue->is_configured = false;
  const auto wall = inner.clock.wall_now();
  for (const auto& fact : facts) {
    auto& queue = inner.channel(fact.id);
    const bool is_new = !std::exchange(queue.was_configured, true);
    queue.is_configured = true;
    if (is_new) queue.kbps = kbps_of(fact.mbps);
    const bool was_opened = std::any_of(queue.lanes.begin(), queue.lanes.end(), [](const auto& lane) { return lane->line.lottery() != Lottery{}; });
    if (queue.is_open && (!is_new || was_opened)) continue;
    // The time until the opening is measured once: a step of the wall clock opens nothing.
    const bool is_later = fact.opens_at && *fact.opens_at > wall;
    queue.opens_at.reset();
    if (is_later) queue.opens_at = inner.clock.steady_now() + (*fact.opens_at - wall);
    queue.is_open = !is_later;
    for (auto& lane : queue.lanes) {
      if (is_later) lane->line.close_until_opening();
      if (!is_later && lane->line.is_before_opening()) inner.open_queue(queue);
      inner.write_behind(*lane);
    }
  }
  inner.has_changed = true;
}

void Admission::predict(std::string_view channel, double mbps) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  const auto found = inner.channels.find(channel);
  if (found == inner.channels.end() || found->second->kbps == kbps_of(mbps)) return;
  auto& queue = *found->second;
  const auto former = std::exchange(queue.kbps, kbps_of(mbps));
  for (auto& lane : queue.lanes)
    for (const auto& call : lane->calls) {
      const auto* entry = lane->line.find(call.number);
      if (!entry || entry->state != TicketState::called) continue;
      inner.keep(inner.scopes_of(queue, *entry), former, -1);
      inner.keep(inner.scopes_of(queue, *entry), queue.kbps, 1);
    }
}

Decision Admission::decide(const Visitor& visitor, const TicketClaim* ticket, std::chrono::milliseconds idle) {
  auto& inner = *inner_;
  const auto why_not = ticket ? inner.hear_network(ticket->session, visitor) : std::nullopt;
  if (why_not) return Refused{*why_not == Renewal::shared ? Refusal::session_shared : Refusal::ticket_used};
  if (ticket && inner.sessions.extend(ticket->session, idle) != Sessions::Extension::unknown) return Granted{ticket->session, false};
  const std::lock_guard lock(inner.mutex);
  // Another request of the same ticket may have been let in meanwhile.
  if (ticket && inner.sessions.extend(ticket->session, idle) != Sessions::Extension::unknown) return Granted{ticket->session, false};
  inner.catch_up();
  auto& queue = inner.channel(visitor.channel);
  auto decision = ticket ? inner.holder(queue, visitor, *ticket, idle) : inner.newcomer(queue, visitor, idle);
  if (std::holds_alternative<Refused>(decision)) inner.refused.add();
  return decision;
}

Admission::Renewal Admission::renew(SessionId id, const Visitor& visitor, std::chrono::milliseconds idle) {
  auto& inner = *inner_;
  if (const auto why_not = inner.hear_network(id, visitor)) return *why_not;
  auto extension = inner.sessions.extend(id, idle);
  if (extension == Sessions::Extension::known) return Renewal::known;
  const std::lock_guard lock(inner.mutex);
  // Another request of the same session may have brought it back meanwhile: what it took does not stand in this one's way.
  if (extension == Sessions::Extension::unknown) extension = inner.sessions.extend(id, idle);
  if (extension == Sessions::Extension::known) return Renewal::known;
  if (extension == Sessions::Extension::outgrown) {
    inner.note_end(id, idle);
    return Renewal::known;
  }
  if (inner.past.is_ended(id)) return Renewal::ended;
  if (inner.is_expired(id, visitor.opened)) return Renewal::expired;
  inner.catch_up();
  auto& queue = inner.channel(visitor.channel);
  if (inner.is_address_full(visitor)) return Renewal::lapsed;
  if (inner.sessions.is_full() && !inner.has_limits()) {
    inner.uncounted.add();
    return Renewal::uncounted;
  }
  if (inner.has_place_limits && visitor.node.empty()) return Renewal::unplaced;
  const auto set = inner.way_back(queue, inner.places_of(visitor));
  if (!set || inner.full_account(visitor)) return Renewal::lapsed;
  switch (inner.sessions.renew(id, visitor.channel, idle)) {
    case Sessions::Renewal::known: return Renewal::known;   // another request of it was faster
    case Sessions::Renewal::uncounted: return Renewal::lapsed;
    case Sessions::Renewal::adopted: break;
  }
  inner.write_down(id, inner.hold(id, visitor, *set, queue.kbps, idle));
  inner.record("session_adopted", *set);
  return Renewal::adopted;
}

bool Admission::is_watching(SessionId id) const { return inner_->sessions.contains(id); }

bool Admission::is_waiting(std::string_view channel, const TicketClaim& ticket) const {
  const std::lock_guard lock(inner_->mutex);
  const auto queue = inner_->channels.find(channel);
  if (queue == inner_->channels.end() || ticket.lane >= queue->second->lanes.size()) return false;
  auto& line = queue->second->lanes[ticket.lane]->line;
  const auto* entry = line.queue() == ticket.queue ? line.find(ticket.number) : nullptr;
  if (!entry || entry->state >= TicketState::done) return false;
  return entry->state == TicketState::unknown || entry->session == ticket.session;
}

bool Admission::move(SessionId id, const Place& place, bool must) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  inner.catch_up();
  return inner.move(id, {inner.scopes.at(ScopeKind::group, place.group), inner.scopes.at(ScopeKind::node, place.node)}, must);
}

std::shared_ptr<const PlaceLimits> Admission::place_limits() const {
  return inner_->has_place_limits.load(std::memory_order_relaxed) ? inner_->place_limits.get() : nullptr;
}

bool Admission::cancel(std::string_view channel, const TicketClaim& ticket) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  const bool was_live = inner.give_up(channel, ticket);
  if (was_live) inner.end(ticket.session);
  return was_live;
}

bool Admission::release(SessionId id) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  const bool is_known = inner.holdings.contains(id);
  if (is_known) inner.end(id);
  return is_known;
}

void Admission::take_back(SessionId id) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  inner.take_back(id);
}

void Admission::take_back(std::string_view channel, const TicketClaim& ticket) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  if (inner.give_up(channel, ticket)) inner.take_back(ticket.session);
}

bool Admission::leave(SessionId id) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  const auto held = inner.holdings.find(id);
  const bool was_long = held != inner.holdings.end() && std::chrono::seconds{held->second.idle_seconds} > kLongIdle;
  const bool is_known = inner.sessions.shorten(id, kReturnTime);
  if (is_known && was_long) inner.note_end(id, kReturnTime);
  return is_known;
}

void Admission::tick(const std::function<void(SessionId)>& on_released) {
  auto& inner = *inner_;
  for (const auto id : inner.sessions.overdue()) {
    bool is_released = false;
    {
      const std::lock_guard lock(inner.mutex);
      is_released = inner.sessions.release_overdue(id);
      if (is_released) inner.lapse(id);
    }
    if (is_released && on_released) on_released(id);
  }
  const std::lock_guard lock(inner.mutex);
  const auto now = inner.clock.steady_now();
  const bool is_second = now - inner.last_second >= std::chrono::seconds{1};
  if (is_second) inner.last_second = now;
  inner.age();
  inner.scopes.settle(now);
  for (auto& [id, queue] : inner.channels) inner.sweep(*queue, is_second);
  inner.call_next();
  inner.tell_places();
  if (is_second) inner.forget_lists();
  if (is_second) inner.past.sweep(base::unix_seconds(inner.clock.wall_now()));
  for (auto& [id, queue] : inner.channels)
    for (auto& lane : queue->lanes) inner.write_behind(*lane);
}

void Admission::measured(const Traffic& traffic) {
  const std::lock_guard lock(inner_->mutex);
  inner_->scopes.measured(traffic, inner_->clock.steady_now());
  inner_->has_changed = true;
}

std::size_t Admission::sessions() const { return inner_->sessions.count(); }
std::size_t Admission::sessions(std::string_view channel) const { return inner_->sessions.count(channel); }

std::string_view word(Refusal refusal) {
  switch (refusal) {
    case Refusal::queue_full: return "queue_full";
    case Refusal::account_full: return "account_full";
    case Refusal::too_many_tickets: return "too_many_tickets";
    case Refusal::too_many_sessions: return "too_many_sessions";
    case Refusal::session_shared: return "session_shared";
    case Refusal::ticket_unknown: return "ticket_unknown";
    case Refusal::ticket_expired: return "ticket_expired";
    case Refusal::ticket_used: return "ticket_used";
    case Refusal::busy: return "busy";
  }
  return "";
}

}  // namespace tribune::access
