#include "contracts/token.h"

#include "base/encoding.h"
#include "contracts/keys.h"

using namespace tribune;
using namespace tribune::contracts;
using namespace std::chrono_literals;
using test::kNow;
using test::kSkew;

namespace {

Token example_token() { return {"demo", 0x0123456789abcdefull, base::unix_seconds(kNow), LinksMode::direct}; }

}  // namespace

TEST_CASE("a token is read back as the value that was written") {
  const auto ring = test::one_key();
  for (const auto links : {LinksMode::direct, LinksMode::redirect}) {
    for (const SessionId session : {SessionId{0}, SessionId{1}, ~SessionId{0}}) {
      const Token token{"demo", session, base::unix_seconds(kNow), links};
      const auto text = write_token(ring, token, kNow);
      CHECK(text.size() <= kMaxTokenCharacters);
      const auto read = read_token(ring, "demo", text, kNow, kSkew);
      REQUIRE(read);
      CHECK(*read == token);
    }
  }
}

TEST_CASE("a token with the longest key id has the specified maximum length") {
  const base::KeyRing ring({{"abcdefghij012345", "a secret of 32 bytes for testing", std::nullopt}});
  CHECK(write_token(ring, example_token(), kNow).size() == 60);
  auto token = example_token();
  token.owner = owner_of("ann", std::string(200, 'd'));
  token.owner.entitled = EntitledDevice{~0ull, ~0ull, 0xffffffff};
  const auto text = write_token(ring, token, kNow);
  CHECK(text.size() == kMaxTokenCharacters);
  CHECK(read_token(ring, "demo", text, kNow, kSkew));
}

TEST_CASE("a token with any changed bit, truncated or extended is refused") {
  const auto ring = test::one_key();
  const auto accepts = [&](const std::string& t) { return read_token(ring, "demo", t, kNow, kSkew).has_value(); };
  auto entitled = owner_of("ann", "TV");
  entitled.entitled = EntitledDevice{1, 2, 3};
  for (const auto& owner : {Owner{}, owner_of("ann", ""), owner_of("ann", "Living room TV"), entitled}) {
    auto token = example_token();
    token.owner = owner;
    const auto text = write_token(ring, token, kNow);
    test::refuse_every_flip(text, accepts);
    test::refuse_every_cut(text, accepts);
  }
}

TEST_CASE("a token names the entitled device, and nothing of it can be read in its text") {
  const auto ring = test::one_key();
  auto token = example_token();
  token.owner = owner_of("ann", "TV");
  for (const std::int64_t until : {std::int64_t{0}, std::int64_t{0xffffffff}}) {
    token.owner.entitled = EntitledDevice{0x6162636465666768, 0x6d6e6f7071727374, until};
    const auto text = write_token(ring, token, kNow);
    const auto read = read_token(ring, "demo", text, kNow, kSkew);
    REQUIRE(read);
    CHECK(*read == token);
    CHECK(base::from_base64url(text.substr(text.find('.') + 1))->find("abcdefgh") == std::string::npos);
  }
  for (const auto& wrong : {EntitledDevice{0, 1, 0}, EntitledDevice{1, 0, 0}, EntitledDevice{1, 1, -1},
                            EntitledDevice{1, 1, 0x100000000}}) {
    token.owner.entitled = wrong;
    CHECK(write_token(ring, token, kNow).empty());
  }
}

TEST_CASE("a token is valid for its own channel only") {
  const auto ring = test::one_key();
  const auto other = read_token(ring, "demo2", write_token(ring, example_token(), kNow), kNow, kSkew);
  REQUIRE_FALSE(other);
  CHECK(other.error().kind == base::ErrorKind::forbidden);
}

TEST_CASE("a token from the future is accepted within the clock skew only") {
  const auto ring = test::one_key();
  const auto text = write_token(ring, example_token(), kNow);
  CHECK(read_token(ring, "demo", text, kNow - kSkew, kSkew));
  CHECK_FALSE(read_token(ring, "demo", text, kNow - kSkew - 1s, kSkew));
  CHECK(read_token(ring, "demo", text, kNow + 24h, kSkew));
}

TEST_CASE("after a rotation old tokens are valid until the old key ends") {
  const base::KeyRing before({{"old", "the old secret has 32 bytes, too", std::nullopt}});
  const base::KeyRing after({{"new", "the new secret has 32 bytes, too", std::nullopt},
                             {"old", "the old secret has 32 bytes, too", kNow + 10min}});
  const auto text = write_token(before, example_token(), kNow);
  CHECK(read_token(after, "demo", text, kNow, kSkew));
  CHECK_FALSE(read_token(after, "demo", text, kNow + 10min, kSkew));
  CHECK(write_token(after, example_token(), kNow).starts_with("new."));
}

TEST_CASE("an invalid token is not written") {
  const auto ring = test::one_key();
  auto token = example_token();
  token.links = LinksMode::automatic;
  CHECK(write_token(ring, token, kNow).empty());
  token = example_token();
  token.channel = "a/b";
  CHECK(write_token(ring, token, kNow).empty());
  CHECK(write_token(base::KeyRing({}), example_token(), kNow).empty());
}

TEST_CASE("the name of a session is 16 hex digits") {
  CHECK(session_name(0x0123456789abcdefull) == "0123456789abcdef");
  CHECK(session_name(1) == "0000000000000001");
}

TEST_CASE("a token has a mark of the node on which its session was opened") {
  const auto ring = test::one_key();
  auto token = example_token();
  token.first_node = node_mark("stadium");
  const auto read = read_token(ring, "demo", write_token(ring, token, kNow), kNow, kSkew);
  REQUIRE(read);
  CHECK(read->first_node == node_mark("stadium"));
  CHECK(node_mark("stadium") != node_mark("city"));
  CHECK(node_mark("stadium") < 1u << 24);
  CHECK(node_mark("") == 0);
  token.first_node = 1u << 24;
  CHECK(write_token(ring, token, kNow).empty());
}

TEST_CASE("a token of the former format is read, without a node") {
  const auto ring = test::one_key();
  std::string payload(1, '\x11');
  for (const std::uint64_t value :
       {static_cast<std::uint64_t>(base::unix_seconds(kNow)), std::uint64_t{0}, std::uint64_t{7}})
    for (int shift = 24; shift >= 0; shift -= 8) payload += static_cast<char>(value >> shift & 0xff);
  const auto signature = ring.sign(base::KeyRing::Purpose::token, "demo\n" + payload, kNow);
  REQUIRE(signature);
  const auto read =
      read_token(ring, "demo", signature->key_id + "." + base::to_base64url(payload + signature->mac), kNow, kSkew);
  REQUIRE(read);
  CHECK(*read == Token{"demo", 7, base::unix_seconds(kNow), LinksMode::redirect, 0});
}

TEST_CASE("a token has its owner, which cannot be read without the key") {
  const auto ring = test::one_key();
  for (std::size_t length = 0; length <= kMaxDeviceBytes; ++length) {
    auto token = example_token();
    token.owner =
        owner_of("ann@example.org", std::string("Living room TV and a much longer name for it, too").substr(0, length));
    const auto text = write_token(ring, token, kNow);
    const auto read = read_token(ring, "demo", text, kNow, kSkew);
    REQUIRE(read);
    CHECK(*read == token);
    const auto bytes = base::from_base64url(text.substr(text.find('.') + 1));
    REQUIRE(bytes);
    CHECK(bytes->find(token.owner.account) == std::string::npos);
    if (length > 3) CHECK(bytes->find(token.owner.device) == std::string::npos);
  }
}

TEST_CASE("an owner's marks are deterministic and bounded") {
  CHECK(owner_of("ann", "TV") == owner_of("ann", "TV"));
  CHECK(owner_of("ann", "").account != owner_of("bob", "").account);
  CHECK(owner_of("ann", "").account.size() == kAccountMarkBytes);
  CHECK(owner_of("", "TV") == Owner{});
  CHECK(owner_of("ann", std::string("a\0b\0\0", 5)).device == std::string("a\0b", 3));
  std::string name(46, 'x');
  name += "\xc3\xa4";
  CHECK(owner_of("ann", name).device == name);
  CHECK(owner_of("ann", "y" + name).device == "y" + std::string(46, 'x'));
  CHECK(owner_of("ann", std::string(100, '\x80')).device.empty());
}

TEST_CASE("a token with an invalid owner is not written") {
  const auto ring = test::one_key();
  auto token = example_token();
  for (const auto& wrong : {Owner{"short", ""}, Owner{"", "TV"}, Owner{"12345678", std::string(49, 'x')},
                            Owner{"12345678", std::string("x\0", 2)}}) {
    token.owner = wrong;
    CHECK(write_token(ring, token, kNow).empty());
  }
}
