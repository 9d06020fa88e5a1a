#pragma once
// What an access token says that its account may watch. Pure functions.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "contracts/account_token.h"
#include "shop/purchase.h"

namespace tribune::api {

/// The channels that are in effect at some time between the two (unix seconds), each once: `from` to `until` is the
/// time without a gap that begins first. Channel "" is all channels.
std::vector<contracts::EntitledChannel> entitled_channels(const std::vector<shop::Entitlement>&, std::int64_t begin,
                                                          std::int64_t end);

/// Until when (unix seconds; 0: without end) the channel may be watched from `now` on without a gap; nullopt: it may
/// not be watched now.
std::optional<std::int64_t> watched_until(const std::vector<shop::Entitlement>&, std::string_view channel,
                                          base::WallTime now);

/// Sets the channels of the claims: entitled_channels() between the token's issue and its expiry. Those that end first
/// are left out where they are too many for a token.
void set_entitled_channels(contracts::AccountClaims&, const std::vector<shop::Entitlement>&);

}  // namespace tribune::api
