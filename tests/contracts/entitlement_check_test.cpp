#include "contracts/entitlement_check.h"

#include "contracts/keys.h"
#include "contracts/owner.h"

using namespace tribune;
using namespace tribune::contracts;
using test::kNow;

namespace {

const std::string kNonce = "0123456789abcdef";

EntitlementCheck example_check() {
  return {kNonce, true, {{1, 2, "main"}, {0xffffffffffffffff, 3, "bench"}, {1, 2, "main"}}};
}

EntitlementAnswer example_answer() {
  using Kind = ViewerVerdict::Kind;
  return {{{Kind::entitled, 0xffffffff}, {Kind::not_entitled}, {Kind::logged_out}},
          ChannelOffers{{"main", {"season", "main-pass"}}, {"bench", {}}}};
}

AccountTokenSigner answer_signer(char seed) {
  return *AccountTokenSigner::make({{"a1", std::string(base::kSeedBytes, seed)}});
}

}  // namespace

TEST_CASE("a check is read back as it was written") {
  CHECK(entitlement_check_from_json(to_json(example_check())) == example_check());
  const EntitlementCheck empty{kNonce, false, {}};
  CHECK(entitlement_check_from_json(to_json(empty)) == empty);
  EntitlementCheck largest{kNonce, true, {}};
  for (std::size_t i = 0; i < kMaxCheckedViewers; ++i)
    largest.viewers.push_back({~0ull - i, ~0ull, std::string(64, 'c')});
  CHECK(entitlement_check_from_json(to_json(largest)) == largest);
}

TEST_CASE("a check that is not well-formed is refused") {
  const std::string viewer = R"(["0000000000000001","0000000000000002","main"])";
  const auto with_viewers = [](const std::string& viewers) {
    return R"({"nonce":"0123456789abcdef","wants_offers":false,"viewers":)" + viewers + "}";
  };
  REQUIRE(entitlement_check_from_json(with_viewers("[" + viewer + "]")));
  std::string too_many = viewer;
  for (std::size_t i = 0; i < kMaxCheckedViewers; ++i) too_many += "," + viewer;
  for (const auto& text : {std::string(), std::string("[]"), std::string("{}"), with_viewers("1"), with_viewers("[1]"),
                           with_viewers("[[]]"), with_viewers(R"([["0","0000000000000002","main"]])"),
                           with_viewers(R"([["0000000000000000","0000000000000002","main"]])"),
                           with_viewers(R"([["0000000000000001","0000000000000000","main"]])"),
                           with_viewers(R"([["0000000000000001","0000000000000002","../x"]])"),
                           with_viewers(R"([["0000000000000001","0000000000000002"]])"),
                           with_viewers(R"([["0000000000000001",2,"main"]])"), with_viewers("[" + too_many + "]"),
                           std::string(kMaxEntitlementCheckBytes + 1, ' '),
                           std::string(R"({"nonce":"xyz","wants_offers":false,"viewers":[]})"),
                           std::string(R"({"nonce":"0123456789abcdef","viewers":[]})")}) {
    const auto read = entitlement_check_from_json(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == base::ErrorKind::invalid_input);
    CHECK(read.error().fault == base::Fault::client);
  }
}

TEST_CASE("an answer is read back as it was written, for a check of as many viewers") {
  const auto text = to_json(example_answer());
  CHECK(entitlement_answer_from_json(example_check(), text) == example_answer());
  auto other = example_check();
  other.viewers.pop_back();
  CHECK_FALSE(entitlement_answer_from_json(other, text));
  const EntitlementAnswer without_offers{{}, std::nullopt};
  CHECK(entitlement_answer_from_json({kNonce, false, {}}, to_json(without_offers)) == without_offers);
}

TEST_CASE("an answer that is not well-formed is refused") {
  const EntitlementCheck check{kNonce, false, {{1, 2, "main"}}};
  for (const std::string text :
       {"", "[]", "{}", R"({"viewers":[]})", R"({"viewers":[-1]})", R"({"viewers":[4294967296]})",
        R"({"viewers":["entitled"]})", R"({"viewers":[null]})", R"({"viewers":[0],"offers":{}})",
        R"({"viewers":[0],"offers":[["main"]]})", R"({"viewers":[0],"offers":[["main",[1]]]})",
        R"({"viewers":[0],"offers":[["main",["1","2","3","4","5","6","7","8","9"]]]})"})
    CHECK_FALSE(entitlement_answer_from_json(check, text));
}

TEST_CASE("an answer is signed for its check, by a key of the accounts") {
  const auto signer = answer_signer('a');
  const AccountTokenKeys keys(signer.keys()), others(answer_signer('b').keys());
  const auto text = to_json(example_answer());
  const auto signature = sign_entitlement_answer(signer, kNonce, text);
  CHECK(verify_entitlement_answer(keys, kNonce, text, signature, kNow));
  CHECK_FALSE(verify_entitlement_answer(others, kNonce, text, signature, kNow));
  CHECK_FALSE(verify_entitlement_answer(keys, "0123456789abcdee", text, signature, kNow));
  CHECK_FALSE(verify_entitlement_answer(keys, kNonce, text + " ", signature, kNow));
  CHECK_FALSE(verify_entitlement_answer(keys, kNonce, text, "", kNow));
}
