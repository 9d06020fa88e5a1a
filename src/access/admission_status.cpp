// The functions of Admission for operators: limits, drills, and the state of the queues.

#include <algorithm>
#include <chrono>
#include <utility>

#include "access/admission.h"
#include "access/admission_inner.h"

namespace tribune::access {
namespace {

void write_drill(base::json::Writer& w, const Drill& drill) {
  w.begin_object()
      .member("closed", drill.is_closed)
      .member("extra_sessions", drill.extra_sessions)
      .member("extra_mbps", drill.extra_mbps)
      .end_object();
}

void write_load(base::json::Writer& w, const Scope& scope) {
  w.begin_object().member("kind", to_string(scope.kind)).member("id", scope.id);
  w.member("sessions", scope.sessions)
      .member("kept", scope.reserved)
      .member("mbps", static_cast<double>(scope.load_kbps()) / 1'000);
  w.member("measured_mbps", static_cast<double>(scope.measured_kbps) / 1'000);
  w.member("measured", scope.is_measured).member("contested", scope.is_contested).end_object();
}

}  // namespace

AccessLimits Admission::limits() const {
  const std::lock_guard lock(inner_->mutex);
  return inner_->capacity.limits();
}

base::Status Admission::change_limits(std::string_view json, store::Store::OnCommitted on_durable) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  auto next = inner.capacity.limits();
  if (auto changed = apply_changes(next, json); !changed) return changed;
  inner.limits_are_live = true;
  inner.set_limits(std::move(next));
  inner.store.save_limits(inner.capacity.limits(), std::move(on_durable));
  inner.scheduler.call_if_changed();
  return {};
}

void Admission::reset_limits(store::Store::OnCommitted on_durable) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  inner.limits_are_live = false;
  inner.set_limits(inner.settings.limits());
  inner.store.save_limits(std::nullopt, std::move(on_durable));
  inner.scheduler.call_if_changed();
}

void Admission::set_drill(std::string_view channel, const Drill& drill) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  auto& scope = channel.empty() ? inner.capacity.scopes().global() : *inner.queues.at(channel).scope;
  scope.drill = drill;
  inner.capacity.mark_changed();
  inner.scheduler.call_if_changed();
}

Drill Admission::drill(std::string_view channel) const {
  const std::lock_guard lock(inner_->mutex);
  const auto& scopes = std::as_const(inner_->capacity).scopes();
  const auto* scope = channel.empty() ? &scopes.global() : scopes.find(ScopeKind::channel, channel);
  return scope ? scope->drill : Drill{};
}

void Admission::open_now(std::string_view channel) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  auto& queue = inner.queues.at(channel);
  if (queue.is_open()) return;
  queue.open(inner.log);
  inner.capacity.mark_changed();
  inner.scheduler.call_if_changed();
}

std::optional<QueueStatus> Admission::queue_status(std::string_view channel) const {
  const auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  const auto* queue = inner.queues.find(channel);
  if (!queue) return std::nullopt;
  QueueStatus status;
  status.channel = channel;
  status.is_open = queue->is_open();
  if (const auto& opens_at = queue->opens_at()) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(*opens_at - inner.clock.steady_now());
    status.opens_in = std::max<std::chrono::milliseconds>(left, std::chrono::milliseconds{0});
  }
  status.overload_emulation = queue->scope->drill.is_closed || inner.capacity.scopes().global().drill.is_closed;
  status.refresh = inner.settings.refresh;
  status.lease = inner.settings.lease();
  for (const auto& lane : queue->lanes) {
    const auto& tickets = lane->tickets;
    status.lanes.push_back({lane->name, tickets.served(), tickets.next(), tickets.waiting(),
                            tickets.places_per_second(), tickets.lottery()});
    if (status.overload_emulation || !queue->is_open()) status.lanes.back().places_per_second.reset();
  }
  return status;
}

void Admission::describe(base::json::Writer& w) const {
  const auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  const auto& scopes = inner.capacity.scopes();
  w.key("access").begin_object();
  w.member("sessions", std::uint64_t{inner.sessions.count()}).member("limits_changed_live", inner.limits_are_live);
  w.member("in_restart_grace", inner.capacity.is_in_grace()).member("unsaved_sessions", inner.store.unsaved_sessions());
  w.member("past_sessions", std::uint64_t{inner.admitted.past_count()});
  w.key("limits").begin_object();
  write_members(w, inner.capacity.limits());
  w.end_object();
  w.key("drill");
  write_drill(w, scopes.global().drill);
  w.key("loads").begin_array();
  scopes.each([&](const Scope& scope) {
    if (scope.kind == ScopeKind::global || scope.has_limit()) write_load(w, scope);
  });
  w.end_array().key("queues").begin_array();
  inner.queues.each([&](const std::string& id, const ChannelQueue& queue) {
    w.begin_object()
        .member("channel", id)
        .member("open", queue.is_open())
        .member("sessions", queue.scope->sessions)
        .member("waiting", queue.waiting());
    w.key("drill");
    write_drill(w, queue.scope->drill);
    w.end_object();
  });
  w.end_array().end_object();
}

}  // namespace tribune::access
