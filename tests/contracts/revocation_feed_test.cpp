#include "contracts/revocation_feed.h"

#include "contracts/keys.h"

using namespace tribune;
using namespace tribune::contracts;
using namespace std::chrono_literals;
using test::kNow;

namespace {

constexpr std::string_view kRun = "00112233445566aa", kNonce = "ffeeddccbbaa9988";

AccountTokenSigner feed_signer(char seed = 'a') {
  auto signer = AccountTokenSigner::make({{"k1", std::string(base::kSeedBytes, seed)}});
  REQUIRE(signer);
  return std::move(*signer);
}

RevocationPage example_page() {
  return {std::string(kRun), 7, false, {{0x9b1f0c3d5e7a2468, 1'780'000'000'123}, {~std::uint64_t{0}, 0}}};
}

base::Result<RevocationPage> read_signed(const std::string& text) {
  const auto signer = feed_signer();
  return read_revocation_page(AccountTokenKeys(signer.keys()), kNonce, text, sign_revocation_page(signer, kNonce, text),
                              kNow);
}

}  // namespace

TEST_CASE("a poll for revocations is read back from the query of its target") {
  for (const RevocationPoll& poll :
       {RevocationPoll{"", 0, std::string(kNonce)}, {std::string(kRun), 994'000'000'000'000, std::string(kNonce)}}) {
    const auto target = target_of(poll);
    CAPTURE(target);
    const auto path = std::string(kRevocationFeedPath) + "?";
    REQUIRE(target.starts_with(path));
    const auto read = revocation_poll_from_query(std::string_view(target).substr(path.size()));
    REQUIRE(read);
    CHECK(*read == poll);
  }
}

TEST_CASE("a query for revocations that no poll writes is refused") {
  for (const auto* query : {"", "run=&after=0", "run=&after=0&nonce=", "run=&after=0&nonce=ffeeddccbbaa998",
                            "run=&after=0&nonce=FFEEDDCCBBAA9988", "run=x&after=0&nonce=ffeeddccbbaa9988",
                            "run=&after=-1&nonce=ffeeddccbbaa9988", "run=&after=01&nonce=ffeeddccbbaa9988",
                            "run=&after=&nonce=ffeeddccbbaa9988", "run=&after=1000000000000000&nonce=ffeeddccbbaa9988",
                            "after=0&run=&nonce=ffeeddccbbaa9988", "run=&after=0&nonce=ffeeddccbbaa9988&x=1"}) {
    CAPTURE(query);
    const auto read = revocation_poll_from_query(query);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == base::ErrorKind::invalid_input);
  }
}

TEST_CASE("a page of revocations is read back with its signature") {
  for (const auto& page : {example_page(), RevocationPage{std::string(kRun), 0, true, {}}}) {
    const auto read = read_signed(to_json(page));
    REQUIRE(read);
    CHECK(*read == page);
  }
  RevocationPage largest{std::string(kRun), kMaxRevocationsPerPage, true, {}};
  largest.devices.assign(kMaxRevocationsPerPage, {~std::uint64_t{0}, 4'000'000'000'000});
  CHECK(read_signed(to_json(largest)));
  largest.devices.push_back({1, 1});
  CHECK_FALSE(read_signed(to_json(largest)));
}

TEST_CASE("a page of revocations counts only with the signature of the api for this poll") {
  const auto signer = feed_signer();
  const AccountTokenKeys keys(signer.keys());
  const auto text = to_json(example_page());
  const auto signature = sign_revocation_page(signer, kNonce, text);
  const auto is_read = [&](std::string_view nonce, std::string_view json, std::string_view with) {
    const auto read = read_revocation_page(keys, nonce, json, with, kNow);
    if (!read) CHECK(read.error().kind == base::ErrorKind::forbidden);
    return read.has_value();
  };
  CHECK(is_read(kNonce, text, signature));
  CHECK_FALSE(is_read(kRun, text, signature));
  CHECK_FALSE(is_read(kNonce, text + " ", signature));
  CHECK_FALSE(is_read(kNonce, text, ""));
  CHECK_FALSE(is_read(kNonce, text, signature + "A"));
  CHECK_FALSE(is_read(kNonce, text, sign_revocation_page(feed_signer('b'), kNonce, text)));
  const auto signed_text = std::string(kNonce) + "\n" + text;
  CHECK_FALSE(is_read(kNonce, text, signer.sign_document("another kind", signed_text)));
  CHECK(keys.verify_document("another kind", signed_text, signer.sign_document("another kind", signed_text), kNow));
  auto ended = signer.keys();
  ended.front().not_after = kNow;
  CHECK_FALSE(read_revocation_page(AccountTokenKeys(ended), kNonce, text, signature, kNow));
}

TEST_CASE("a signed page of revocations with a member that is wrong is refused") {
  for (
      const auto* text :
      {"", "[]", R"({"run":"00112233445566aa","number":1,"is_last":true})",
       R"({"run":"x","number":1,"is_last":true,"devices":[]})",
       R"({"run":"00112233445566aa","number":-1,"is_last":true,"devices":[]})",
       R"({"run":"00112233445566aa","number":1,"is_last":1,"devices":[]})",
       R"({"run":"00112233445566aa","number":1,"is_last":true,"devices":{}})",
       R"({"run":"00112233445566aa","number":1,"is_last":true,"devices":[["0000000000000000",1]]})",
       R"({"run":"00112233445566aa","number":1,"is_last":true,"devices":[["9b1f0c3d5e7a2468"]]})",
       R"({"run":"00112233445566aa","number":1,"is_last":true,"devices":[["9b1f0c3d5e7a2468","1"]]})",
       R"({"run":"00112233445566aa","number":1,"is_last":true,"devices":[[1,1]]})",
       R"({"run":"00112233445566aa","number":1,"is_last":true,"devices":[["9b1f0c3d5e7a2468",-1]]})",
       R"({"run":"00112233445566aa","number":1,"is_last":true,"devices":[["9b1f0c3d5e7a2468",9223372036854775807]]})"}) {
    CAPTURE(text);
    const auto read = read_signed(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == base::ErrorKind::invalid_input);
  }
  CHECK_FALSE(read_signed(std::string(kMaxRevocationPageBytes + 1, ' ')));
}
