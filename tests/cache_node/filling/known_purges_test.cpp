#include "cache_node/filling/known_purges.h"

#include <doctest/doctest.h>

#include <fstream>

#include "support/folder.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::cache_node;
using contracts::NamedPurge;
using By = contracts::PurgeOrder::By;
using Status = KnownPurges::Status;

namespace {

struct KnownPurgesFixture {
  base::Log log{test::silent()};
  base::Metrics metrics;
  base::ManualClock clock;
  KnownPurges known{clock, log, metrics};

  static NamedPurge purge(std::string id, By by, std::string value, bool soft = false) {
    return {std::move(id), {by, std::move(value), soft}};
  }
  /// The ids that are sent with a request for the object.
  std::vector<std::string> pending(std::string_view key) {
    std::vector<std::string> ids;
    const auto marks = contracts::read_purge_marks(known.covering(key).marks);
    REQUIRE(marks);
    for (const auto& one : *marks) ids.push_back(one.id);
    std::sort(ids.begin(), ids.end());
    return ids;
  }
};
using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(KnownPurgesFixture,
                  "exactly the purges that cover an object are found, by URL, prefix, channel or tag") {
  CHECK(pending("demo/e1/v1/seg1.ts").empty());
  known.begin(purge("a-1", By::url, "demo/e1/v1/seg1.ts"));
  known.begin(purge("a-2", By::prefix, "demo/e1/v1/"));
  known.begin(purge("a-3", By::prefix, "demo/e1/v1/seg"));
  known.begin(purge("a-4", By::channel, "demo"));
  known.begin(purge("a-5", By::channel, "dem"));
  known.begin(purge("a-6", By::url, "demo/e1/v1/seg2.ts"));
  CHECK(pending("demo/e1/v1/seg1.ts") == Ids{"a-1", "a-2", "a-3", "a-4"});
  CHECK(pending("demo/e1/v1/seg1.ts#6b.12.3") == Ids{"a-1", "a-2", "a-3", "a-4"});  // a slice of it
  CHECK(pending("demo/e1/v2/x.ts") == Ids{"a-4"});
  CHECK(pending("other/e1/v1/seg1.ts").empty());
  known.begin(purge("a-7", By::tag, "match"));
  CHECK(pending("other/e1/v1/seg1.ts") == Ids{"a-7"});  // its tags are not known yet
}

TEST_CASE_FIXTURE(KnownPurgesFixture,
                  "of equal purges of one issuer the newest replaces the others, in whatever order they arrive") {
  const auto first = purge("a-1", By::channel, "demo"), second = purge("a-2", By::channel, "demo"),
             other = purge("b-1", By::channel, "demo");
  known.begin(second);
  known.begin(first);
  known.end(first, 5);
  CHECK(known.status(second) == Status::running);
  CHECK(known.status(first) == Status::running);
  known.end(second, 7);
  CHECK(known.status(first) == Status::done);
  CHECK(known.taken(second) == 7);
  known.begin(other);
  known.fail(other);
  CHECK(known.status(other) == Status::pending);
  CHECK(pending("demo/e1/x") == Ids{"a-2", "b-1"});
  CHECK(known.status(purge("a-3", By::channel, "demo")) == Status::unknown);
  CHECK(known.status(purge("a-2", By::channel, "demo", true)) == Status::unknown);  // a soft purge is a different one
}

TEST_CASE_FIXTURE(
    KnownPurgesFixture,
    "when the purges exceed the bounds of a request no other node is asked, which takes more than a hundred tags") {
  for (std::size_t i = 0; i < contracts::kMaxPurgeMarks; ++i)
    known.begin(purge("a-" + std::to_string(i), By::tag, "tag" + std::to_string(i)));
  CHECK_FALSE(known.covering("demo/e1/x").exceeds_limit);
  known.begin(purge("b-1", By::channel, "demo"));
  CHECK(known.covering("demo/e1/x").exceeds_limit);
  CHECK(pending("demo/e1/x").size() ==
        contracts::kMaxPurgeMarks);  // as many as fit; purges of a few objects come first
  CHECK(contracts::read_purge_marks(known.covering("demo/e1/x").marks)->at(0).id == "b-1");
  CHECK_FALSE(known.covering("other/e1/x").exceeds_limit);
  known.begin(purge("b-2", By::url, "other/e1/" + std::string(contracts::kMaxPurgeMarkBytes, 'x')));
  CHECK(known.covering("other/e1/" + std::string(contracts::kMaxPurgeMarkBytes, 'x')).exceeds_limit);
}

TEST_CASE_FIXTURE(KnownPurgesFixture, "a purge is forgotten after an hour, and the oldest one at the bound") {
  known.begin(purge("a-1", By::channel, "demo"));
  clock.advance(KnownPurges::kRemembered);
  CHECK(pending("demo/e1/x") == Ids{"a-1"});
  clock.advance(std::chrono::seconds(1));
  CHECK(pending("demo/e1/x").empty());
  for (std::size_t i = 0; i <= KnownPurges::kMost; ++i)
    known.begin(purge("a-2", By::url, "demo/e1/" + std::to_string(i)));
  CHECK(pending("demo/e1/0").empty());
  CHECK(pending("demo/e1/1") == Ids{"a-2"});
}

TEST_CASE_FIXTURE(
    KnownPurgesFixture,
    "nodes that send each other a purge execute it once each and forget it, however long they exchange requests") {
  base::ManualClock other_clock;
  other_clock.advance(std::chrono::seconds(2));
  KnownPurges other(other_clock, log, metrics);
  int carried_out = 0;
  const auto ask = [&](KnownPurges& teller, KnownPurges& hearer) {
    const auto marks = contracts::read_purge_marks(teller.covering("demo/e1/x").marks);
    REQUIRE(marks);
    for (const auto& one : *marks) {
      if (KnownPurges::expires_soon(one) || hearer.status(one) != Status::unknown) continue;
      hearer.begin(one);
      hearer.end(one, 1);
      ++carried_out;
    }
  };
  const auto pass = [&](std::chrono::milliseconds time) {
    clock.advance(time);
    other_clock.advance(time);
  };
  const auto order = purge("a-1", By::channel, "demo");
  known.begin(order);
  known.end(order, 1);
  pass(std::chrono::seconds(2));
  for (std::chrono::milliseconds gone{0}; gone < std::chrono::hours(2); gone += std::chrono::milliseconds(700)) {
    ask(known, other);
    pass(std::chrono::milliseconds(30));  // on its way
    ask(other, known);
    pass(std::chrono::milliseconds(670));
  }
  CHECK(carried_out == 1);
  CHECK(known.covering("demo/e1/x").marks.empty());
  CHECK(known.status(order) == Status::unknown);
  CHECK(other.covering("demo/e1/x").marks.empty());
}

TEST_CASE_FIXTURE(KnownPurgesFixture,
                  "a purge that arrives late is forgotten by its age, not by the time of its arrival") {
  known.begin(purge("a-1", By::channel, "demo"));
  auto late = purge("b-1", By::channel, "demo");
  late.age = std::chrono::minutes(40);
  clock.advance(std::chrono::minutes(10));
  known.begin(late);
  known.begin(purge("b-1", By::channel, "demo"));  // again, as if it were new: its age is kept
  clock.advance(std::chrono::minutes(21));
  CHECK(pending("demo/e1/x") == Ids{"a-1"});
  clock.advance(std::chrono::minutes(30));
  CHECK(pending("demo/e1/x").empty());
}

TEST_CASE_FIXTURE(KnownPurgesFixture, "after a restart purges are still sent, and unfinished ones are pending") {
  test::Folder folder;
  known.load(folder / "purges.json");
  const auto done = purge("a-1", By::url, "demo/e1/a?x=1"), running = purge("a-2", By::channel, "demo", true);
  known.begin(done);
  known.end(done, 1);
  known.begin(running);
  known.save();
  KnownPurges again(clock, log, metrics);
  again.load(folder / "purges.json");
  CHECK(again.status(done) == Status::done);
  CHECK(again.status(running) == Status::pending);
  CHECK(again.covering("demo/e1/a?x=1").marks == known.covering("demo/e1/a?x=1").marks);

  base::ManualClock booted(clock.wall_now() + std::chrono::minutes(30));  // the steady clock starts anew
  KnownPurges later(booted, log, metrics);
  later.load(folder / "purges.json");
  CHECK(later.status(done) == Status::done);
  CHECK(contracts::read_purge_marks(later.covering("demo/e1/a?x=1").marks)->at(0).age == std::chrono::minutes(30));
  booted.advance(std::chrono::minutes(30) + std::chrono::seconds(1));
  CHECK(later.covering("demo/e1/a?x=1").marks.empty());

  booted.advance(std::chrono::hours(1));
  KnownPurges too_late(booted, log, metrics);
  too_late.load(folder / "purges.json");
  CHECK(too_late.status(done) == Status::unknown);
  CHECK(too_late.covering("demo/e1/a?x=1").marks.empty());

  std::ofstream(folder / "damaged.json") << "{\"purges\": [1, {}, {\"id\": 5}, {\"id\": \"a\", \"order\": {}}]}";
  KnownPurges damaged(clock, log, metrics);
  damaged.load(folder / "damaged.json");
  CHECK(damaged.covering("demo/e1/a").marks.empty());
}
