#pragma once
// Coverage zones: which group of cache nodes serves the clients of a network. A file of JSON:
//
//   {"zones": [{"name": "west stand", "group": "stadium", "prefixes": ["10.1.0.0/16", "2001:db8:1::/48"],
//               "fallback": ["city"], "deep": true}]}
//
// Deep zones (a stadium within a city) come before the others. Among zones of one depth the longest prefix wins.

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"

namespace tribune::balancer {

struct Zone {
  std::string name;
  std::string group;
  std::vector<std::string> fallback;  // groups, in this order
  bool is_deep = false;
};

/// Immutable; const methods from any thread.
class Zones {
 public:
  /// Errors: invalid_input with line and column, for a text of another form.
  static base::Result<Zones> parse(std::string_view text);

  /// The deep zone of the longest prefix, then the ordinary one; null where there is none.
  struct Match {
    const Zone* deep = nullptr;
    const Zone* ordinary = nullptr;
  };
  Match find(const base::IpAddress&) const;

  const std::vector<Zone>& all() const { return zones_; }
  std::size_t prefixes() const { return prefixes_; }
  /// Whether a zone names this group. Such a group serves only the clients that a rule sends there.
  bool names_group(std::string_view group) const { return groups_.contains(group); }

 private:
  struct Length {
    int bits;
    std::unordered_map<base::IpAddress, std::size_t, base::IpAddressHash> zones;
  };
  using Lengths = std::vector<Length>;  // the longest first
  bool add(Lengths&, const base::IpPrefix&, std::size_t zone);
  const Zone* find(const Lengths&, const base::IpAddress&) const;

  std::vector<Zone> zones_;
  std::set<std::string, std::less<>> groups_;
  std::size_t prefixes_ = 0;
  Lengths deep_, ordinary_;
};

}  // namespace tribune::balancer
