// How comparisons of playlists decide whether a backup has the same files as the source.
#include "balancer/sources/backup_trust.h"

#include <doctest/doctest.h>

#include "base/clock.h"

using namespace tribune;
using namespace std::chrono_literals;
using balancer::BackupTrust;
using balancer::FileComparison;
using Result = FileComparison::Result;

namespace {

constexpr auto kTarget = 2s;

struct Trust {
  base::ManualClock clock;
  BackupTrust trust{3};
  std::int64_t source_end = 100, backup_end = 7;

  bool compared(Result result, const std::string& playlist = "v", std::size_t origin = 1) {
    return trust.compared(origin, playlist,
                          {result, result == Result::different ? "names" : "", "", source_end, backup_end}, kTarget,
                          clock.steady_now());
  }
  std::optional<std::size_t> due(const std::string& playlist = "v") { return trust.due(playlist, clock.steady_now()); }
  void lose() {
    compared(Result::different);
    clock.advance(kTarget);
    REQUIRE(compared(Result::different));
  }
};

}  // namespace

TEST_CASE_FIXTURE(Trust, "a backup is trusted until it was compared, and the source always") {
  CHECK(trust.is_trusted(0));
  CHECK(trust.is_trusted(1));
  CHECK_FALSE(trust.is_compared(1));
  CHECK_FALSE(compared(Result::unknown));
  CHECK_FALSE(trust.is_compared(1));
  CHECK_FALSE(compared(Result::same));
  CHECK(trust.is_compared(1));
  CHECK_FALSE(trust.is_compared(2));
  CHECK_FALSE(compared(Result::different, "v", 0));
  CHECK_FALSE(compared(Result::different, "v", 3));
}

TEST_CASE_FIXTURE(Trust, "two comparisons in a row that contradict, a target duration apart, end the trust") {
  CHECK_FALSE(compared(Result::different));
  CHECK(trust.difference(1) == "names");
  clock.advance(kTarget - 1ms);
  CHECK_FALSE(compared(Result::different));
  CHECK(trust.is_trusted(1));
  clock.advance(1ms);
  CHECK(compared(Result::different));
  CHECK_FALSE(trust.is_trusted(1));
  CHECK(trust.is_trusted(2));
  CHECK_FALSE(compared(Result::different));
}

TEST_CASE_FIXTURE(Trust, "a single stale response ends no trust") {
  CHECK_FALSE(compared(Result::different));
  clock.advance(kTarget);
  SUBCASE("the next one agrees") {
    CHECK_FALSE(compared(Result::same));
    CHECK(trust.difference(1).empty());
  }
  SUBCASE("the next one is of another playlist") { CHECK_FALSE(compared(Result::different, "w")); }
  SUBCASE("the next one has nothing in common") { CHECK_FALSE(compared(Result::unrelated)); }
  CHECK(trust.is_trusted(1));
  CHECK_FALSE(compared(Result::different));
  CHECK(trust.is_trusted(1));
}

TEST_CASE_FIXTURE(Trust, "the agreement of another playlist refutes no contradiction") {
  CHECK_FALSE(compared(Result::different));
  clock.advance(kTarget);
  CHECK_FALSE(compared(Result::same, "w"));
  CHECK(compared(Result::different));
}

TEST_CASE_FIXTURE(Trust, "without a target duration the two comparisons are not the same moment") {
  const FileComparison different{Result::different, "names", "", 1, 1};
  CHECK_FALSE(trust.compared(1, "v", different, 0s, clock.steady_now()));
  CHECK_FALSE(trust.compared(1, "v", different, 0s, clock.steady_now()));
  clock.advance(1ms);
  CHECK(trust.compared(1, "v", different, 0s, clock.steady_now()));
}

TEST_CASE_FIXTURE(Trust, "playlists without a file in common end the trust when both advance for long") {
  CHECK_FALSE(compared(Result::unrelated));
  CHECK_FALSE(trust.is_compared(1));
  bool is_over = true;
  SUBCASE("both advance") { ++source_end, ++backup_end; }
  SUBCASE("only the source advances") { is_over = ++source_end < 0; }
  SUBCASE("only the backup advances") { is_over = ++backup_end < 0; }
  clock.advance(balancer::kLargestLag * kTarget - 1ms);
  CHECK_FALSE(compared(Result::unrelated));
  clock.advance(1ms);
  CHECK(compared(Result::unrelated) == is_over);
  CHECK(trust.is_trusted(1) != is_over);
  CHECK(trust.difference(1) == (is_over ? "names" : ""));
}

TEST_CASE_FIXTURE(Trust, "numbers further apart than a lag end the trust a target duration later when both advance") {
  const auto far = [&] {
    return trust.compared(1, "v", {Result::unrelated, "", "", source_end, backup_end, true}, kTarget,
                          clock.steady_now());
  };
  CHECK_FALSE(far());
  bool is_over = true;
  SUBCASE("both advance") { ++source_end, ++backup_end; }
  SUBCASE("the backup has stopped") { is_over = ++source_end < 0; }
  clock.advance(kTarget - 1ms);
  CHECK_FALSE(far());
  clock.advance(1ms);
  CHECK(far() == is_over);
}

TEST_CASE_FIXTURE(
    Trust, "trust returns after six comparisons that agree, ten seconds apart, with none between that does not") {
  lose();
  for (int i = 0; i < 5; ++i) {
    CHECK_FALSE(compared(Result::same));
    clock.advance(9'999ms);
    CHECK_FALSE(compared(Result::same));  // the same files once more
    clock.advance(1ms);
  }
  SUBCASE("the sixth agrees") {
    CHECK(compared(Result::same));
    CHECK(trust.is_trusted(1));
    CHECK(trust.difference(1).empty());
  }
  SUBCASE("the sixth contradicts") {
    CHECK_FALSE(compared(Result::different));
    clock.advance(10s);
    CHECK_FALSE(compared(Result::same));
    CHECK_FALSE(trust.is_trusted(1));
  }
  SUBCASE("the sixth has nothing in common") {
    CHECK_FALSE(compared(Result::unrelated));
    clock.advance(10s);
    CHECK_FALSE(compared(Result::same));
  }
  SUBCASE("the sixth says nothing") {
    CHECK_FALSE(compared(Result::unknown));
    CHECK(compared(Result::same));
  }
}

TEST_CASE_FIXTURE(Trust, "each backup is due every ten seconds, with any playlist") {
  CHECK(due() == 1);
  CHECK(due("w") == 2);
  CHECK_FALSE(due());
  clock.advance(10s - 1ms);
  CHECK_FALSE(due());
  clock.advance(1ms);
  CHECK(due("w") == 1);
}

TEST_CASE_FIXTURE(Trust, "after a contradiction the same playlist is due a target duration later") {
  CHECK(due() == 1);
  compared(Result::different);
  CHECK(due("w") == 2);
  clock.advance(kTarget - 1ms);
  CHECK_FALSE(due());
  clock.advance(1ms);
  CHECK_FALSE(due("w"));
  CHECK(due() == 1);
  SUBCASE("and the others again when the trust is lost") {
    CHECK(compared(Result::different));
    CHECK_FALSE(due());
    clock.advance(10s);
    CHECK(due("w") == 1);
  }
  SUBCASE("and the others again when it is not compared for a minute") {
    clock.advance(kTarget + 56s);
    CHECK(due("w") == 2);
    CHECK_FALSE(due("w"));
    clock.advance(2s + 1ms);
    CHECK(due("w") == 1);
  }
}

TEST_CASE_FIXTURE(Trust, "a backup that a former process distrusted is compared like any other") {
  trust.distrust(2);
  CHECK_FALSE(trust.is_trusted(2));
  CHECK(due() == 1);
  CHECK(due() == 2);
}
