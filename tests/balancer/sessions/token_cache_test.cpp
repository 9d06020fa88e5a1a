#include "balancer/sessions/token_cache.h"

#include <doctest/doctest.h>

#include "contracts/keys.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using test::kNow;
using test::kSkew;

namespace {

using Ring = std::shared_ptr<const base::KeyRing>;

Ring ring_of(std::vector<base::SigningKey> keys) { return std::make_shared<base::KeyRing>(std::move(keys)); }
base::SigningKey key(std::string id, std::optional<base::WallTime> not_after = std::nullopt) {
  return {id, "the secret of key " + id, not_after};
}
std::string token_of(const Ring& ring, std::uint64_t session, base::WallTime opened = kNow) {
  return contracts::write_token(*ring, {"demo", session, base::unix_seconds(opened), contracts::LinksMode::direct},
                                kNow);
}

}  // namespace

TEST_CASE("a cached token is equal to the verified one") {
  TokenCache memo;
  const auto ring = ring_of({key("a")});
  const auto text = token_of(ring, 7);
  const auto first = memo.read(ring, "demo", text, kNow, kSkew);
  REQUIRE(first);
  CHECK(memo.size() == 1);
  const auto again = memo.read(ring, "demo", text, kNow + 1h, kSkew);
  REQUIRE(again);
  CHECK(*again == *first);
  CHECK(again->session == 7);
  CHECK(memo.size() == 1);
}

TEST_CASE("a token of a key that was withdrawn is refused at the next request") {
  TokenCache memo;
  const auto before = ring_of({key("a"), key("b")}), after = ring_of({key("b")});
  const auto text = token_of(before, 7);
  REQUIRE(memo.read(before, "demo", text, kNow, kSkew));
  CHECK_FALSE(memo.read(after, "demo", text, kNow, kSkew));
  CHECK(memo.size() == 0);
}

TEST_CASE("a token is refused when the secret of its key's id was replaced") {
  TokenCache memo;
  const auto before = ring_of({key("a")}), after = ring_of({{"a", "another secret, the same id", std::nullopt}});
  const auto text = token_of(before, 7);
  REQUIRE(memo.read(before, "demo", text, kNow, kSkew));
  CHECK_FALSE(memo.read(after, "demo", text, kNow, kSkew));
}

TEST_CASE("a token is refused from the time at which its key ends") {
  TokenCache memo;
  const auto ring = ring_of({key("a", kNow + 1h), key("b")});
  const auto text = token_of(ring, 7);
  REQUIRE(memo.read(ring, "demo", text, kNow, kSkew));
  CHECK(memo.read(ring, "demo", text, kNow + 1h - 1ms, kSkew));
  CHECK_FALSE(memo.read(ring, "demo", text, kNow + 1h, kSkew));
}

TEST_CASE("a cached token is not valid for another channel") {
  TokenCache memo;
  const auto ring = ring_of({key("a")});
  const auto text = token_of(ring, 7);
  REQUIRE(memo.read(ring, "demo", text, kNow, kSkew));
  CHECK_FALSE(memo.read(ring, "demo2", text, kNow, kSkew));
  CHECK(memo.read(ring, "demo", text, kNow, kSkew));
}

TEST_CASE("when the clock steps back, a cached token may be from the future again") {
  TokenCache memo;
  const auto ring = ring_of({key("a")});
  const auto text = token_of(ring, 7);
  REQUIRE(memo.read(ring, "demo", text, kNow, kSkew));
  CHECK_FALSE(memo.read(ring, "demo", text, kNow - kSkew - 1s, kSkew));
}

TEST_CASE("refused tokens are not cached, and a part of a token is not accepted") {
  TokenCache memo;
  const auto ring = ring_of({key("a")});
  const auto text = token_of(ring, 7);
  REQUIRE(memo.read(ring, "demo", text, kNow, kSkew));
  for (auto wrong :
       {text.substr(0, text.size() - 1), text + "A", std::string(), std::string("a."), "b" + text.substr(1)}) {
    CAPTURE(wrong);
    CHECK_FALSE(memo.read(ring, "demo", wrong, kNow, kSkew));
  }
  CHECK(memo.size() == 1);
}

TEST_CASE("only the tokens of two generations are cached, and a token used in time stays") {
  TokenCache memo(4);
  const auto ring = ring_of({key("a")});
  const auto faithful = token_of(ring, 1'000);
  for (std::uint64_t session = 1; session <= 100; ++session) {
    REQUIRE(memo.read(ring, "demo", token_of(ring, session), kNow, kSkew));
    REQUIRE(memo.read(ring, "demo", faithful, kNow, kSkew));
    CHECK(memo.size() <= 8);
  }
}
