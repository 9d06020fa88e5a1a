#include "contracts/peer_mark.h"

#include "contracts/keys.h"
#include "contracts/signed_body.h"

using namespace tribune;
using namespace tribune::contracts;
using test::kNow;
using test::kSkew;

TEST_CASE("the mark of a cache node is valid for nodes with the same keys, and for its object only") {
  const auto keys = test::one_key();
  const PeerMark mark{PeerMark::Kind::child, "stadium-2", 2};
  const auto fields = mark_fields(keys, mark, "demo/e1/seg1.ts", kNow);
  const auto read = read_mark(keys, fields, "demo/e1/seg1.ts", kNow, kSkew);
  REQUIRE(read);
  CHECK(*read == mark);
  CHECK_FALSE(read_mark(keys, fields, "demo/e1/seg2.ts", kNow, kSkew));
  CHECK_FALSE(read_mark(test::other_key(), fields, "demo/e1/seg1.ts", kNow, kSkew));
  CHECK_FALSE(read_mark(keys, fields, "demo/e1/seg1.ts", kNow + std::chrono::minutes(1), kSkew));
}

TEST_CASE("a mark whose kind, node or tiers were changed is refused") {
  const auto keys = test::one_key();
  const std::string signature(
      mark_fields(keys, {PeerMark::Kind::peer, "a", 0}, "o", kNow).first(kSignatureHeader).value());
  for (const char* text :
       {"child a 0", "peer b 0", "peer a 1", "peer a", "peer  a 0", "", "peer ../x 0", "peer a 00"}) {
    CAPTURE(text);
    http::Headers fields;
    fields.add(kPeerHeader, text);
    fields.add(kSignatureHeader, signature);
    CHECK_FALSE(read_mark(keys, fields, "o", kNow, kSkew));
  }
}

TEST_CASE("a mark with too many tiers is refused, so that a loop of parents ends") {
  const auto keys = test::one_key();
  const auto at = [&](std::int64_t tiers) {
    return read_mark(keys, mark_fields(keys, {PeerMark::Kind::child, "a", tiers}, "o", kNow), "o", kNow, kSkew)
        .has_value();
  };
  CHECK(at(kMaxTiers));
  CHECK_FALSE(at(kMaxTiers + 1));
}
