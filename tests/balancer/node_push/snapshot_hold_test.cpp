#include "balancer/node_push/snapshot_hold.h"

#include <doctest/doctest.h>

#include "balancer/stage.h"

using namespace tribune;
using namespace tribune::balancer;

namespace {

SnapshotPtr reading(std::int64_t msn) { return std::make_shared<test::FakeSnapshot>(false, msn, msn + 1); }

}  // namespace

TEST_CASE("A node's viewers see a reading when the node fills it, the others at once") {
  SnapshotHold gate;
  const auto one = reading(1), two = reading(2);
  CHECK(gate.listed(one, "a", 1) == one);
  gate.hold(1, one, {"a", "b"});
  CHECK(gate.listed(two, "a", 1) == one);
  CHECK(gate.listed(two, "c", 3) == two);
  CHECK(gate.listed(two, "", 4) == two);
  gate.open(1, "a");
  CHECK(gate.listed(two, "a", 1) == two);
  CHECK(gate.listed(two, "b", 2) == one);
  gate.open(1, "nobody");
  gate.open(2, "b");
  CHECK(gate.listed(two, "b", 2) == one);
  gate.end(1);
  CHECK(gate.listed(two, "b", 2) == two);
}

TEST_CASE("Who saw a reading does not see an older one at another node") {
  SnapshotHold gate;
  const auto one = reading(1), two = reading(2), three = reading(3);
  gate.hold(1, one, {"slow"});
  CHECK(gate.listed(two, "quick", 1) == two);
  CHECK(gate.listed(two, "slow", 1) == two);
  CHECK(gate.listed(two, "slow", 2) == one);
  gate.hold(2, two, {"slow"});
  CHECK(gate.listed(three, "slow", 1) == two);
  CHECK(gate.listed(three, "slow", 2) == one);
  CHECK(gate.listed(three, "quick", 1) == three);
  CHECK(gate.listed(three, "slow", 1) == three);
}

TEST_CASE("Readings that are held back one after the other open in their order") {
  SnapshotHold gate;
  const auto one = reading(1), two = reading(2), three = reading(3), four = reading(4);
  gate.hold(1, one, {"a"});
  gate.hold(2, two, {"a"});
  CHECK(gate.listed(four, "a", 1) == one);  // the fourth said nothing new
  gate.open(1, "a");
  CHECK(gate.listed(four, "a", 1) == two);
  gate.open(2, "a");
  CHECK(gate.listed(four, "a", 1) == four);
}

TEST_CASE("A wait ends once, when the session's node opens, or all is over") {
  SnapshotHold gate;
  int a = 0, b = 0;
  CHECK_FALSE(gate.wait("a", 1, [&] { ++a; }));
  gate.hold(1, reading(1), {"a", "b"});
  CHECK_FALSE(gate.wait("c", 1, [&] { ++a; }));
  CHECK(gate.wait("a", 1, [&] { ++a; }));
  CHECK(gate.wait("b", 2, [&] { ++b; }));
  gate.open(1, "a");
  CHECK(a == 1);
  CHECK(b == 0);
  gate.end();
  CHECK(a == 1);
  CHECK(b == 1);
}

TEST_CASE("A gate that is left forgets what it held and tells nobody") {
  SnapshotHold gate;
  auto former = reading(1);
  gate.hold(1, former, {"a"});
  CHECK(gate.wait("a", 1, [] { FAIL("nobody is told"); }));
  gate.forget();
  CHECK(former.use_count() == 1);
  CHECK(gate.listed(reading(2), "a", 1)->first_msn() == 2);
}
