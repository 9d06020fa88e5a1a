#include <algorithm>
#include <chrono>
#include <utility>

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
      .member("kept", scope.kept)
      .member("mbps", static_cast<double>(scope.load_kbps()) / 1'000);
  w.member("measured_mbps", static_cast<double>(scope.measured_kbps) / 1'000);
  w.member("measured", scope.is_measured).member("contested", scope.is_contested).end_object();
}

}  // namespace

AccessLimits Admission::limits() const {
  const std::lock_guard lock(inner_->mutex);
  return inner_->limits;
}

base::Status Admission::change_limits(std::string_view json, store::Store::OnCommitted on_durable) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  auto next = inner.limits;
  if (auto changed = apply_changes(next, json); !changed) return changed;
  inner.limits_are_live = true;
  inner.set_limits(std::move(next));
  inner.keep_limits(std::move(on_durable));
  inner.catch_up();
  return {};
}

void Admission::reset_limits(store::Store::OnCommitted on_durable) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  inner.limits_are_live = false;
  inner.set_limits(inner.settings.limits());
  inner.keep_limits(std::move(on_durable));
  inner.catch_up();
}

void Admission::set_drill(std::string_view channel, const Drill& drill) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  auto& scope = channel.empty() ? inner.scopes.global() : *inner.channel(channel).scope;
  scope.drill = drill;
  inner.has_changed = true;
  inner.catch_up();
}

Drill Admission::drill(std::string_view channel) const {
  const std::lock_guard lock(inner_->mutex);
  const auto* scope =
      channel.empty() ? &std::as_const(inner_->scopes).global() : inner_->scopes.find(ScopeKind::channel, channel);
  return scope ? scope->drill : Drill{};
}

void Admission::open_now(std::string_view channel) {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  auto& queue = inner.channel(channel);
  if (queue.is_open) return;
  inner.open_queue(queue);
  inner.catch_up();
}

std::optional<QueueStatus> Admission::queue_status(std::string_view channel) const {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  const auto found = inner.channels.find(channel);
  if (found == inner.channels.end()) return std::nullopt;
  const auto& queue = *found->second;
  QueueStatus status;
  status.channel = channel;
  status.is_open = queue.is_open;
  if (queue.opens_at) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(*queue.opens_at - inner.clock.steady_now());
    status.opens_in = std::max<std::chrono::milliseconds>(left, std::chrono::milliseconds{0});
  }
  status.overload_emulation = queue.scope->drill.is_closed || inner.scopes.global().drill.is_closed;
  status.refresh = inner.settings.refresh;
  status.lease = inner.settings.lease();
  for (const auto& lane : queue.lanes) {
    const auto& line = lane->line;
    status.lanes.push_back(
        {lane->name, line.served(), line.next(), line.waiting(), line.places_per_second(), line.lottery()});
    if (status.overload_emulation || !queue.is_open) status.lanes.back().places_per_second.reset();
  }
  return status;
}

void Admission::describe(base::json::Writer& w) const {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  const auto now = inner.clock.steady_now();
  w.key("access").begin_object();
  w.member("sessions", std::uint64_t{inner.sessions.count()}).member("limits_changed_live", inner.limits_are_live);
  w.member("in_restart_grace", inner.is_in_grace(now)).member("unsaved_sessions", inner.unsaved.load());
  w.member("past_sessions", std::uint64_t{inner.past.size()});
  w.key("limits").begin_object();
  write_members(w, inner.limits);
  w.end_object();
  w.key("drill");
  write_drill(w, inner.scopes.global().drill);
  w.key("loads").begin_array();
  inner.scopes.each([&](const Scope& scope) {
    if (scope.kind == ScopeKind::global || scope.has_limit()) write_load(w, scope);
  });
  w.end_array().key("queues").begin_array();
  for (const auto& [id, queue] : inner.channels) {
    w.begin_object()
        .member("channel", id)
        .member("open", queue->is_open)
        .member("sessions", queue->scope->sessions)
        .member("waiting", queue->waiting());
    w.key("drill");
    write_drill(w, queue->scope->drill);
    w.end_object();
  }
  w.end_array().end_object();
}

}  // namespace tribune::access
