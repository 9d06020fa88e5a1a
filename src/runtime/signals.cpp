#include "runtime/signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>

namespace tribune::runtime {
namespace {

sigset_t awaited() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR})
    sigaddset(&set, signal);
  return set;
}

}  // namespace

Signals::Signals() {
  const auto set = awaited();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signal_fd_ < 0 || wake_fd_ < 0) std::abort();  // no descriptors are available
}

Signals::~Signals() {
  ::close(signal_fd_);
  ::close(wake_fd_);
}

Signals::Event Signals::wait(std::optional<std::chrono::milliseconds> time) {
  using Steady = std::chrono::steady_clock;
  const auto deadline = time ? std::optional(Steady::now() + *time) : std::nullopt;
  while (true) {
    int left_ms = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Steady::now()).count();
      left_ms = static_cast<int>(std::max<std::int64_t>(0, left));
    }
    pollfd fds[] = {{signal_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}};
    const int ready = ::poll(fds, 2, left_ms);
    if (ready == 0) return {Kind::timeout};
    if (ready < 0) continue;  // EINTR
    signalfd_siginfo info{};
    if (fds[0].revents && ::read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (signal == SIGHUP) return {Kind::reload, signal};
      return {signal == SIGTERM || signal == SIGINT ? Kind::stop : Kind::unused, signal};
    }
    std::uint64_t count = 0;
    if (fds[1].revents && ::read(wake_fd_, &count, sizeof count) == static_cast<ssize_t>(sizeof count))
      return {Kind::woken};
  }
}

void Signals::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

void ignore_broken_pipes() { std::signal(SIGPIPE, SIG_IGN); }

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace tribune::runtime
