#include "runtime/signals.h"

#include <doctest/doctest.h>

#include <csignal>
#include <thread>

using namespace tribune::runtime;
using namespace std::chrono_literals;

namespace {

void send(int signal) { pthread_kill(pthread_self(), signal); }

}  // namespace

TEST_CASE("signals are delivered as events, in any number, and never end the process") {
  Signals signals;
  send(SIGHUP);
  auto event = signals.wait(5s);
  CHECK(event.kind == Signals::Kind::reload);
  for (const int signal : {SIGTERM, SIGINT}) {
    send(signal);
    event = signals.wait(std::nullopt);
    CHECK(event.kind == Signals::Kind::stop);
    CHECK(event.signal == signal);
  }
}

TEST_CASE("signals without a meaning are events, too, and do not end the process") {
  Signals signals;
  for (const int signal : {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR}) {
    send(signal);
    const auto event = signals.wait(5s);
    CHECK(event.kind == Signals::Kind::unused);
    CHECK(event.signal == signal);
  }
}

TEST_CASE("another thread can end the wait") {
  Signals signals;
  std::thread other([&] { signals.wake(); });
  CHECK(signals.wait(std::nullopt).kind == Signals::Kind::woken);
  other.join();
}

TEST_CASE("the wait ends at its timeout") {
  Signals signals;
  CHECK(signals.wait(0ms).kind == Signals::Kind::timeout);
  CHECK(signals.wait(1ms).kind == Signals::Kind::timeout);
}
