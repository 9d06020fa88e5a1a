#include "balancer/routing/reachability_claims.h"

#include <doctest/doctest.h>

#include "contracts/keys.h"
#include "contracts/receipt.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

const auto kRing = test::one_key();

std::string receipt(const std::string& node, const std::string& prefix, std::chrono::seconds age = 0s) {
  return contracts::write_receipt(kRing, {node, prefix, base::unix_seconds(test::kNow - age)}, test::kNow);
}

ReachabilityClaims said(const std::string& query) { return read_claims({}, query, kRing, {}, test::kNow); }

}  // namespace

TEST_CASE("several receipts are ranked by their round trips") {
  const auto claims = said("receipt=" + receipt("far", "10.1.2.0/24") + ":80," + receipt("quiet", "10.1.2.0/24") + "," +
                           receipt("near", "10.1.2.0/24") + ":3.5");
  CHECK(believed(claims.proofs, "10.1.2.0/24", test::kNow) == std::vector<std::string_view>{"near", "far", "quiet"});
}

TEST_CASE("a receipt of another client's network is not accepted") {
  const auto claims = said("receipt=" + receipt("near", "10.1.2.0/24"));
  CHECK(believed(claims.proofs, "10.1.3.0/24", test::kNow).empty());
}

TEST_CASE("forged and expired receipts are refused with the reason, and an accepted one expires later") {
  auto forged = receipt("near", "10.1.2.0/24");
  forged.back() = forged.back() == 'A' ? 'B' : 'A';
  CHECK(said("receipt=" + forged).refused.size() == 1);
  CHECK(said("receipt=" + receipt("near", "10.1.2.0/24", 1h)).refused.size() == 1);
  const auto kept = said("receipt=" + receipt("near", "10.1.2.0/24"));
  CHECK(believed(kept.proofs, "10.1.2.0/24", test::kNow + 10min).empty());
}

TEST_CASE("the number of receipts that are read is bounded") {
  std::string list = "receipt=";
  for (int i = 0; i < 20; ++i) list += (i ? "," : "") + receipt("n" + std::to_string(i), "10.1.2.0/24");
  CHECK(said(list).proofs.size() == kMaxProofs);
}

TEST_CASE("a client reports by query or header which cache is gone") {
  CHECK(said("gone=stadium").gone == "stadium");
  CHECK(read_claims({{"X-Cache-Gone", "city"}}, "", kRing, {}, test::kNow).gone == "city");
  CHECK(said("gone=../x").gone.empty());
}

TEST_CASE("receipts that are not believed of a client are listed with the reason") {
  auto forged = receipt("near", "10.1.2.0/24");
  forged.back() = forged.back() == 'A' ? 'B' : 'A';
  const auto claims =
      said("receipt=" + forged + "," + receipt("far", "10.1.3.0/24") + "," + receipt("near", "10.1.2.0/24"));
  const auto reasons = refusals(claims, "10.1.2.0/24");
  REQUIRE(reasons.size() == 2);
  CHECK(reasons[1] == "the receipt for node far belongs to another client");
  CHECK(refusals(claims, "10.1.3.0/24").back() == "the receipt for node near belongs to another client");
}
