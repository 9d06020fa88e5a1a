#include "balancer/sources/end_hold.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace std::chrono_literals;
using balancer::EndFacts;
using balancer::EndHold;

TEST_CASE("an end is held by these facts, at these times after it first came") {
  struct Case {
    const char* name;
    EndFacts facts;
    std::chrono::milliseconds after;
    bool holds;
  };
  const Case cases[] = {
      {"a live channel without backups", {true, false, false, 0ms}, 0ms, false},
      {"a film", {false, false, false, 0ms}, 0ms, false},
      {"a film with backups and hold_end", {false, true, false, 10s}, 0ms, false},
      {"a backup advances", {true, true, false, 0ms}, 0ms, true},
      {"a backup still advances", {true, true, false, 0ms}, 1h, true},
      {"hold_end", {true, false, false, 10s}, 0ms, true},
      {"just before hold_end", {true, false, false, 10s}, 9'999ms, true},
      {"at hold_end", {true, false, false, 10s}, 10s, false},
      {"after hold_end a backup advances", {true, true, false, 10s}, 11s, true},
      {"the operator has ended it, with a backup", {true, true, true, 0ms}, 0ms, false},
      {"the operator has ended it, with hold_end", {true, false, true, 10s}, 1s, false},
  };
  for (const auto& one : cases) {
    CAPTURE(one.name);
    const base::SteadyTime begin{1h};
    EndHold hold;
    if (one.after > 0ms) CHECK(hold.holds({true, true, false, 0ms}, begin));
    CHECK(hold.holds(one.facts, begin + one.after) == one.holds);
    CHECK(hold.is_holding() == one.holds);
  }
}

TEST_CASE("hold_end counts from the first end after the channel was live") {
  const EndFacts facts{true, false, false, 10s};
  const base::SteadyTime begin{1h};
  EndHold hold;
  CHECK(hold.holds(facts, begin));
  hold.release();
  CHECK_FALSE(hold.is_holding());
  CHECK(hold.holds(facts, begin + 9s));
  CHECK(hold.holds(facts, begin + 18s));
  CHECK_FALSE(hold.holds(facts, begin + 19s));
}
