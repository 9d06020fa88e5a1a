#include "balancer/node_push/snapshot_hold.h"

#include <doctest/doctest.h>

#include "balancer/playlist_flow_fixture.h"

using namespace tribune;
using namespace tribune::balancer;

namespace {

SnapshotPtr reading(std::int64_t msn) { return std::make_shared<test::FakeSnapshot>(false, msn, msn + 1); }

}  // namespace

TEST_CASE("a node's viewers see a snapshot when the node fills it, other viewers at once") {
  SnapshotHold hold;
  const auto one = reading(1), two = reading(2);
  CHECK(hold.visible(one, "a", 1) == one);
  hold.hold(1, one, {"a", "b"});
  CHECK(hold.visible(two, "a", 1) == one);
  CHECK(hold.visible(two, "c", 3) == two);
  CHECK(hold.visible(two, "", 4) == two);
  hold.open(1, "a");
  CHECK(hold.visible(two, "a", 1) == two);
  CHECK(hold.visible(two, "b", 2) == one);
  hold.open(1, "nobody");
  hold.open(2, "b");
  CHECK(hold.visible(two, "b", 2) == one);
  hold.end(1);
  CHECK(hold.visible(two, "b", 2) == two);
}

TEST_CASE("a session that saw a snapshot does not see an older one at another node") {
  SnapshotHold hold;
  const auto one = reading(1), two = reading(2), three = reading(3);
  hold.hold(1, one, {"slow"});
  CHECK(hold.visible(two, "quick", 1) == two);
  CHECK(hold.visible(two, "slow", 1) == two);
  CHECK(hold.visible(two, "slow", 2) == one);
  hold.hold(2, two, {"slow"});
  CHECK(hold.visible(three, "slow", 1) == two);
  CHECK(hold.visible(three, "slow", 2) == one);
  CHECK(hold.visible(three, "quick", 1) == three);
  CHECK(hold.visible(three, "slow", 1) == three);
}

TEST_CASE("snapshots that are held one after the other open in their order") {
  SnapshotHold hold;
  const auto one = reading(1), two = reading(2), three = reading(3), four = reading(4);
  hold.hold(1, one, {"a"});
  hold.hold(2, two, {"a"});
  CHECK(hold.visible(four, "a", 1) == one);  // the fourth has no new segment
  hold.open(1, "a");
  CHECK(hold.visible(four, "a", 1) == two);
  hold.open(2, "a");
  CHECK(hold.visible(four, "a", 1) == four);
}

TEST_CASE("a wait ends once, when the session's node opens or all holds end") {
  SnapshotHold hold;
  int a = 0, b = 0;
  CHECK_FALSE(hold.wait("a", 1, [&] { ++a; }));
  hold.hold(1, reading(1), {"a", "b"});
  CHECK_FALSE(hold.wait("c", 1, [&] { ++a; }));
  CHECK(hold.wait("a", 1, [&] { ++a; }));
  CHECK(hold.wait("b", 2, [&] { ++b; }));
  hold.open(1, "a");
  CHECK(a == 1);
  CHECK(b == 0);
  hold.end();
  CHECK(a == 1);
  CHECK(b == 1);
}

TEST_CASE("a forgotten hold releases its snapshots without a call back") {
  SnapshotHold hold;
  auto former = reading(1);
  hold.hold(1, former, {"a"});
  CHECK(hold.wait("a", 1, [] { FAIL("nobody is told"); }));
  hold.forget();
  CHECK(former.use_count() == 1);
  CHECK(hold.visible(reading(2), "a", 1)->first_msn() == 2);
}
