#include "net/event_loop.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

using namespace std::chrono_literals;
using tribune::net::EventLoop;
using tribune::net::Timer;

TEST_CASE("calls posted from other threads run in their order on the loop's thread") {
  EventLoop loop;
  std::vector<int> seen;
  bool all_on_loop = true;
  std::thread poster([&] {
    for (int i = 0; i < 1000; ++i)
      loop.post([&, i] {
        seen.push_back(i);
        all_on_loop = all_on_loop && loop.is_on_loop_thread();
      });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  poster.join();
  CHECK(all_on_loop);
  CHECK_FALSE(loop.is_on_loop_thread());
  REQUIRE(seen.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("calls that are queued when the loop stops run before run() returns") {
  EventLoop loop;
  bool ran = false;
  loop.stop();
  loop.post([&] { ran = true; });
  loop.run();
  CHECK(ran);
}

TEST_CASE("a loop that stopped can run again") {
  EventLoop loop;
  for (int round = 0; round < 3; ++round) {
    int calls = 0;
    loop.post([&] {
      ++calls;
      loop.stop();
    });
    loop.run();
    CHECK(calls == 1);
  }
}

TEST_CASE("timers fire in the order of their delays") {
  EventLoop loop;
  std::vector<int> seen;
  auto late = loop.after(30ms, [&] {
    seen.push_back(2);
    loop.stop();
  });
  auto early = loop.after(5ms, [&] { seen.push_back(1); });
  CHECK(late.pending());
  loop.run();
  CHECK(seen == std::vector<int>{1, 2});
  CHECK_FALSE(late.pending());
  CHECK_FALSE(early.pending());
}

TEST_CASE("a cancelled, destroyed or replaced timer never fires") {
  EventLoop loop;
  int fired = 0;
  auto cancelled = loop.after(1ms, [&] { ++fired; });
  cancelled.cancel();
  {
    auto destroyed = loop.after(1ms, [&] { ++fired; });
  }
  auto replaced = loop.after(1ms, [&] { ++fired; });
  replaced = loop.after(20ms, [&] { loop.stop(); });
  loop.run();
  CHECK(fired == 0);
}

TEST_CASE("a repeating timer goes on until it destroys itself") {
  EventLoop loop;
  int fired = 0;
  Timer beat;
  beat = loop.every(1ms, [&] {
    if (++fired < 3) return;
    beat.cancel();
    loop.stop();
  });
  loop.run();
  CHECK(fired == 3);
  CHECK_FALSE(beat.pending());
}

TEST_CASE("a timer may outlive its loop") {
  Timer timer;
  {
    EventLoop loop;
    timer = loop.after(1h, [] {});
  }
  timer.cancel();
  CHECK_FALSE(timer.pending());
}
