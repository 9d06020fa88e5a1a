#include "cache_node/orders/warm_up.h"

#include <doctest/doctest.h>

#include <map>

#include "support/silent_log.h"
#include "support/workers.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

struct WarmUpFixture {
  Workers workers{1};
  base::SystemClock clock;
  base::Log log{silent()};
  std::shared_ptr<FillMemory> memory = std::make_shared<FillMemory>(1 << 20);
  ObjectIndex index{1000, 1000, memory};
  std::mutex mutex;
  std::vector<std::string> begun;
  std::map<std::string, std::shared_ptr<Fill>> fills;
  WarmUp warm_up{workers.worker(0).loop, log, index,
                 [this](const std::string& object, auto slice) { return begin(object, slice); }};

  ~WarmUpFixture() { workers.stop(); }
  std::optional<ObjectKey> begin(std::string object, std::optional<std::uint64_t> slice) {
    const std::lock_guard lock(mutex);
    if (slice) object += "#" + std::to_string(*slice);
    if (object.find("unknown") != std::string::npos) return std::nullopt;
    begun.push_back(object);
    fills[object] = std::get<ObjectIndex::Joined>(index.find_or_begin(object_key(object), clock.steady_now())).fill;
    return object_key(object);
  }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return begun.size();
  }
  std::shared_ptr<Fill> fill(const std::string& object) {
    const std::lock_guard lock(mutex);
    return fills[object];
  }
  template <class Holds>
  bool wait(Holds holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!holds() && std::chrono::steady_clock::now() < end) workers.on(0, [] { std::this_thread::yield(); });
    return holds();
  }
};

}  // namespace

TEST_CASE_FIXTURE(WarmUpFixture, "a warm-up begins a limited number of fills at a time and counts their results") {
  contracts::WarmOrder order{"job1", {"c/e/unknown"}};
  for (int i = 0; i < 12; ++i) order.objects.push_back("c/e/" + std::to_string(i));
  REQUIRE(warm_up.begin(order));
  REQUIRE(wait([&] { return count() == 8; }));
  auto progress = *warm_up.progress("job1");
  CHECK(progress.total == 13);
  CHECK(progress.running == 8);
  CHECK(progress.failed == 1);
  CHECK_FALSE(progress.is_done());
  for (int i = 0; i < 12; ++i) {
    const auto object = "c/e/" + std::to_string(i);
    REQUIRE(wait([&] { return fill(object) != nullptr; }));
    const auto running = fill(object);
    if (i == 3) {
      index.abandon(*running);
      continue;
    }
    auto stored = std::make_shared<Object>();
    stored->id = running->key().id;
    index.complete(*running, stored);
  }
  REQUIRE(wait([&] { return warm_up.progress("job1")->is_done(); }));
  progress = *warm_up.progress("job1");
  CHECK(progress.stored == 11);
  CHECK(progress.failed == 2);
}

TEST_CASE_FIXTURE(
    WarmUpFixture,
    "a file in slices counts as stored when all its slices are stored, and as failed when one is missing") {
  const auto complete = [&](const std::string& object) {
    REQUIRE(wait([&] { return fill(object) != nullptr; }));
    const auto running = fill(object);
    auto stored = std::make_shared<Object>();
    stored->id = running->key().id;
    index.complete(*running, stored);
  };
  REQUIRE(warm_up.begin({"job1", {"c/e/film", "c/e/other"}}));
  for (const std::string name : {"c/e/film", "c/e/other"}) {
    REQUIRE(wait([&] { return fill(name) != nullptr; }));
    auto file = std::make_shared<SlicedFile>();
    file->key = object_key(name);
    file->size = 250;
    file->slice_bytes = 100;
    index.sliced().put(std::move(file));
    index.abandon(*fill(name));
  }
  for (int i = 0; i < 3; ++i) complete("c/e/film#" + std::to_string(i));
  complete("c/e/other#0");
  REQUIRE(wait([&] { return fill("c/e/other#1") != nullptr; }));
  index.abandon(*fill("c/e/other#1"));
  REQUIRE(wait([&] { return warm_up.progress("job1")->is_done(); }));
  CHECK(warm_up.progress("job1")->stored == 1);
  CHECK(warm_up.progress("job1")->failed == 1);
  CHECK_FALSE(fill("c/e/film#3"));
  CHECK_FALSE(fill("c/e/other#2"));
}

TEST_CASE_FIXTURE(WarmUpFixture, "a known job is not begun twice, and an unknown one has no progress") {
  REQUIRE(warm_up.begin({"job1", {"c/e/1"}}));
  REQUIRE(warm_up.begin({"job1", {"c/e/1", "c/e/2"}}));
  CHECK(warm_up.progress("job1")->total == 1);
  CHECK_FALSE(warm_up.progress("job2"));
}
