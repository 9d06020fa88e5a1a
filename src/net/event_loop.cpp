#include "net/event_loop.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "base/memory.h"

namespace tribune::net {
namespace {

using Call = std::function<void()>;

struct FreeEvent {
  void operator()(event* e) const { event_free(e); }
};
using EventPtr = std::unique_ptr<event, FreeEvent>;

timeval to_timeval(std::chrono::milliseconds delay) {
  if (delay.count() < 0) delay = std::chrono::milliseconds{0};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(delay);
  const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(delay - seconds);
  return {static_cast<time_t>(seconds.count()), static_cast<suseconds_t>(rest.count())};
}

/// Prints the error and ends the process, which cannot serve or report anything without its event loops.
[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::abort();
}

/// The boundary between libevent and this code: a call that fails for lack of memory is abandoned, and the loop
/// continues.
void run_guarded(const Call& call) noexcept {
  try {
    call();
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
  }
}

std::shared_ptr<event_base> make_base() {
  static std::once_flag threads_on;
  std::call_once(threads_on, [] {
    event_set_mem_functions(base::patient_malloc, base::patient_realloc, std::free);
    if (evthread_use_pthreads() != 0) die("evthread_use_pthreads");
    // libevent writes with writev and sendfile, which have no MSG_NOSIGNAL. A write to a closed connection must return
    // an error and not raise SIGPIPE.
    std::signal(SIGPIPE, SIG_IGN);
  });
  auto* config = event_config_new();
  if (config == nullptr) die("event_config_new");
  // WHY: NOLOCK: only the loop's own thread touches the base; other threads write to an eventfd. No PRECISE_TIMER: it
  // costs a timerfd_settime each turn and no deadline here is finer than the 4 ms of the coarse clock.
  event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST | EVENT_BASE_FLAG_NOLOCK);
  auto* base = event_base_new_with_config(config);
  event_config_free(config);
  if (base == nullptr) die("event_base_new");
  return {base, event_base_free};
}

}  // namespace

struct EventLoop::Inner {
  std::shared_ptr<event_base> base = make_base();
  int wake_fd = -1;
  EventPtr wake;
  std::atomic<bool> stopping = false;
  std::atomic<std::thread::id> runner;

  std::mutex mutex;
  std::vector<Call> queue;  // guarded by mutex

  Inner();
  ~Inner();
  void ring() const;
  void run_queue();
  static void on_wake(evutil_socket_t fd, short, void* self) noexcept;
};

struct Timer::Inner {
  std::shared_ptr<event_base> base;  // shared, because a timer may outlive its loop
  EventPtr timeout;
  Call call;
  bool repeats = false;
  bool* destroyed = nullptr;  // set while the call runs: the call may destroy its own timer

  ~Inner() {
    if (destroyed != nullptr) *destroyed = true;
  }
  static void on_time(evutil_socket_t, short, void* arg) noexcept;
  static std::unique_ptr<Inner> make(std::shared_ptr<event_base>, std::chrono::milliseconds, Call, bool repeats);
};

std::unique_ptr<Timer::Inner> Timer::Inner::make(std::shared_ptr<event_base> base, std::chrono::milliseconds delay,
                                                 Call call, bool repeats) {
  auto inner = std::make_unique<Inner>();
  inner->timeout.reset(event_new(base.get(), -1, repeats ? EV_PERSIST : 0, on_time, inner.get()));
  if (!inner->timeout) die("event_new");
  inner->base = std::move(base);
  inner->call = std::move(call);
  inner->repeats = repeats;
  const auto wait = to_timeval(delay);
  event_add(inner->timeout.get(), &wait);
  return inner;
}

void Timer::Inner::on_time(evutil_socket_t, short, void* arg) noexcept {
  auto* self = static_cast<Inner*>(arg);
  bool gone = false;
  self->destroyed = &gone;
  Call running = std::move(self->call);
  run_guarded(running);
  if (gone) return;
  self->destroyed = nullptr;
  if (self->repeats) self->call = std::move(running);
}

Timer::Timer() = default;
Timer::~Timer() = default;
Timer::Timer(Timer&&) noexcept = default;
Timer& Timer::operator=(Timer&&) noexcept = default;

void Timer::cancel() { inner_.reset(); }

bool Timer::pending() const { return inner_ && event_pending(inner_->timeout.get(), EV_TIMEOUT, nullptr) != 0; }

EventLoop::Inner::Inner() {
  wake_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd < 0) die("eventfd");
  wake.reset(event_new(base.get(), wake_fd, EV_READ | EV_PERSIST, on_wake, this));
  if (!wake || event_add(wake.get(), nullptr) != 0) die("event_new");
}

EventLoop::Inner::~Inner() {
  // Calls that are still queued are dropped. Their captures may own timers, so they are destroyed before the base.
  std::vector<Call>{std::move(queue)}.clear();
  wake.reset();
  ::close(wake_fd);
}

void EventLoop::Inner::ring() const {
  const std::uint64_t one = 1;
  // The write fails only when the counter is full, and then the loop is already awake.
  [[maybe_unused]] const auto written = ::write(wake_fd, &one, sizeof one);
}

void EventLoop::Inner::run_queue() {
  std::vector<Call> calls;
  {
    const std::lock_guard lock(mutex);
    calls.swap(queue);
  }
  for (auto& call : calls) {
    run_guarded(call);
    call = nullptr;
  }
}

void EventLoop::Inner::on_wake(evutil_socket_t fd, short, void* arg) noexcept {
  auto* self = static_cast<Inner*>(arg);
  std::uint64_t rings = 0;
  [[maybe_unused]] const auto got = ::read(fd, &rings, sizeof rings);
  self->run_queue();
  if (self->stopping) event_base_loopbreak(self->base.get());
}

EventLoop::EventLoop() : inner_(std::make_unique<Inner>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() {
  inner_->runner = std::this_thread::get_id();
  if (!inner_->stopping) event_base_loop(inner_->base.get(), EVLOOP_NO_EXIT_ON_EMPTY);
  inner_->run_queue();
  inner_->stopping = false;
  inner_->runner = std::thread::id{};
}

void EventLoop::stop() {
  inner_->stopping = true;
  inner_->ring();
}

void EventLoop::post(std::function<void()> call) {
  bool was_empty = false;
  {
    const std::lock_guard lock(inner_->mutex);
    was_empty = inner_->queue.empty();
    inner_->queue.push_back(std::move(call));
  }
  if (was_empty) inner_->ring();
}

Timer EventLoop::after(std::chrono::milliseconds delay, std::function<void()> call) {
  Timer timer;
  timer.inner_ = Timer::Inner::make(inner_->base, delay, std::move(call), false);
  return timer;
}

Timer EventLoop::every(std::chrono::milliseconds period, std::function<void()> call) {
  Timer timer;
  timer.inner_ = Timer::Inner::make(inner_->base, period, std::move(call), true);
  return timer;
}

bool EventLoop::is_on_loop_thread() const { return inner_->runner.load() == std::this_thread::get_id(); }

event_base* EventLoop::base() { return inner_->base.get(); }

}  // namespace tribune::net
