#include "contracts/purge_mark.h"

#include <doctest/doctest.h>

#include "contracts/keys.h"
#include "contracts/peer_mark.h"

using namespace tribune;
using namespace tribune::contracts;
using By = PurgeOrder::By;

TEST_CASE("marks of purges are read as they were written") {
  const std::vector<NamedPurge> purges{
      {"k3x9-12", {By::channel, "demo", false}},
      {"k3x9-14", {By::url, "demo/e1/a;b.m3u8?x=1;2", true}, std::chrono::seconds(3'599)},
      {"other", {By::tag, "match", false}},
      {"k-1", {By::prefix, "demo/e1/", false}}};
  std::string text;
  for (const auto& purge : purges) text += (text.empty() ? "" : " ") + purge_mark(purge);
  const auto read = read_purge_marks(text);
  REQUIRE(read);
  CHECK(*read == purges);
  CHECK(read_purge_marks("")->empty());
}

TEST_CASE("invalid marks are refused") {
  for (const char* text :
       {"a", "a;url", "a;url;hard", "a;url;hard;0", "a;url;hard;0;", "a;url;hard;x", "a;url;hard;x;y",
        "a;url;hard;-1;x", "a;url;hard;01;x", "a;url;hard;999999999999999;x", "a;all;hard;0;x", "a;url;other;0;x",
        "A;url;hard;0;x", "a;url;hard;0;x  b;url;hard;0;y", ";;;;"})
    CHECK_FALSE(read_purge_marks(text));
  std::string many;
  for (std::size_t i = 0; i <= kMaxPurgeMarks; ++i) many += "a-" + std::to_string(i) + ";url;hard;0;x ";
  CHECK_FALSE(read_purge_marks(many));
  CHECK_FALSE(read_purge_marks("a;url;hard;0;" + std::string(kMaxPurgeMarkBytes, 'x')));
}

TEST_CASE("the id of an order has its issuer and number") {
  CHECK(order_name("k3x9-12").issuer == "k3x9");
  CHECK(order_name("k3x9-12").number == 12);
  CHECK(order_name(order_id("a-b", 7)).issuer == "a-b");
  CHECK(order_name(order_id("a-b", 7)).number == 7);
  CHECK(order_name(order_id("a", 1'763'816'000'000'001)).number == 1'763'816'000'000'001);
  CHECK(order_name("plain").issuer == "plain");
  CHECK(order_name("a-b").issuer == "a-b");
}

TEST_CASE("the purges that a node sends are signed with its mark") {
  const auto keys = test::one_key();
  const PeerMark mark{PeerMark::Kind::peer, "a", 0, "k-1;channel;hard;0;demo"};
  auto fields = mark_fields(keys, mark, "o", test::kNow);
  const auto read = read_mark(keys, fields, "o", test::kNow, test::kSkew);
  REQUIRE(read);
  CHECK(*read == mark);
  for (const char* forged :
       {"k-1;channel;hard;0;other", "k-1;channel;hard;1;demo", "k-1;channel;hard;0;demo k-2;channel;hard;0;x"}) {
    auto changed = fields;
    changed.set(kPurgesHeader, forged);
    CHECK_FALSE(read_mark(keys, changed, "o", test::kNow, test::kSkew));
  }
  auto without = mark_fields(keys, {PeerMark::Kind::peer, "a", 0}, "o", test::kNow);
  without.add(kPurgesHeader, mark.purges);
  CHECK_FALSE(read_mark(keys, without, "o", test::kNow, test::kSkew));
}
