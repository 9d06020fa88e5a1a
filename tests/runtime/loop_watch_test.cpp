#include "runtime/loop_watch.h"

#include <doctest/doctest.h>

using namespace tribune;

TEST_CASE("a process is alive while every loop runs its tasks, and again when a blocked loop continues") {
  std::vector<std::function<void()>> first, second;
  runtime::LoopWatch watch(
      {[&](auto task) { first.push_back(std::move(task)); }, [&](auto task) { second.push_back(std::move(task)); }});
  const auto run = [](auto& loop) {
    for (const auto& task : loop) task();
    loop.clear();
  };
  CHECK(watch.all_answered());
  run(first);
  run(second);
  CHECK(watch.all_answered());
  run(first);
  CHECK_FALSE(watch.all_answered());  // the second loop is blocked
  CHECK_FALSE(watch.all_answered());
  CHECK(first.empty());
  CHECK(second.size() == 1);
  run(second);
  CHECK(watch.all_answered());
}
