#include "base/password_hash.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

using namespace tribune::base;

namespace {

constexpr PasswordHashCost kLeastCost{kMinPasswordMemoryBytes, 1};

/// Hashes of "password" with the salt "0123456789abcdef" that the reference implementation of Argon2 wrote.
constexpr std::string_view kReferenceHash =
    "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$+4O1cR/ZHfYwtjZ33uYszRPubwxIl9hWtJVCubHpl1s";
constexpr std::string_view kReferenceHashOfArgon2i =
    "$argon2i$v=19$m=64,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$UMrXy6e3y/7NkHuxesnl9kA6x02czNUf8wffmV2och0";
constexpr std::string_view kReferenceHashOfTwoLanes =
    "$argon2id$v=19$m=64,t=1,p=2$MDEyMzQ1Njc4OWFiY2RlZg$WSSfe1mnbabV5EdR0HMZ1l+3H3KWmc3xRljelgVL3V8";

std::string hash_of(std::string_view password, const PasswordHashCost& cost = kLeastCost) {
  auto hash = hash_password(password, cost);
  REQUIRE(hash);
  return *hash;
}

std::string with_parameters(std::string_view parameters) {
  const auto hash = std::string(kReferenceHash);
  return "$argon2id$v=19$" + std::string(parameters) + hash.substr(hash.find("$MDEy"));
}

}  // namespace

TEST_CASE("a hash is right for its own password only") {
  const auto hash = hash_of("correct horse");
  CHECK(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
  CHECK(check_password(hash, "correct horse") == PasswordMatch::right);
  CHECK(check_password(hash, "correct horsf") == PasswordMatch::wrong);
  CHECK(check_password(hash, "") == PasswordMatch::wrong);
  CHECK(check_password(hash_of(""), "") == PasswordMatch::right);
  CHECK(check_password(hash_of(std::string_view{}), "") == PasswordMatch::right);
}

TEST_CASE("a hash of the reference implementation of Argon2 is checked") {
  CHECK(check_password(kReferenceHash, "password") == PasswordMatch::right);
  CHECK(check_password(kReferenceHash, "Password") == PasswordMatch::wrong);
}

TEST_CASE("the same password has another hash each time, because the salt is random") {
  std::set<std::string> hashes;
  for (int i = 0; i < 20; ++i) hashes.insert(hash_of("password"));
  CHECK(hashes.size() == 20);
}

TEST_CASE("a password may have any bytes and is compared to its last one") {
  const std::string with_nul("pass\0word", 9);
  const auto hash = hash_of(with_nul);
  CHECK(check_password(hash, with_nul) == PasswordMatch::right);
  CHECK(check_password(hash, "pass") == PasswordMatch::wrong);
  CHECK(check_password(hash, std::string_view("pass\0worD", 9)) == PasswordMatch::wrong);
  const std::string long_one(1'024, 'a');
  CHECK(check_password(hash_of(long_one), long_one) == PasswordMatch::right);
  CHECK(check_password(hash_of(long_one), long_one.substr(1)) == PasswordMatch::wrong);
}

TEST_CASE("a text that is no hash of this kind matches no password and needs renewal") {
  const std::string hash(kReferenceHash);
  std::vector<std::string> damaged = {"",
                                      "password",
                                      "$",
                                      "$argon2id$",
                                      std::string(kReferenceHashOfArgon2i),
                                      std::string(kReferenceHashOfTwoLanes),
                                      hash + "A",
                                      hash + "=",
                                      hash + "$",
                                      hash + std::string(1, '\0'),
                                      " " + hash,
                                      "$argon2id$v=16" + hash.substr(14),
                                      hash.substr(0, hash.rfind('$')),
                                      "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"};
  for (std::size_t size = 0; size < hash.size(); ++size) damaged.push_back(hash.substr(0, size));
  for (const auto& text : damaged) {
    CAPTURE(text);
    CHECK(check_password(text, "password") == PasswordMatch::wrong);
    CHECK(needs_renewal(text, {64 * 1'024, 2}));
  }
  CHECK_FALSE(needs_renewal(hash, {64 * 1'024, 2}));
}

TEST_CASE("parameters beyond the bounds make a hash a damaged one, and nothing is computed with them") {
  for (const auto* parameters :
       {"m=262145,t=2,p=1", "m=4294967295,t=2,p=1", "m=99999999999999999999,t=2,p=1", "m=7,t=2,p=1", "m=0,t=2,p=1",
        "m=-8,t=2,p=1", "m=64,t=0,p=1", "m=64,t=17,p=1", "m=64,t=4294967295,p=1", "m=64,t=2,p=0", "m=64,t=2",
        "m=,t=2,p=1", "t=2,m=64,p=1", "m=64,t=2,p=1,data=AA"}) {
    CAPTURE(parameters);
    CHECK(check_password(with_parameters(parameters), "password") == PasswordMatch::wrong);
  }
  CHECK(check_password(with_parameters("m=64,t=2,p=1"), "password") == PasswordMatch::right);
}

TEST_CASE("a cost beyond the bounds is replaced by the nearest bound") {
  CHECK(hash_of("p", {0, 0}).starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
  CHECK(hash_of("p", {kMinPasswordMemoryBytes + 1'023, 1'000}).starts_with("$argon2id$v=19$m=8,t=16,p=1$"));
  CHECK(hash_of_no_password({~std::uint64_t{0}, 3}).starts_with("$argon2id$v=19$m=262144,t=3,p=1$"));
}

TEST_CASE("a hash needs renewal when the cost has changed in either direction") {
  const auto hash = hash_of("password", {16 * 1'024, 2});
  CHECK_FALSE(needs_renewal(hash, {16 * 1'024, 2}));
  CHECK_FALSE(needs_renewal(hash, {16 * 1'024 + 1'023, 2}));
  CHECK(needs_renewal(hash, {17 * 1'024, 2}));
  CHECK(needs_renewal(hash, {8 * 1'024, 2}));
  CHECK(needs_renewal(hash, {16 * 1'024, 1}));
  CHECK(needs_renewal(hash, {16 * 1'024, 3}));
}

TEST_CASE("a hash of no password looks like a hash of its cost and matches nothing") {
  const auto none = hash_of_no_password(kLeastCost);
  CHECK(none.size() == hash_of("password").size());
  CHECK_FALSE(needs_renewal(none, kLeastCost));
  CHECK(none != hash_of_no_password(kLeastCost));
  for (const auto* password : {"", "password", "0"}) CHECK(check_password(none, password) == PasswordMatch::wrong);
}

TEST_CASE("a wiped text is empty") {
  for (auto secret : {std::string(), std::string("short"), std::string(500, 's')}) {
    wipe(secret);
    CHECK(secret.empty());
  }
}

#ifndef TRIBUNE_SANITIZED  // WHY: sanitizers reserve terabytes of addresses, which the limit counts
TEST_CASE("a hash whose memory cannot be allocated is unavailable, and not wrong") {
  constexpr PasswordHashCost kMostMemory{kMaxPasswordMemoryBytes, 1};
  rlim_t used_pages = 0;
  std::ifstream("/proc/self/statm") >> used_pages;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_AS, &before) == 0);
  rlimit little = before;
  little.rlim_cur = used_pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + kMaxPasswordMemoryBytes / 2;
  REQUIRE(::setrlimit(RLIMIT_AS, &little) == 0);
  const auto hash = hash_password("password", kMostMemory);
  const auto match = check_password(hash_of_no_password(kMostMemory), "password");
  REQUIRE(::setrlimit(RLIMIT_AS, &before) == 0);
  REQUIRE_FALSE(hash);
  CHECK(hash.error().kind == ErrorKind::unavailable);
  CHECK(hash.error().may_retry);
  CHECK(match == PasswordMatch::unavailable);
}
#endif
