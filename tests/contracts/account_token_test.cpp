#include "contracts/account_token.h"

#include <set>

#include "base/encoding.h"
#include "contracts/keyed_text.h"
#include "contracts/keys.h"
#include "contracts/ticket.h"
#include "contracts/token.h"

using namespace tribune;
using namespace tribune::contracts;
using namespace std::chrono_literals;
using test::kNow;
using test::kSkew;

namespace {

std::string seed_of(char c) { return std::string(base::kSeedBytes, c); }

AccountTokenSigner signer_of(const std::vector<AccountKeySeed>& seeds) {
  auto signer = AccountTokenSigner::make(seeds);
  REQUIRE(signer);
  return std::move(*signer);
}

AccountTokenSigner one_signer() { return signer_of({{"k1", seed_of('a')}}); }

AccountClaims example_claims() {
  return {0x0123456789abcdefull, 0xfedcba9876543210ull, base::unix_seconds(kNow), base::unix_seconds(kNow + 15min)};
}

template <class T>
std::string why_refused(const base::Result<T>& read) {
  REQUIRE_FALSE(read);
  CHECK(read.error().kind == base::ErrorKind::forbidden);
  CHECK(read.error().fault == base::Fault::client);
  return read.error().text;
}

/// As many channels as a token has at most, with ids of kMaxEntitledBytes together.
AccountClaims with_most_channels() {
  auto claims = example_claims();
  for (std::size_t i = 0; i < kMaxEntitledChannels; ++i)
    claims.channels.push_back({std::string(kMaxEntitledBytes / kMaxEntitledChannels, 'c'), 1, 2});
  return claims;
}

/// A text with a valid signature over claims of any bytes.
std::string signed_by_hand(char seed, std::string_view id, const std::string& bytes) {
  const auto key = base::PrivateSigningKey::from_seed(seed_of(seed));
  std::string message = "tribune account token 1";
  message.append(1, '\0').append(id).append(1, '\0').append(bytes);
  return "tat_" + std::string(id) + "." + base::to_base64url(bytes + key->sign(message));
}

}  // namespace

TEST_CASE("an account token is read back as the claims that were signed") {
  const auto signer = one_signer();
  const AccountTokenKeys keys(signer.keys());
  auto claims = example_claims();
  for (const std::uint64_t id : {std::uint64_t{1}, claims.account, ~std::uint64_t{0}}) {
    claims.account = id;
    claims.device = ~id == 0 ? 7 : ~id;
    const auto text = signer.sign(claims);
    CHECK(looks_like_account_token(text));
    const auto read = keys.read(text, kNow, kSkew);
    REQUIRE(read);
    CHECK(*read == claims);
  }
}

TEST_CASE("an account token has 126 characters with a key id of two, and at most the specified length") {
  CHECK(one_signer().sign(example_claims()).size() == 126);
  const auto signer = signer_of({{"abcdefghij012345", seed_of('a')}});
  const auto text = signer.sign(with_most_channels());
  CHECK(text.size() == kMaxAccountTokenCharacters);
  const auto read = AccountTokenKeys(signer.keys()).read(text, kNow, kSkew);
  REQUIRE(read);
  CHECK(*read == with_most_channels());
}

TEST_CASE("an account token with channels is read back, and one that cannot be written is empty") {
  const auto signer = one_signer();
  const AccountTokenKeys keys(signer.keys());
  auto claims = example_claims();
  for (const bool has_more : {false, true}) {
    claims.has_more_channels = has_more;
    claims.channels = {{"", 0, 0}, {"main", 5, 6}, {"main", 8, 4'294'967'295}};
    CHECK(keys.read(signer.sign(claims), kNow, kSkew) == claims);
  }
  claims.channels.clear();
  CHECK(keys.read(signer.sign(claims), kNow, kSkew) == claims);
  for (const EntitledChannel& wrong :
       {EntitledChannel{"Main", 0, 0}, {"main", -1, 0}, {"main", 6, 6}, {"main", 0, 4'294'967'296}}) {
    claims.channels = {wrong};
    CHECK(signer.sign(claims).empty());
  }
  claims = with_most_channels();
  claims.channels.push_back({"", 0, 0});
  CHECK(signer.sign(claims).empty());
  claims = with_most_channels();
  claims.channels.front().channel += "a";
  CHECK(signer.sign(claims).empty());
}

TEST_CASE("an account token with channels and any changed bit, truncated or extended is refused") {
  const auto signer = one_signer();
  const AccountTokenKeys keys(signer.keys());
  auto claims = example_claims();
  claims.channels = {{"main", 0, 0}};
  const auto text = signer.sign(claims);
  const auto accepts = [&](const std::string& t) { return keys.read(t, kNow, kSkew).has_value(); };
  test::refuse_every_flip(text, accepts);
  test::refuse_every_cut(text, accepts);
}

TEST_CASE("signed bytes that are not a list of channels are malformed") {
  const AccountTokenKeys keys(one_signer().keys());
  std::string start("\x02\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10", 17);
  start += std::string("\x68\x4e\xe1\x80\x68\x4e\xe5\x04", 8);
  const auto entry = std::string("\x04main", 5) + std::string(8, '\0');
  const auto list = [](std::string more, char count) { return std::move(more) + count; };
  CHECK(keys.read(signed_by_hand('a', "k1", start + list(std::string(1, '\0'), 1) + entry), kNow, kSkew));
  for (const auto& wrong :
       {std::string(), std::string(1, '\0'), list(std::string(1, '\0'), 0), list("\x02", 1) + entry,
        list("\x01", 2) + entry, list("\x01", 0) + entry, list("\x01", 1) + entry + "a",
        list("\x01", 1) + std::string("\xff") + entry.substr(1), list("\x01", 1) + entry.substr(0, 9)})
    CHECK(why_refused(keys.read(signed_by_hand('a', "k1", start + wrong), kNow, kSkew)) == kAccountTokenMalformed);
}

TEST_CASE("an account may watch a channel from the begin to the end of what it bought") {
  auto claims = example_claims();
  const auto second = base::unix_seconds(kNow);
  CHECK_FALSE(claims.may_watch("main", kNow));
  claims.channels = {{"main", second, second + 10}};
  CHECK(claims.may_watch("main", kNow));
  CHECK(claims.may_watch("main", kNow + 9s));
  CHECK_FALSE(claims.may_watch("main", kNow + 10s));
  CHECK_FALSE(claims.may_watch("main", kNow - 1s));
  CHECK_FALSE(claims.may_watch("other", kNow));
  claims.channels.push_back({"", second, 0});
  CHECK(claims.may_watch("other", kNow + 24h));
  CHECK_FALSE(claims.may_watch("other", kNow - 1s));
}

TEST_CASE("the text of an account token is the same in each version of the program") {
  const std::string bytes("\x01\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10", 17);
  const std::string times("\x68\x4e\xe1\x80\x68\x4e\xe5\x04", 8);
  CHECK(one_signer().sign(example_claims()) == signed_by_hand('a', "k1", bytes + times));
}

TEST_CASE("an account token with any changed bit, truncated or extended is refused") {
  const auto signer = one_signer();
  const AccountTokenKeys keys(signer.keys());
  const auto text = signer.sign(example_claims());
  const auto accepts = [&](const std::string& t) { return keys.read(t, kNow, kSkew).has_value(); };
  test::refuse_every_flip(text, accepts);
  test::refuse_every_cut(text, accepts);
}

TEST_CASE("each reason to refuse an account token has its own text") {
  const auto signer = one_signer();
  const AccountTokenKeys keys(signer.keys());
  const auto text = signer.sign(example_claims());
  const auto why = [&](const std::string& t, base::WallTime now = kNow) {
    return why_refused(keys.read(t, now, kSkew));
  };
  for (const std::string& other : {std::string(), std::string("tat_"), std::string("tat_k1."), std::string("tat_K1.AA"),
                                   std::string("tat_k1.A"), text.substr(4), "TAT_" + text.substr(4), text + "A",
                                   text + std::string(1'000'000, 'A'), std::string(100, '\xff')})
    CHECK(why(other) == kAccountTokenMalformed);
  CHECK(why("tat_k1.AwAA") == kAccountTokenUnsupported);
  CHECK(why(signer_of({{"k2", seed_of('a')}}).sign(example_claims())) == kAccountTokenUnknownKey);
  CHECK(why(signer_of({{"k1", seed_of('b')}}).sign(example_claims())) == kAccountTokenForged);
  CHECK(why(text, kNow + 16min) == kAccountTokenExpired);
  CHECK(why(text, kNow - 1min) == kAccountTokenFromFuture);
  const std::set<std::string_view> texts{kAccountTokenMalformed, kAccountTokenUnsupported, kAccountTokenUnknownKey,
                                         kAccountTokenForged,    kAccountTokenExpired,     kAccountTokenFromFuture};
  CHECK(texts.size() == 6);
}

TEST_CASE("an account token is valid from its issue to its expiry, each within the clock skew") {
  const auto signer = one_signer();
  const AccountTokenKeys keys(signer.keys());
  const auto text = signer.sign(example_claims());
  CHECK(keys.read(text, kNow - kSkew, kSkew));
  CHECK_FALSE(keys.read(text, kNow - kSkew - 1ms, kSkew));
  CHECK(keys.read(text, kNow + 15min + kSkew - 1ms, kSkew));
  CHECK_FALSE(keys.read(text, kNow + 15min + kSkew, kSkew));
}

TEST_CASE("the first key signs account tokens, and every key that has not ended verifies") {
  const auto old = signer_of({{"old", seed_of('a')}});
  const auto both = signer_of({{"new", seed_of('b')}, {"old", seed_of('a')}});
  auto halves = both.keys();
  halves.back().not_after = kNow + 10min;
  const AccountTokenKeys keys(halves);
  const auto text = old.sign(example_claims());
  CHECK(keys.read(text, kNow + 10min - 1ms, kSkew));
  CHECK(why_refused(keys.read(text, kNow + 10min, kSkew)) == kAccountTokenUnknownKey);
  CHECK(both.sign(example_claims()).starts_with("tat_new."));
  CHECK(keys.read(both.sign(example_claims()), kNow + 10min, kSkew));
  CHECK(why_refused(AccountTokenKeys().read(text, kNow, kSkew)) == kAccountTokenUnknownKey);
}

TEST_CASE("a token of one key id is not valid under another id with the same key") {
  const auto key = base::PrivateSigningKey::from_seed(seed_of('a'))->public_key();
  const AccountTokenKeys keys({{"k1", key, {}}, {"k2", key, {}}});
  auto text = one_signer().sign(example_claims());
  CHECK(keys.read(text, kNow, kSkew));
  text[5] = '2';
  CHECK(why_refused(keys.read(text, kNow, kSkew)) == kAccountTokenForged);
}

TEST_CASE("a signature over the claims without the prefix of account tokens is refused") {
  const auto key = *base::PrivateSigningKey::from_seed(seed_of('a'));
  const auto parsed =
      parse_keyed_text(one_signer().sign(example_claims()), kAccountTokenPrefix, kMaxAccountTokenCharacters);
  REQUIRE(parsed);
  const auto claims = parsed->bytes.substr(0, parsed->bytes.size() - base::kSignatureBytes);
  const auto text = write_keyed_text(kAccountTokenPrefix, "k1", claims + key.sign(claims));
  CHECK(why_refused(AccountTokenKeys(one_signer().keys()).read(text, kNow, kSkew)) == kAccountTokenForged);
}

TEST_CASE("claims that no signer writes are refused in spite of a valid signature") {
  const AccountTokenKeys keys(one_signer().keys());
  const std::string account(8, 'a'), device(8, 'd'), none(8, '\0');
  const std::string from("\x68\x4e\xe1\x80", 4), to("\x68\x4e\xe5\x04", 4);
  const std::string version(1, '\x01');
  CHECK(keys.read(signed_by_hand('a', "k1", version + account + device + from + to), kNow, kSkew));
  for (const auto& bytes : {none + device + from + to, account + none + from + to, account + device + to + from,
                            account + device + from + from})
    CHECK(why_refused(keys.read(signed_by_hand('a', "k1", version + bytes), kNow, kSkew)) == kAccountTokenMalformed);
  CHECK(why_refused(keys.read(signed_by_hand('a', "k1", '\x03' + account + device + from + to), kNow, kSkew)) ==
        kAccountTokenUnsupported);
}

TEST_CASE("claims out of their ranges are not signed") {
  const auto signer = one_signer();
  auto claims = example_claims();
  CHECK_FALSE(signer.sign(claims).empty());
  for (const auto& change : std::vector<std::function<void(AccountClaims&)>>{
           [](auto& c) { c.account = 0; }, [](auto& c) { c.device = 0; }, [](auto& c) { c.issued = -1; },
           [](auto& c) { c.expires = c.issued; }, [](auto& c) { c.expires = std::int64_t{1} << 32; }}) {
    auto wrong = claims;
    change(wrong);
    CHECK(signer.sign(wrong).empty());
  }
}

TEST_CASE("a signer is made of seeds with distinct ids only") {
  const auto why = [](const std::vector<AccountKeySeed>& seeds) {
    const auto signer = AccountTokenSigner::make(seeds);
    REQUIRE_FALSE(signer);
    CHECK(signer.error().kind == base::ErrorKind::invalid_input);
    CHECK(signer.error().text == wrong_seeds(seeds));
    return signer.error().text;
  };
  CHECK(why({}) == "there is no account key");
  CHECK(why({{"K", seed_of('a')}}).find("a-z and 0-9") != std::string::npos);
  CHECK(why({{"k", "short seed"}}).find("32 bytes") != std::string::npos);
  CHECK(why({{"k", "short seed"}}).find("short seed") == std::string::npos);
  CHECK(why({{"k", seed_of('a')}, {"k", seed_of('b')}}).find("used twice") != std::string::npos);
}

TEST_CASE("an account token is no session token and no ticket, and neither is an account token") {
  const auto ring = test::one_key();
  const auto text = one_signer().sign(example_claims());
  CHECK_FALSE(read_token(ring, "demo", text, kNow, kSkew));
  CHECK_FALSE(read_ticket(ring, "demo", text, kNow, kSkew));
  const auto session = write_token(ring, {"demo", 7, base::unix_seconds(kNow), LinksMode::direct}, kNow);
  CHECK_FALSE(looks_like_account_token(session));
  CHECK_FALSE(looks_like_account_token("tat"));
}

TEST_CASE("a verified token is read again without its signature, and with its times") {
  const auto signer = one_signer();
  const AccountTokenKeys keys(signer.keys());
  VerifiedTokens tokens(10);
  const auto text = signer.sign(example_claims());
  for (int time = 0; time < 2; ++time) {
    const auto read = tokens.read(keys, text, kNow, kSkew);
    REQUIRE(read);
    CHECK(**read == example_claims());
    CHECK(tokens.size() == 1);
  }
  CHECK(why_refused(tokens.read(keys, text, kNow - 1min, kSkew)) == kAccountTokenFromFuture);
  CHECK(tokens.size() == 0);
  CHECK(tokens.read(keys, text, kNow, kSkew));
  CHECK(why_refused(tokens.read(keys, text, kNow + 1h, kSkew)) == kAccountTokenExpired);
  CHECK(tokens.size() == 0);
}

TEST_CASE("a text that differs from a verified token in one bit is refused, and nothing of it is remembered") {
  const auto signer = one_signer();
  const AccountTokenKeys keys(signer.keys());
  VerifiedTokens tokens(10);
  const auto text = signer.sign(example_claims());
  const auto accepts = [&](const std::string& t) { return tokens.read(keys, t, kNow, kSkew).has_value(); };
  test::refuse_every_flip(text, accepts);
  test::refuse_every_cut(text, accepts);
  CHECK(tokens.size() == 1);
}

TEST_CASE("verified tokens are forgotten when the keys change") {
  const auto signer = one_signer();
  const auto text = signer.sign(example_claims());
  const AccountTokenKeys keys(signer.keys()), same(signer.keys());
  const AccountTokenKeys other(signer_of({{"k1", seed_of('b')}}).keys());
  VerifiedTokens tokens(10);
  CHECK(tokens.read(keys, text, kNow, kSkew));
  CHECK(why_refused(tokens.read(other, text, kNow, kSkew)) == kAccountTokenForged);
  CHECK(tokens.size() == 0);
  CHECK(keys.fingerprint() == same.fingerprint());
  CHECK(keys.fingerprint() != other.fingerprint());
  CHECK(tokens.read(keys, text, kNow, kSkew));
  CHECK(tokens.read(same, text, kNow, kSkew));
}

TEST_CASE("a verified token ends with its key") {
  const auto signer = one_signer();
  auto halves = signer.keys();
  halves.front().not_after = kNow + 1min;
  const AccountTokenKeys keys(halves);
  CHECK(keys.fingerprint() != AccountTokenKeys(signer.keys()).fingerprint());
  VerifiedTokens tokens(10);
  const auto text = signer.sign(example_claims());
  CHECK(tokens.read(keys, text, kNow, kSkew));
  CHECK(why_refused(tokens.read(keys, text, kNow + 1min, kSkew)) == kAccountTokenUnknownKey);
}

TEST_CASE("the number of verified tokens is bounded, and the least recently used is forgotten") {
  const auto signer = one_signer();
  const AccountTokenKeys keys(signer.keys());
  VerifiedTokens tokens(2), none(0);
  auto claims = example_claims();
  for (std::uint64_t account = 1; account <= 5; ++account) {
    claims.account = account;
    CHECK(tokens.read(keys, signer.sign(claims), kNow, kSkew));
    CHECK(none.read(keys, signer.sign(claims), kNow, kSkew));
  }
  CHECK(tokens.size() == 2);
  CHECK(none.size() == 0);
}
