#include "access/admission.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "access/admission_inner.h"

namespace tribune::access {
namespace {

std::int64_t positive_kbps_of(double mbps) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(mbps * 1'000));
}

}  // namespace

Admission::Inner::Inner(const base::Clock& c, base::Log& l, base::Metrics& m, const AccessSettings& s,
                        std::size_t max_known, const ChannelLabelsPtr& labels)
    : clock(c),
      log(l),
      settings(s),
      wall(c),
      sessions(c, m, max_known, labels),
      sharing(l, m, sessions),
      capacity(c, sessions),
      store(l, m, mutex),
      queues(m, settings, labels, capacity, store),
      admitted(c, l, m, settings, std::max(kMostPastSessions, max_known), sessions, capacity, store),
      scheduler(c, l, settings, capacity, queues, ticket_addresses),
      decider(c, l, m, {settings, capacity, queues, admitted, scheduler, store, ticket_addresses}),
      refused(m.counter("tribune_access_decisions_total",
                        "Admission decisions about new viewers and tickets that changed state, by outcome.",
                        {{"outcome", "refused"}})),
      uncounted(m.counter("tribune_access_renewals_uncounted_total",
                          "Renewals of sessions that are served but not counted: the maximum number of sessions is "
                          "known, and no limit is set.")) {
  set_limits(settings.limits());
  sharing.configure(settings);
}

void Admission::Inner::set_limits(AccessLimits next) {
  next.account_rule = settings.account_rule;
  capacity.set_limits(std::move(next));
  publish_node_limits();
}

Admission::Admission(const base::Clock& clock, base::Log& log, base::Metrics& metrics, const AccessSettings& settings,
                     std::size_t max_known, ChannelLabelsPtr labels)
    : inner_(std::make_unique<Inner>(clock, log, metrics, settings, max_known, labels)) {}
Admission::~Admission() = default;

void Admission::configure(const AccessSettings& settings, const std::vector<ChannelFacts>& facts) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  auto next = settings;
  next.lanes = inner.settings.lanes;  // fixed at the start: tickets name them by number
  inner.settings = std::move(next);
  if (!inner.limits_are_live) inner.set_limits(inner.settings.limits());
  inner.capacity.set_account_rule(inner.settings.account_rule);
  inner.sharing.configure(inner.settings);
  inner.queues.each([](const auto&, ChannelQueue& queue) { queue.is_configured = false; });
  for (const auto& fact : facts) {
    auto& queue = inner.queues.at(fact.id);
    const bool is_new = !std::exchange(queue.was_configured, true);
    queue.is_configured = true;
    if (is_new) queue.kbps = positive_kbps_of(fact.mbps);
    if (queue.is_open() && (!is_new || queue.had_lottery())) continue;
    if (fact.opens_at && inner.wall.when(*fact.opens_at) > inner.clock.steady_now()) {
      queue.close_until(*fact.opens_at, inner.wall);
    } else {
      queue.open(inner.log);
    }
    for (auto& lane : queue.lanes) inner.store.save_lane(*lane);
  }
  inner.capacity.mark_changed();
}

void Admission::predict(std::string_view channel, double mbps) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  auto* queue = inner.queues.find(channel);
  if (!queue || queue->kbps == positive_kbps_of(mbps)) return;
  const auto former = std::exchange(queue->kbps, positive_kbps_of(mbps));
  for (auto& lane : queue->lanes)
    for (const auto& reservation : lane->reservations) {
      const auto* entry = lane->tickets.find(reservation.number);
      if (!entry || entry->state != TicketState::called) continue;
      const auto scopes = inner.capacity.scopes_of_called(queue->scope, entry->node_list);
      inner.capacity.cancel_reservation(scopes, former);
      inner.capacity.reserve(scopes, queue->kbps);
    }
}

std::optional<Admission::Renewal> Admission::Inner::check_sharing(SessionId id, const Visitor& visitor) {
  switch (sharing.check(id, visitor)) {
    case SharingCheck::Outcome::serve: return std::nullopt;
    case SharingCheck::Outcome::refuse: return Renewal::shared;
    case SharingCheck::Outcome::end: break;
  }
  const std::lock_guard lock(mutex);
  admitted.end(id);
  return Renewal::ended;
}

Decision Admission::decide(const Visitor& visitor, const TicketClaim* ticket, std::chrono::milliseconds idle) {
  auto& inner = *inner_;
  const auto is_watching = [&] { return inner.sessions.extend(ticket->session, idle) != Sessions::Extension::unknown; };
  const auto why_not = ticket ? inner.check_sharing(ticket->session, visitor) : std::nullopt;
  if (why_not) return Refused{*why_not == Renewal::shared ? DenyReason::session_shared : DenyReason::ticket_used};
  if (ticket && is_watching()) return Granted{ticket->session, false};
  const std::lock_guard lock(inner.mutex);
  // Another request with the same ticket may have opened the session meanwhile.
  if (ticket && is_watching()) return Granted{ticket->session, false};
  inner.scheduler.call_if_changed();
  auto& queue = inner.queues.at(visitor.channel);
  auto decision = ticket ? inner.decider.ticket_holder(queue, visitor, *ticket, idle)
                         : inner.decider.newcomer(queue, visitor, idle);
  if (std::holds_alternative<Refused>(decision)) inner.refused.add();
  return decision;
}

Admission::Renewal Admission::renew(SessionId id, const Visitor& visitor, std::chrono::milliseconds idle) {
  auto& inner = *inner_;
  if (const auto why_not = inner.check_sharing(id, visitor)) return *why_not;
  auto extension = inner.sessions.extend(id, idle);
  if (extension == Sessions::Extension::known) return Renewal::known;
  const std::lock_guard lock(inner.mutex);
  // Another request of the same session may have readmitted it meanwhile; it must not compete with itself for capacity.
  if (extension == Sessions::Extension::unknown) extension = inner.sessions.extend(id, idle);
  if (extension == Sessions::Extension::unknown) return inner.readmit(id, visitor, idle);
  if (extension == Sessions::Extension::save_due) inner.admitted.save_deadline(id, idle);
  return Renewal::known;
}

Admission::Progress Admission::record_progress(SessionId id, const PlaylistProgress& progress) {
  auto& inner = *inner_;
  switch (inner.sharing.check_progress(id, progress)) {
    case SharingCheck::Outcome::serve: return Progress::serve;
    case SharingCheck::Outcome::refuse: return Progress::refuse;
    case SharingCheck::Outcome::end: break;
  }
  const std::lock_guard lock(inner.mutex);
  inner.admitted.end(id);
  return Progress::end;
}

Admission::Renewal Admission::Inner::readmit(SessionId id, const Visitor& visitor, std::chrono::milliseconds idle) {
  if (admitted.is_ended(id)) return Renewal::ended;
  if (admitted.is_expired(id, visitor.opened)) return Renewal::expired;
  scheduler.call_if_changed();
  auto& queue = queues.at(visitor.channel);
  if (admitted.is_address_full(visitor)) return Renewal::lapsed;
  if (sessions.is_full() && !capacity.has_limits()) {
    uncounted.add();
    return Renewal::uncounted;
  }
  if (capacity.has_node_limits() && visitor.node.empty()) return Renewal::unplaced;
  const auto scopes = decider.find_for_returning(queue, capacity.nodes_of(visitor));
  if (!scopes || admitted.full_account(visitor)) return Renewal::lapsed;
  switch (admitted.adopt(id, visitor, *scopes, queue.kbps, idle)) {
    case Sessions::Renewal::known: return Renewal::known;
    case Sessions::Renewal::uncounted: return Renewal::lapsed;
    case Sessions::Renewal::adopted: break;
  }
  return Renewal::adopted;
}

bool Admission::is_watching(SessionId id) const { return inner_->sessions.contains(id); }

bool Admission::is_waiting(std::string_view channel, const TicketClaim& ticket) const {
  const std::lock_guard lock(inner_->mutex);
  auto* queue = inner_->queues.find(channel);
  return queue && inner_->decider.is_live(*queue, ticket);
}

bool Admission::move(SessionId id, const NodeRef& node, bool must) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  inner.scheduler.call_if_changed();
  auto& scopes = inner.capacity.scopes();
  return inner.admitted.move(id, {scopes.at(ScopeKind::group, node.group), scopes.at(ScopeKind::node, node.node)},
                             must);
}

std::shared_ptr<const NodeLimits> Admission::node_limits() const { return inner_->capacity.node_limits(); }

bool Admission::cancel(std::string_view channel, const TicketClaim& ticket) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  const bool was_live = inner.decider.cancel(inner.queues.at(channel), ticket);
  if (was_live) inner.admitted.end(ticket.session);
  return was_live;
}

bool Admission::release(SessionId id) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  const bool is_known = inner.admitted.contains(id);
  if (is_known) inner.admitted.end(id);
  return is_known;
}

void Admission::take_back(SessionId id) {
  const std::lock_guard lock(inner_->mutex);
  inner_->admitted.discard(id);
}

void Admission::take_back(std::string_view channel, const TicketClaim& ticket) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  if (inner.decider.cancel(inner.queues.at(channel), ticket)) inner.admitted.discard(ticket.session);
}

bool Admission::leave(SessionId id) {
  const std::lock_guard lock(inner_->mutex);
  return inner_->admitted.shorten(id, kReturnTime);
}

void Admission::tick(const std::function<void(SessionId)>& on_released) {
  auto& inner = *inner_;
  for (const auto id : inner.sessions.overdue()) {
    bool is_released = false;
    {
      const std::lock_guard lock(inner.mutex);
      is_released = inner.sessions.release_overdue(id);
      if (is_released) inner.admitted.lapse(id);
    }
    if (is_released && on_released) on_released(id);
  }
  const std::lock_guard lock(inner.mutex);
  const auto now = inner.clock.steady_now();
  const bool is_second = now - inner.last_second >= std::chrono::seconds{1};
  if (is_second) inner.last_second = now;
  if (is_second && inner.wall.observe())
    inner.queues.each([&](const auto&, ChannelQueue& queue) { queue.schedule_opening(inner.wall); });
  inner.admitted.settle_traffic();
  inner.capacity.scopes().expire_nodes(now);
  inner.queues.each([&](const auto&, ChannelQueue& queue) { inner.scheduler.sweep(queue, is_second); });
  inner.scheduler.call_next();
  inner.publish_node_limits();
  if (is_second && inner.capacity.node_lists().size() >= kMaxNodeLists / 2 && inner.queues.is_idle())
    inner.capacity.node_lists().clear();
  if (is_second) {
    inner.admitted.sweep_past();
    inner.admitted.save_failed();
    inner.store.retry_begin();
  }
  inner.queues.save_lanes();
}

void Admission::measured(const Traffic& traffic) {
  const std::lock_guard lock(inner_->mutex);
  inner_->capacity.scopes().measured(traffic, inner_->clock.steady_now());
  inner_->capacity.mark_changed();
}

base::Status Admission::Inner::restore(store::Store& from, AccessStore::FormerRun former) {
  const auto now = clock.steady_now();
  const bool had_queues = !former.lanes.empty();
  store.attach(from, std::move(former.lanes));
  if (former.limits) {
    limits_are_live = true;
    set_limits(std::move(*former.limits));
  }
  // Waiting clients poll once in a refresh and a fifth: no ticket is called before all of them could poll.
  auto grace = settings.restart_grace;
  if (had_queues) grace = std::max(grace, settings.refresh * 3 / 2);
  if (former.had_sessions) capacity.set_grace_until(now + grace);
  scheduler.set_unknown_until(now + settings.lease());
  if (auto loaded = admitted.load_past(from); !loaded) return loaded;
  auto loaded = store.load_sessions([this](SessionId id, const SessionRecord& record) {
    return admitted.restore(id, record, queues.at(record.channel).scope);
  });
  if (!loaded) return loaded;
  queues.each_lane([this](QueueLane& lane) {
    store.restore_lane(lane);
    lane.disk.is_dirty = true;
    store.save_lane(lane);
  });
  return {};
}

base::Status Admission::load(store::Store& store) {
  auto& inner = *inner_;
  auto former = inner.store.read(store);
  if (!former) return tl::unexpected(former.error());
  {
    const std::lock_guard lock(inner.mutex);
    if (auto restored = inner.restore(store, std::move(*former)); !restored) return restored;
  }
  // On a disk that takes no writes nobody is admitted, but those who watch continue.
  if (const auto written = store.flush(); !written)
    inner.log.error("access", "nobody_is_admitted",
                    {{"reason", "the state cannot be written"}, {"error", written.error().text}});
  return {};
}

bool Admission::admits() const { return inner_->store.has_begun(); }

void Admission::stop() {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  if (!inner.store.is_attached()) return;
  inner.store.begin_stop();
  inner.queues.each_lane([&](QueueLane& lane) {
    lane.disk.is_dirty = true;
    inner.store.save_lane(lane);
  });
  inner.store.save_end_of_run(inner.sessions.count() != 0);
}

std::size_t Admission::sessions() const { return inner_->sessions.count(); }
std::size_t Admission::sessions(std::string_view channel) const { return inner_->sessions.count(channel); }

}  // namespace tribune::access
