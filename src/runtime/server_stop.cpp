// The steps of Server::stop().

#include <algorithm>
#include <atomic>

#include "runtime/server.h"

namespace tribune::runtime {
namespace {

constexpr std::string_view kComponent = "runtime";
constexpr std::chrono::milliseconds kCutDeadline{2'000};
constexpr std::chrono::milliseconds kDrainCheck{20};  // the interval of calls to Role::is_drained()

using Deadline = std::chrono::steady_clock::time_point;

Deadline from_now(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

/// Waits for `done` or the deadline; a second stop signal ends the wait. Reloads are ignored.
template <class Done>
std::optional<int> wait_until(Signals& signals, Deadline deadline, Done done) {
  while (!done()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return std::nullopt;
    const auto event = signals.wait(std::min(left, kDrainCheck));
    if (event.kind == Signals::Kind::stop) return event.signal;
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> Server::stop(int signal) {
  condition_.enter(Phase::stopping);
  context_.log.info(kComponent, "stopping",
                    {{"signal", signal}, {"deadline_ms", std::int64_t{process().stop_deadline.count()}}});
  for (const auto& role : roles_) role->drain();
  if (const auto second = wait_for_delay()) return second;
  const auto deadline = from_now(process().stop_deadline);
  for (const auto& role : roles_) role->close_listeners();
  if (const auto second = wait_for_listeners(true, deadline)) return second;
  if (const auto second = wait_for_listeners(false, deadline)) return second;
  cut_what_is_left();
  stop_roles();
  end_threads();
  context_.log.info(kComponent, "stopped");
  return std::nullopt;
}

std::optional<int> Server::wait_for_delay() {
  return wait_until(context_.signals, from_now(process().stop_delay), [] { return false; });
}

/// Called for the front listeners first. The admin listener stays open meanwhile, so that the stop can be monitored.
std::optional<int> Server::wait_for_listeners(bool is_front, Deadline deadline) {
  const auto left = std::make_shared<std::atomic<std::size_t>>(threads_.size());
  for (auto& thread : threads_)
    thread->drain(is_front, [left, &signals = context_.signals] {
      if (left->fetch_sub(1) == 1) signals.wake();
    });
  return wait_until(context_.signals, deadline, [&] { return left->load() == 0 && roles_are_drained(); });
}

bool Server::roles_are_drained() const {
  return std::all_of(roles_.begin(), roles_.end(), [](const auto& role) { return role->is_drained(); });
}

void Server::cut_what_is_left() {
  struct Tally {
    std::atomic<std::size_t> workers;
    std::atomic<std::size_t> connections{0};
  };
  const auto tally = std::make_shared<Tally>();
  tally->workers = threads_.size();
  for (auto& thread : threads_)
    thread->cut_all([tally, &signals = context_.signals](std::size_t connections) {
      tally->connections += connections;
      if (tally->workers.fetch_sub(1) == 1) signals.wake();
    });
  wait_until(context_.signals, from_now(kCutDeadline), [&] { return tally->workers.load() == 0; });
  for (const auto& role : roles_)
    if (!role->is_drained()) context_.log.warning(kComponent, "stop_deadline_passed", {{"role", role->name()}});
  if (const auto cut = tally->connections.load(); cut > 0)
    context_.log.warning(kComponent, "stop_deadline_passed", {{"connections_cut", static_cast<std::uint64_t>(cut)}});
}

void Server::stop_roles() {
  for (auto role = started_.rbegin(); role != started_.rend(); ++role) (*role)->stop();
  started_.clear();
}

void Server::end_threads() {
  for (auto& thread : threads_) thread->stop();
  // Roles own timers, fetches and exchanges of the workers, so they are destroyed while the loops still exist.
  roles_.clear();
}

}  // namespace tribune::runtime
