#include "base/signing.h"

#include <doctest/doctest.h>

#include "base/encoding.h"
#include "base/ids.h"

using namespace tribune::base;
using Purpose = KeyRing::Purpose;

namespace {
constexpr WallTime kNow{std::chrono::seconds{1'700'000'000}};
KeyRing ring_of(std::vector<SigningKey> keys) { return KeyRing(std::move(keys)); }
}  // namespace

TEST_CASE("a signature is valid for its own message, purpose and key only") {
  const auto ring = ring_of({{"k1", "0123456789abcdef", {}}, {"k2", "fedcba9876543210", {}}});
  const auto signature = ring.sign(Purpose::link, "message", kNow);
  REQUIRE(signature);
  CHECK(signature->key_id == "k1");
  CHECK(signature->mac.size() == kMacBytes);
  CHECK(ring.verify(Purpose::link, "message", "k1", signature->mac, kNow));
  CHECK_FALSE(ring.verify(Purpose::link, "messagf", "k1", signature->mac, kNow));
  CHECK_FALSE(ring.verify(Purpose::token, "message", "k1", signature->mac, kNow));
  CHECK_FALSE(ring.verify(Purpose::link, "message", "k2", signature->mac, kNow));
  CHECK_FALSE(ring.verify(Purpose::link, "message", "k3", signature->mac, kNow));
  CHECK_FALSE(ring.verify(Purpose::link, "message", "k1", signature->mac.substr(1), kNow));
}

TEST_CASE("an ended key neither signs nor verifies, and the next one signs") {
  const auto ring = ring_of({{"old", "0123456789abcdef", kNow}, {"new", "fedcba9876543210", {}}});
  const auto before = ring.sign(Purpose::token, "m", kNow - std::chrono::seconds{1});
  REQUIRE(before);
  CHECK(before->key_id == "old");
  CHECK(ring.verify(Purpose::token, "m", "old", before->mac, kNow - std::chrono::seconds{1}));
  CHECK_FALSE(ring.verify(Purpose::token, "m", "old", before->mac, kNow));
  CHECK(ring.sign(Purpose::token, "m", kNow)->key_id == "new");
}

TEST_CASE("a ring returns the time until which a key verifies") {
  const KeyRing ring(
      {{"a", "a secret of 32 bytes for testing", std::nullopt}, {"b", "another secret, just as long ....", kNow}});
  CHECK(ring.usable_until("a") == WallTime::max());
  CHECK(ring.usable_until("b") == kNow);
  CHECK(ring.usable_until("c") == WallTime::min());
}

TEST_CASE("a masked text can be read with its own key, purpose and MAC only") {
  const auto ring = ring_of({{"k1", "0123456789abcdef", {}}, {"k2", "fedcba9876543210", kNow}});
  const auto mac = ring.sign(Purpose::token, "m", kNow)->mac;
  const auto before = kNow - std::chrono::seconds{1};
  const auto text = std::string("Living room TV, and more than one block of the stream, for that is 64 bytes");
  const auto masked = ring.masked(Purpose::token, text, "k1", mac, kNow);
  REQUIRE(masked);
  CHECK(masked->size() == text.size());
  CHECK(masked->find("room") == std::string::npos);
  CHECK(ring.masked(Purpose::token, *masked, "k1", mac, kNow) == text);
  CHECK(ring.masked(Purpose::ticket, *masked, "k1", mac, kNow) != text);
  CHECK(ring.masked(Purpose::token, *masked, "k2", mac, before) != text);
  CHECK(ring.masked(Purpose::token, *masked, "k1", ring.sign(Purpose::token, "n", kNow)->mac, kNow) != text);
  CHECK_FALSE(ring.masked(Purpose::token, text, "k2", mac, kNow));
  CHECK_FALSE(ring.masked(Purpose::token, text, "k3", mac, kNow));
  CHECK_FALSE(ring.masked(Purpose::token, text, "k1", mac.substr(1), kNow));
}

TEST_CASE("an empty ring signs nothing") { CHECK_FALSE(ring_of({}).sign(Purpose::link, "m", kNow)); }

TEST_CASE("base64url and hex have exactly one text per value") {
  for (std::size_t n = 0; n < 40; ++n) {
    const auto bytes = random_bytes(n);
    CHECK(from_base64url(to_base64url(bytes)) == bytes);
    CHECK(from_hex(to_hex(bytes)) == bytes);
  }
  CHECK_FALSE(from_base64url("AB"));  // leftover bits that are not zero
  CHECK(from_base64url("AA"));
  CHECK_FALSE(from_base64url("AA=="));
  CHECK_FALSE(from_base64url("A+"));
  CHECK_FALSE(from_hex("0"));
  CHECK_FALSE(from_hex("0g"));
}

TEST_CASE("sha256 gives the FIPS 180-4 example") {
  CHECK(to_hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("random identifiers use the safe alphabet and differ") {
  const auto id = random_id(26);
  CHECK(id.size() == 26);
  CHECK(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == std::string::npos);
  CHECK(id != random_id(26));
}
