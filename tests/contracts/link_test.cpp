#include "contracts/link.h"

#include "contracts/keys.h"

using namespace tribune;
using namespace tribune::contracts;
using namespace std::chrono_literals;
using test::kNow;
using test::kSkew;

namespace {

Link example_link() { return {"demo", "e7x2", "720p/seg1.m4s", "sig=a%2Fb&n=1", base::unix_seconds(kNow) + 3600}; }

bool verifies(const base::KeyRing& ring, const Link& link, std::string_view query, base::WallTime now = kNow) {
  return verify_link(ring, link.channel, link.path, query, now, kSkew).has_value();
}

}  // namespace

TEST_CASE("a signed link is read back as the value that was written") {
  const auto ring = test::one_key();
  const auto query = signed_query(ring, example_link(), kNow);
  CHECK(query.starts_with("sig=a%2Fb&n=1&tl=e7x2.1750003600.k1."));
  const auto link = verify_link(ring, "demo", "720p/seg1.m4s", query, kNow, kSkew);
  REQUIRE(link);
  CHECK(*link == example_link());
  CHECK(media_target(*link, query) == "/media/demo/e7x2/720p/seg1.m4s?" + query);
}

TEST_CASE("a link without an origin query carries only the signature") {
  const auto ring = test::one_key();
  auto link = example_link();
  link.origin_query.clear();
  const auto query = signed_query(ring, link, kNow);
  CHECK(query.starts_with("tl="));
  REQUIRE(verifies(ring, link, query));
  CHECK_FALSE(verifies(ring, link, "&" + query));
  CHECK_FALSE(verifies(ring, link, "a=1&" + query));
}

TEST_CASE("the same link is always signed with the same text") {
  CHECK(signed_query(test::one_key(), example_link(), kNow) ==
        signed_query(test::one_key(), example_link(), kNow + 5min));
}

TEST_CASE("every changed bit of a link's query is refused") {
  const auto ring = test::one_key();
  test::refuse_every_flip(signed_query(ring, example_link(), kNow),
                          [&](const std::string& q) { return verifies(ring, example_link(), q); });
}

TEST_CASE("every changed bit of a link's path or channel is refused") {
  const auto ring = test::one_key();
  const auto query = signed_query(ring, example_link(), kNow);
  test::refuse_every_flip("720p/seg1.m4s", [&](const std::string& p) {
    return verify_link(ring, "demo", p, query, kNow, kSkew).has_value();
  });
  test::refuse_every_flip("demo", [&](const std::string& c) {
    return verify_link(ring, c, "720p/seg1.m4s", query, kNow, kSkew).has_value();
  });
}

TEST_CASE("a cut link is refused") {
  const auto ring = test::one_key();
  const auto query = signed_query(ring, example_link(), kNow);
  for (std::size_t length = 0; length < query.size(); ++length)
    CHECK_FALSE(verifies(ring, example_link(), query.substr(0, length)));
}

TEST_CASE("query keys after the signature are not part of the link") {
  const auto ring = test::one_key();
  const auto query = signed_query(ring, example_link(), kNow);
  const auto link = verify_link(ring, "demo", "720p/seg1.m4s", query + "&CMCD=bl%3D2000&cache=city", kNow, kSkew);
  REQUIRE(link);
  CHECK(*link == example_link());
}

TEST_CASE("an origin's own query key with the name of the signature does not affect the signature") {
  const auto ring = test::one_key();
  auto link = example_link();
  link.origin_query = "tl=1.2.3.4&x=tl=5";
  const auto query = signed_query(ring, link, kNow);
  const auto read = verify_link(ring, "demo", link.path, query, kNow, kSkew);
  REQUIRE(read);
  CHECK(*read == link);
  CHECK(has_link("tl=1.2.3.4"));
  CHECK_FALSE(has_link("tl=1"));
  CHECK_FALSE(has_link("xtl=1.2.3.4"));
  CHECK_FALSE(has_link(""));
}

TEST_CASE("a link expires at its time plus the clock skew, with an error of its own") {
  const auto ring = test::one_key();
  const auto query = signed_query(ring, example_link(), kNow);
  CHECK(verifies(ring, example_link(), query, kNow + 1h));
  CHECK(verifies(ring, example_link(), query, kNow + 1h + kSkew));
  const auto late = verify_link(ring, "demo", "720p/seg1.m4s", query, kNow + 1h + kSkew + 1ms, kSkew);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == base::ErrorKind::timeout);
  CHECK(late.error().fault == base::Fault::client);
}

TEST_CASE("an expired link is accepted while playlists list links of the same age, and no older one is") {
  const auto ring = test::one_key();
  const auto query = signed_query(ring, example_link(), kNow);
  const auto expires = example_link().expires;
  const auto late = kNow + 24h;
  CHECK(verify_link(ring, "demo", "720p/seg1.m4s", query, late, kSkew, expires));
  CHECK(verify_link(ring, "demo", "720p/seg1.m4s", query, late, kSkew, expires - 1));
  const auto older = verify_link(ring, "demo", "720p/seg1.m4s", query, late, kSkew, expires + 1);
  REQUIRE_FALSE(older);
  CHECK(older.error().kind == base::ErrorKind::timeout);
  CHECK(verify_link(ring, "demo", "720p/seg1.m4s", query, kNow, kSkew, expires + 1));
  CHECK(verify_link(ring, "demo", "720p/seg2.m4s", query, late, kSkew, 0).error().kind == base::ErrorKind::forbidden);
}

TEST_CASE("a forged expiry is forbidden, not expired") {
  const auto ring = test::one_key();
  auto query = signed_query(ring, example_link(), kNow);
  query.replace(query.find("1750003600"), 10, "1000000000");
  const auto link = verify_link(ring, "demo", "720p/seg1.m4s", query, kNow, kSkew);
  REQUIRE_FALSE(link);
  CHECK(link.error().kind == base::ErrorKind::forbidden);
}

TEST_CASE("a link of another epoch is refused on a cache node's path") {
  const auto ring = test::one_key();
  const auto query = signed_query(ring, example_link(), kNow);
  CHECK(verify_media_link(ring, "demo", "e7x2", "720p/seg1.m4s", query, kNow, kSkew));
  const auto other = verify_media_link(ring, "demo", "e7x3", "720p/seg1.m4s", query, kNow, kSkew);
  REQUIRE_FALSE(other);
  CHECK(other.error().kind == base::ErrorKind::forbidden);
}

TEST_CASE("a link of another key with the same id is refused") {
  CHECK_FALSE(verifies(test::one_key(), example_link(), signed_query(test::other_key(), example_link(), kNow)));
}

TEST_CASE("after a rotation old links are valid until the old key ends") {
  const base::KeyRing before({{"old", "the old secret has 32 bytes, too", std::nullopt}});
  const base::KeyRing after({{"new", "the new secret has 32 bytes, too", std::nullopt},
                             {"old", "the old secret has 32 bytes, too", kNow + 10min}});
  const auto query = signed_query(before, example_link(), kNow);
  CHECK(verifies(after, example_link(), query, kNow));
  CHECK_FALSE(verifies(after, example_link(), query, kNow + 10min));
  CHECK(signed_query(after, example_link(), kNow).find(".new.") != std::string::npos);
}

TEST_CASE("a signature for a token is not valid for a link") {
  const auto ring = test::one_key();
  const auto made = ring.sign(base::KeyRing::Purpose::token, "demo\ne7x2\n720p/seg1.m4s\n\n1750003600", kNow);
  REQUIRE(made);
  const auto good = ring.sign(base::KeyRing::Purpose::link, "demo\ne7x2\n720p/seg1.m4s\n\n1750003600", kNow);
  REQUIRE(good);
  CHECK(made->mac != good->mac);
}

TEST_CASE("an invalid link is not signed") {
  const auto ring = test::one_key();
  for (auto change : {+[](Link& l) { l.epoch = "E1"; }, +[](Link& l) { l.epoch = ""; }, +[](Link& l) { l.path = ""; },
                      +[](Link& l) { l.path = "a\nb"; }, +[](Link& l) { l.origin_query = "a b"; },
                      +[](Link& l) { l.channel = ""; }, +[](Link& l) { l.expires = -1; }}) {
    auto link = example_link();
    change(link);
    CHECK(signed_query(ring, link, kNow).empty());
  }
  CHECK(signed_query(base::KeyRing({}), example_link(), kNow).empty());
}

TEST_CASE("malformed and oversized queries are refused") {
  const auto ring = test::one_key();
  const std::string huge(1 << 20, '.');
  for (const std::string& query :
       {std::string(), std::string("tl="), std::string("tl=..."), std::string("tl=e.99999999999999999999.k1.AAAA"),
        "tl=" + huge, std::string("tl=e.1.k1.\0AAAA", 15), std::string(1 << 20, '&'),
        std::string("tl=e.-1.k1.AAAAAAAAAAAAAAAAAAAAAA"), std::string("tl=e.01.k1.AAAAAAAAAAAAAAAAAAAAAA")}) {
    CHECK_FALSE(verifies(ring, example_link(), query));
  }
}

TEST_CASE("the expiry is one to two lifetimes away and the same for all links that are made within one lifetime") {
  const auto at = [](std::int64_t seconds) { return base::WallTime{std::chrono::seconds{seconds}}; };
  CHECK(link_expiry(at(1000), 100s) == 1100);
  CHECK(link_expiry(at(1001), 100s) == 1200);
  CHECK(link_expiry(at(1099), 100s) == 1200);
  CHECK(link_expiry(at(1100), 100s) == 1200);
  CHECK(link_expiry(at(1101), 100s) == 1300);
  CHECK(link_expiry(at(1000), 0ms) == 1001);
}

TEST_CASE("a link's pace is signed with it, and has exactly one notation") {
  const auto ring = test::one_key();
  auto link = example_link();
  link.pace_kbps = 12'000;
  const auto query = signed_query(ring, link, kNow);
  CHECK(query.starts_with("sig=a%2Fb&n=1&tl=e7x2.1750003600-12000.k1."));
  const auto read = verify_link(ring, "demo", link.path, query, kNow, kSkew);
  REQUIRE(read);
  CHECK(*read == link);
  test::refuse_every_flip(query, [&](const std::string& q) { return verifies(ring, link, q); });
  const auto at = query.find("-12000");
  for (const char* other : {"", "-", "-0", "-012000", "-12001", "-12000-1", "-+12000"}) {
    CAPTURE(other);
    auto changed = query;
    CHECK_FALSE(verifies(ring, link, changed.replace(at, 6, other)));
  }
  link.pace_kbps = -1;
  CHECK(signed_query(ring, link, kNow).empty());
}

TEST_CASE("a redirect link is accepted by the balancer alone, and a momentary one until its expiry alone") {
  const auto ring = test::one_key();
  const auto on_node = [&](const Link& link, base::WallTime now, std::optional<std::int64_t> listed_from) {
    return verify_media_link(ring, "demo", "e7x2", link.path, signed_query(ring, link, kNow), now, kSkew, listed_from);
  };
  auto link = example_link();
  const auto much_later = kNow + 3600s + kSkew + 1s;
  CHECK(on_node(link, kNow, std::nullopt));
  CHECK(on_node(link, much_later, link.expires));
  link.use = LinkUse::redirect;
  const auto query = signed_query(ring, link, kNow);
  CHECK(query.find("tl=e7x2.r1750003600.k1.") != std::string::npos);
  CHECK(verify_link(ring, "demo", link.path, query, kNow, kSkew) == link);
  CHECK(verify_link(ring, "demo", link.path, query, much_later, kSkew, link.expires) == link);
  const auto refused = on_node(link, kNow, std::nullopt);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == base::ErrorKind::forbidden);
  link.use = LinkUse::momentary;
  CHECK(on_node(link, kNow, std::nullopt) == link);
  CHECK_FALSE(on_node(link, much_later, link.expires));
}

TEST_CASE("the use of a link is signed, and has one spelling") {
  const auto ring = test::one_key();
  auto link = example_link();
  link.use = LinkUse::redirect;
  const auto query = signed_query(ring, link, kNow);
  for (const std::string terms : {"1750003600", "m1750003600", "rr1750003600", "rm1750003600", "r", "R1750003600"}) {
    auto other = query;
    other.replace(other.find("r1750003600"), 11, terms);
    CHECK_FALSE(verifies(ring, link, other));
  }
  test::refuse_every_flip(query, [&](const std::string& q) { return verifies(ring, link, q); });
}

TEST_CASE("what a player adds to a link's query is told apart from it") {
  const auto query = signed_query(test::one_key(), example_link(), kNow);
  CHECK(added_query(query) == "");
  CHECK(added_query(query + "&CMCD=bl%3D1&_x") == "&CMCD=bl%3D1&_x");
  CHECK(added_query("a=1") == "");
}
