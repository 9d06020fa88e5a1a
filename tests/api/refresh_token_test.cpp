#include "api/refresh_token.h"

#include <set>

#include <doctest/doctest.h>

#include "base/ed25519.h"
#include "contracts/keys.h"

using namespace tribune;
using namespace tribune::api;

namespace {

TokenSecrets secrets_of(const std::vector<contracts::AccountKeySeed>& seeds) {
  auto secrets = TokenSecrets::make(seeds);
  REQUIRE(secrets);
  return std::move(*secrets);
}

std::string seed_of(char c) { return std::string(base::kSeedBytes, c); }
TokenSecrets one_secret() { return secrets_of({{"k1", seed_of('a')}}); }

constexpr RefreshClaims kClaims{0x0123456789abcdefull, 0xfedcba9876543210ull, 7};
constexpr KnownDevice kDevice{0x0123456789abcdefull, 0xfedcba9876543210ull};

}  // namespace

TEST_CASE("both kinds of token are read back as the values that were written") {
  const auto secrets = one_secret();
  for (const std::uint64_t id : {std::uint64_t{1}, kClaims.account, ~std::uint64_t{0}}) {
    for (const std::uint32_t generation : {0u, 1u, ~0u}) {
      const RefreshClaims claims{id, id / 2 + 1, generation};
      const auto read = secrets.read_refresh_token(secrets.write_refresh_token(claims));
      REQUIRE(read);
      CHECK(*read == claims);
    }
    const KnownDevice known{id, id / 2 + 1};
    const auto read = secrets.read_known_device(secrets.write_known_device(known));
    REQUIRE(read);
    CHECK(*read == known);
  }
}

TEST_CASE("tokens of the longest key id have the specified maximum lengths") {
  const auto secrets = secrets_of({{"abcdefghij012345", seed_of('a')}});
  const auto refresh = secrets.write_refresh_token(kClaims), known = secrets.write_known_device(kDevice);
  CHECK(refresh.size() == kMaxRefreshTokenCharacters);
  CHECK(known.size() == kMaxKnownDeviceCharacters);
  CHECK(secrets.read_refresh_token(refresh));
  CHECK(secrets.read_known_device(known));
}

TEST_CASE("tokens of the api with any changed bit, truncated or extended are refused") {
  const auto secrets = one_secret();
  const auto refresh = secrets.write_refresh_token(kClaims), known = secrets.write_known_device(kDevice);
  const auto is_refresh = [&](const std::string& text) { return secrets.read_refresh_token(text).has_value(); };
  const auto is_known = [&](const std::string& text) { return secrets.read_known_device(text).has_value(); };
  test::refuse_every_flip(refresh, is_refresh);
  test::refuse_every_cut(refresh, is_refresh);
  test::refuse_every_flip(known, is_known);
  test::refuse_every_cut(known, is_known);
  CHECK_FALSE(is_refresh(refresh + "AAAA"));
  CHECK_FALSE(is_known(known + std::string(100'000, 'A')));
}

TEST_CASE("no kind of token verifies as another, even under the other prefix") {
  const auto secrets = one_secret();
  const auto signer = contracts::AccountTokenSigner::make({{"k1", seed_of('a')}});
  REQUIRE(signer);
  const contracts::AccountTokenKeys keys(signer->keys());
  const auto refresh = secrets.write_refresh_token(kClaims), known = secrets.write_known_device(kDevice);
  const auto access = signer->sign({kClaims.account, kClaims.device, 1'750'000'000, 1'750'000'900});
  const auto reads = [&](const std::string& text) {
    return std::vector<bool>{
        keys.read(text, test::kNow, test::kSkew).has_value(),
        secrets.read_refresh_token(text).has_value(),
        secrets.read_known_device(text).has_value(),
    };
  };
  CHECK(reads(access) == std::vector<bool>{true, false, false});
  CHECK(reads(refresh) == std::vector<bool>{false, true, false});
  CHECK(reads(known) == std::vector<bool>{false, false, true});
  int checked = 0;
  for (const auto& text : {access, refresh, known}) {
    for (const std::string prefix : {"tat_", "trt_", "tdt_"}) {
      if (text.starts_with(prefix)) continue;
      CHECK(reads(prefix + text.substr(prefix.size())) == std::vector<bool>{false, false, false});
      ++checked;
    }
  }
  CHECK(checked == 6);
}

TEST_CASE("tokens of other keys are refused, and the reason says whether the key is known") {
  const auto secrets = one_secret();
  const auto forged = secrets.read_refresh_token(secrets_of({{"k1", seed_of('b')}}).write_refresh_token(kClaims));
  const auto unknown = secrets.read_refresh_token(secrets_of({{"k2", seed_of('a')}}).write_refresh_token(kClaims));
  const auto malformed = secrets.read_refresh_token("trt_k1.");
  const auto unsupported = secrets.read_refresh_token("trt_k1.AgAA");
  std::set<std::string> texts;
  for (const auto* refused : {&forged, &unknown, &malformed, &unsupported}) {
    REQUIRE_FALSE(*refused);
    CHECK(refused->error().kind == base::ErrorKind::forbidden);
    CHECK(refused->error().fault == base::Fault::client);
    texts.insert(refused->error().text);
  }
  CHECK(texts.size() == 4);
  CHECK_FALSE(secrets.read_known_device(secrets_of({{"k1", seed_of('b')}}).write_known_device(kDevice)));
}

TEST_CASE("the first secret signs, and all verify") {
  const auto old = secrets_of({{"old", seed_of('a')}});
  const auto both = secrets_of({{"new", seed_of('b')}, {"old", seed_of('a')}});
  CHECK(both.read_refresh_token(old.write_refresh_token(kClaims)));
  CHECK(both.read_known_device(old.write_known_device(kDevice)));
  CHECK(both.write_refresh_token(kClaims).starts_with("trt_new."));
  CHECK(both.read_refresh_token(both.write_refresh_token(kClaims)));
  CHECK_FALSE(old.read_refresh_token(both.write_refresh_token(kClaims)));
}

TEST_CASE("a token of one key id is refused under another id of the same seed") {
  const auto secrets = secrets_of({{"k1", seed_of('a')}, {"k2", seed_of('a')}});
  auto text = secrets.write_refresh_token(kClaims);
  text[5] = '2';
  CHECK_FALSE(secrets.read_refresh_token(text));
}

TEST_CASE("other forms of base64url are refused for a refresh token") {
  const auto secrets = one_secret();
  const auto text = secrets.write_refresh_token(kClaims);
  for (const char* more : {"=", "==", "\n", " "}) CHECK_FALSE(secrets.read_refresh_token(text + more));
  // 37 bytes leave four bits of the last character unused: each of them set would be another text for the same bytes.
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  int accepted = 0;
  for (const char last : alphabet)
    accepted += secrets.read_refresh_token(text.substr(0, text.size() - 1) + last).has_value() ? 1 : 0;
  CHECK(accepted == 1);
}

TEST_CASE("an id of zero is not written, and secrets are made of valid seeds only") {
  const auto secrets = one_secret();
  CHECK(secrets.write_refresh_token({0, 1, 1}).empty());
  CHECK(secrets.write_refresh_token({1, 0, 1}).empty());
  CHECK(secrets.write_known_device({0, 1}).empty());
  CHECK(secrets.write_known_device({1, 0}).empty());
  CHECK_FALSE(TokenSecrets::make({}));
  CHECK_FALSE(TokenSecrets::make({{"k1", "short"}}));
  CHECK_FALSE(TokenSecrets::make({{"k1", seed_of('a')}, {"k1", seed_of('b')}}));
}
