#include "contracts/event.h"

#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include <doctest/doctest.h>

#include "base/encoding.h"
#include "base/rfc3339.h"
#include "config/settings.h"

using namespace tribune;
using namespace tribune::contracts;
using namespace std::chrono_literals;

namespace {

config::Schema::Outcome read_event(const std::string& event) {
  config::Schema schema;
  schema.add(event_section(), config::Presence::required);
  return schema.read("{\"event\":" + event + "}");
}

const std::string kKeys = R"("keys":[{"id":"k1","secret":"0123456789abcdef"}])";

std::string problem_of(const std::string& event) {
  const auto outcome = read_event(event);
  REQUIRE_FALSE(outcome.settings);
  return outcome.problems.front().key + ": " + outcome.problems.front().text;
}

bool names(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("an event is read with its defaults") {
  const auto outcome = read_event("{" + kKeys + R"(,"channels":[{"id":"demo","source":"http://o/demo/index.m3u8"}]})");
  REQUIRE(outcome.settings);
  const auto& event = outcome.settings->get<Event>("event");
  REQUIRE(event.find("demo"));
  CHECK(event.find("demo")->links == LinksMode::automatic);
  CHECK(event.find("demo")->link_lifetime == 6h);
  CHECK(event.clock_skew == 30s);
  CHECK(event.find("other") == nullptr);
}

TEST_CASE("every setting of a channel is read") {
  const auto outcome =
      read_event("{" + kKeys + R"(,"clock_skew":"5s","channels":[{"id":"a","title":"A","source":"https://o/a.m3u8",
      "extra_origins":["https://ads.example"],"links":"direct","bandwidth_bps":1000000,"link_lifetime":"1h","playlist_limits":{"max_lines":500}}]})");
  REQUIRE(outcome.settings);
  const auto& event = outcome.settings->get<Event>("event");
  const auto* channel = event.find("a");
  REQUIRE(channel);
  CHECK(channel->title == "A");
  CHECK(channel->extra_origins == std::vector<std::string>{"https://ads.example"});
  CHECK(channel->links == LinksMode::direct);
  CHECK(channel->bandwidth_bps == 1'000'000);
  CHECK(channel->link_lifetime == 1h);
  CHECK(channel->playlist_limits.max_lines == 500);
  CHECK(event.clock_skew == 5s);
}

TEST_CASE("invalid events are refused with their key") {
  CHECK(names(problem_of(R"({"keys":[]})"), "at least one key"));
  CHECK(names(
      problem_of("{" + kKeys + R"(,"channels":[{"id":"a","source":"http://o/a"},{"id":"a","source":"http://o/b"}]})"),
      "\"a\" is used twice"));
  CHECK(names(problem_of(R"({"keys":[{"id":"k","secret":"0123456789abcdef"},{"id":"k","secret":"0123456789abcdeg"}]})"),
              "\"k\" is used twice"));
  CHECK(
      names(problem_of("{" + kKeys + R"(,"channels":[{"id":"a","source":"ftp://o/a"}]})"), "event.channels[0].source"));
  CHECK(
      names(problem_of("{" + kKeys + R"(,"channels":[{"id":"a/b","source":"http://o/a"}]})"), "event.channels[0].id"));
  CHECK(names(problem_of("{" + kKeys + R"(,"channels":[{"id":"a","source":"http://o/a","links":"maybe"}]})"),
              "event.channels[0].links"));
  CHECK(names(
      problem_of("{" + kKeys + R"(,"channels":[{"id":"a","source":"http://o/a","extra_origins":["http://x/path"]}]})"),
      "extra_origins"));
  CHECK(names(problem_of(R"({"keys":[{"id":"K","secret":"0123456789abcdef"}]})"), "event.keys[0].id"));
  CHECK(names(problem_of(R"({"keys":[{"id":"k","secret":"short"}]})"), "16 bytes"));
  CHECK(names(problem_of(R"({"keys":[{"id":"k"}]})"), "secret"));
  CHECK(names(problem_of(R"({"keys":[{"id":"k","secret":"0123456789abcdef","secret_file":"x"}]})"), "secret"));
  CHECK(names(problem_of(R"({"keys":[{"id":"k","secret":"0123456789abcdef","not_after":"tomorrow"}]})"), "not_after"));
}

TEST_CASE("a key ring has the keys in their order, and each ends at its time") {
  Event event;
  event.keys = {{"new", "0123456789abcdef", "", ""}, {"old", "fedcba9876543210", "", "2026-06-01T20:00:00Z"}};
  const auto ring = key_ring(event);
  REQUIRE(ring);
  const auto end = *base::parse_rfc3339("2026-06-01T20:00:00Z");
  const auto made = ring->sign(base::KeyRing::Purpose::link, "x", end);
  REQUIRE(made);
  CHECK(made->key_id == "new");
  Event old;
  old.keys = {event.keys[1]};
  const auto old_ring = key_ring(old);
  REQUIRE(old_ring);
  const auto before = old_ring->sign(base::KeyRing::Purpose::link, "x", end - 1s);
  REQUIRE(before);
  CHECK(ring->verify(base::KeyRing::Purpose::link, "x", "old", before->mac, end - 1s));
  CHECK_FALSE(ring->verify(base::KeyRing::Purpose::link, "x", "old", before->mac, end));
}

TEST_CASE("a secret is read from its file without the line end") {
  std::string directory = "/tmp/tribune_event_XXXXXX";
  REQUIRE(mkdtemp(directory.data()));
  const auto file = directory + "/secret";
  std::ofstream(file) << "0123456789abcdef\n";
  Event from_file, inline_secret;
  from_file.keys = {{"k", "", file, ""}};
  inline_secret.keys = {{"k", "0123456789abcdef", "", ""}};
  const auto a = key_ring(from_file), b = key_ring(inline_secret);
  REQUIRE(a);
  REQUIRE(b);
  const auto now = base::WallTime{};
  CHECK(a->sign(base::KeyRing::Purpose::link, "x", now)->mac == b->sign(base::KeyRing::Purpose::link, "x", now)->mac);

  std::ofstream(file) << "short\n";
  const auto too_short = key_ring(from_file);
  REQUIRE_FALSE(too_short);
  CHECK(too_short.error().text.find("short") == std::string::npos);
  CHECK(unlink(file.c_str()) == 0);
  const auto missing = key_ring(from_file);
  REQUIRE_FALSE(missing);
  CHECK(names(missing.error().text, file));
  CHECK(rmdir(directory.c_str()) == 0);
}

TEST_CASE("the account keys of an event verify the tokens of their private halves, each until its end") {
  const auto signer = AccountTokenSigner::make({{"a1", std::string(base::kSeedBytes, 'a')}});
  REQUIRE(signer);
  const auto public_key = base::to_base64url(signer->keys().front().public_key);
  CHECK(public_key.size() == 43);
  const auto outcome = read_event("{" + kKeys + R"(,"account_keys":[{"id":"a1","public_key":")" + public_key +
                                  R"(","not_after":"2026-06-01T20:00:00Z"}]})");
  REQUIRE(outcome.settings);
  const auto keys = account_token_keys(outcome.settings->get<Event>("event"));
  REQUIRE(keys);
  const auto end = *base::parse_rfc3339("2026-06-01T20:00:00Z");
  const auto text = signer->sign({1, 2, base::unix_seconds(end - 1min), base::unix_seconds(end + 1min)});
  CHECK(keys->read(text, end - 1s, 30s));
  CHECK_FALSE(keys->read(text, end, 30s));
}

TEST_CASE("an event without account keys verifies no account token") {
  const auto outcome = read_event("{" + kKeys + "}");
  REQUIRE(outcome.settings);
  CHECK(outcome.settings->get<Event>("event").account_keys.empty());
  const auto keys = account_token_keys(outcome.settings->get<Event>("event"));
  REQUIRE(keys);
  CHECK(keys->fingerprint() == AccountTokenKeys().fingerprint());
}

TEST_CASE("invalid account keys are refused with their key and what is allowed") {
  const auto key = base::to_base64url(base::PrivateSigningKey::from_seed(std::string(32, 'a'))->public_key());
  const auto problem = [&](const std::string& account_keys) {
    return problem_of("{" + kKeys + R"(,"account_keys":[)" + account_keys + "]}");
  };
  const auto with_key = [](const std::string& text) { return R"({"id":"a1","public_key":")" + text + R"("})"; };
  for (const auto& wrong : {std::string(), key.substr(1), key + "A", key + "=", "!" + key.substr(1),
                            base::to_base64url(std::string(32, '\0'))}) {
    const auto text = problem(with_key(wrong));
    CHECK(names(text, "event.account_keys[0].public_key"));
    CHECK(names(text, "43 characters of base64url"));
  }
  CHECK(names(problem(with_key(key) + "," + with_key(key)), "account key id \"a1\" is used twice"));
  CHECK(names(problem(R"({"id":"A1","public_key":")" + key + R"("})"), "event.account_keys[0].id"));
  CHECK(names(problem(R"({"id":"a1"})"), "public_key"));
  CHECK(names(problem(R"({"public_key":")" + key + R"("})"), "id"));
  CHECK(names(problem(R"({"id":"a1","public_key":")" + key + R"(","not_after":"soon"})"), "not_after"));
  Event event;
  event.account_keys = {{"a1", "short", ""}};
  CHECK_FALSE(account_token_keys(event));
  event.account_keys = {{"a1", key, "soon"}};
  CHECK_FALSE(account_token_keys(event));
}
