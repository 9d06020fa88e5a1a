#include "api/entitled_channels.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::api;
using namespace std::chrono_literals;
using contracts::EntitledChannel;

namespace {

constexpr std::int64_t kIssued = 1'750'000'000, kExpires = kIssued + 600;

shop::Entitlement owned(std::vector<std::string> channels, std::int64_t from, std::optional<std::int64_t> until) {
  shop::Entitlement entitlement;
  entitlement.purchase = 1;
  entitlement.channels = std::move(channels);
  entitlement.from = base::WallTime(std::chrono::seconds(kIssued + from));
  if (until) entitlement.until = base::WallTime(std::chrono::seconds(kIssued + *until));
  return entitlement;
}

std::vector<EntitledChannel> in_token(const std::vector<shop::Entitlement>& entitlements) {
  return entitled_channels(entitlements, kIssued, kExpires);
}

}  // namespace

TEST_CASE("a token has the channels that are in effect in its time") {
  CHECK(in_token({owned({"a"}, -10, std::nullopt)}) == std::vector<EntitledChannel>{{"a", kIssued - 10, 0}});
  CHECK(in_token({owned({"a", "b"}, 0, 30)}) ==
        std::vector<EntitledChannel>{{"a", kIssued, kIssued + 30}, {"b", kIssued, kIssued + 30}});
  CHECK(in_token({owned({"a"}, -10, 0)}).empty());
  CHECK(in_token({owned({"a"}, 600, 700)}).empty());
  CHECK(in_token({owned({"a"}, 599, 700)}).size() == 1);
  auto all = owned({}, 0, std::nullopt);
  all.all_channels = true;
  CHECK(in_token({all}) == std::vector<EntitledChannel>{{"", kIssued, 0}});
}

TEST_CASE("purchases that follow each other are one time without a gap") {
  CHECK(in_token({owned({"a"}, 100, 200), owned({"a"}, -50, 100)}) ==
        std::vector<EntitledChannel>{{"a", kIssued - 50, kIssued + 200}});
  CHECK(in_token({owned({"a"}, 0, 100), owned({"a"}, 50, std::nullopt)}) ==
        std::vector<EntitledChannel>{{"a", kIssued, 0}});
  CHECK(in_token({owned({"a"}, 0, 100), owned({"a"}, 101, 300)}) ==
        std::vector<EntitledChannel>{{"a", kIssued, kIssued + 100}});
}

TEST_CASE("a token with too many channels says so, and keeps those that last longest") {
  std::vector<shop::Entitlement> entitlements;
  for (int i = 0; i < 30; ++i) entitlements.push_back(owned({"c" + std::to_string(i)}, 0, 1'000 + i));
  entitlements.push_back(owned({"for-ever"}, 0, std::nullopt));
  contracts::AccountClaims claims{1, 2, kIssued, kExpires};
  set_entitled_channels(claims, entitlements);
  CHECK(claims.has_more_channels);
  REQUIRE(claims.channels.size() == contracts::kMaxEntitledChannels);
  CHECK(claims.channels[0].channel == "for-ever");
  CHECK(claims.channels[1].channel == "c29");

  contracts::AccountClaims long_ids{1, 2, kIssued, kExpires};
  entitlements.clear();
  for (int i = 0; i < 13; ++i)
    entitlements.push_back(owned({std::string(63, 'x') + static_cast<char>('a' + i)}, 0, 1'000));
  set_entitled_channels(long_ids, entitlements);
  CHECK(long_ids.has_more_channels);
  CHECK(long_ids.channels.size() == contracts::kMaxEntitledBytes / 64);

  contracts::AccountClaims few{1, 2, kIssued, kExpires};
  set_entitled_channels(few, {owned({"a"}, 0, 1'000)});
  CHECK_FALSE(few.has_more_channels);
}
