#include "api/entitled_channels.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>

namespace tribune::api {
namespace {

/// In unix seconds; without an end it is kNoEnd.
struct Coverage {
  std::int64_t from = 0;
  std::int64_t until = 0;
};
constexpr std::int64_t kNoEnd = std::numeric_limits<std::uint32_t>::max();

/// Cut to whole seconds, so that what is bought in the middle of a second can be watched at once.
Coverage coverage_of(const shop::Entitlement& entitlement) {
  const auto until = entitlement.until ? base::unix_seconds(*entitlement.until) : kNoEnd;
  return {std::clamp<std::int64_t>(base::unix_seconds(entitlement.from), 0, kNoEnd),
          std::clamp<std::int64_t>(until, 0, kNoEnd)};
}

/// The time without a gap that begins first.
Coverage joined(std::vector<Coverage> coverages) {
  std::sort(coverages.begin(), coverages.end(), [](const auto& a, const auto& b) { return a.from < b.from; });
  auto whole = coverages.front();
  for (const auto& next : coverages)
    if (next.from <= whole.until) whole.until = std::max(whole.until, next.until);
  return whole;
}

}  // namespace

std::vector<contracts::EntitledChannel> entitled_channels(const std::vector<shop::Entitlement>& entitlements,
                                                          std::int64_t begin, std::int64_t end) {
  std::map<std::string, std::vector<Coverage>> by_channel;
  for (const auto& entitlement : entitlements) {
    const auto coverage = coverage_of(entitlement);
    if (coverage.from >= end || coverage.until <= begin) continue;
    if (entitlement.all_channels) by_channel[""].push_back(coverage);
    for (const auto& channel : entitlement.channels) by_channel[channel].push_back(coverage);
  }
  std::vector<contracts::EntitledChannel> channels;
  for (const auto& [channel, coverages] : by_channel) {
    const auto [from, until] = joined(coverages);
    channels.push_back({channel, from, until == kNoEnd ? 0 : until});
  }
  return channels;
}

std::optional<std::int64_t> watched_until(const std::vector<shop::Entitlement>& entitlements, std::string_view channel,
                                          base::WallTime now) {
  const auto second = base::unix_seconds(now);
  std::vector<Coverage> coverages;
  for (const auto& entitlement : entitlements) {
    const auto& channels = entitlement.channels;
    const bool opens =
        entitlement.all_channels || std::find(channels.begin(), channels.end(), channel) != channels.end();
    const auto coverage = coverage_of(entitlement);
    if (opens && coverage.until > second) coverages.push_back(coverage);
  }
  if (coverages.empty()) return std::nullopt;
  const auto [from, until] = joined(std::move(coverages));
  if (from > second) return std::nullopt;
  return until == kNoEnd ? 0 : until;
}

void set_entitled_channels(contracts::AccountClaims& claims, const std::vector<shop::Entitlement>& entitlements) {
  auto channels = entitled_channels(entitlements, claims.issued, claims.expires);
  const auto end_of = [](const auto& channel) { return channel.until == 0 ? kNoEnd : channel.until; };
  std::stable_sort(channels.begin(), channels.end(),
                   [&](const auto& a, const auto& b) { return end_of(a) > end_of(b); });
  std::size_t bytes = 0;
  for (auto& channel : channels) {
    bytes += channel.channel.size();
    if (claims.channels.size() == contracts::kMaxEntitledChannels || bytes > contracts::kMaxEntitledBytes) {
      claims.has_more_channels = true;
      return;
    }
    claims.channels.push_back(std::move(channel));
  }
}

}  // namespace tribune::api
