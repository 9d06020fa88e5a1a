#pragma once
// The caches that a client reaches, as its playlist request states.
//
//   cache=ID       or X-Cache-Id        the cache that it found by pinging
//   receipt=R,R…   or X-Cache-Receipt   receipts of GET {node}/ping; each may end in ":" and its round trip time in
//                                       milliseconds
//   gone=ID        or X-Cache-Gone      the cache that it cannot reach any more

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/signing.h"
#include "http/message.h"

namespace tribune::balancer {

/// A receipt whose signature and time were verified.
struct Proof {
  std::string node;
  std::string client_prefix;
  std::int64_t believed_until = 0;  // unix seconds
  double rtt_ms = -1;               // below 0: not stated
};

/// Receipts of one request that are read; further ones are ignored.
inline constexpr std::size_t kMaxProofs = 8;

struct ReachabilityClaims {
  std::vector<Proof> proofs;
  std::string gone;
  bool reaches_none = false;         // no cache answered the client's pings
  bool is_report = false;            // made for this purpose, not repeated by a URL: it ends what was reported before
  std::vector<std::string> refused;  // the reasons for which receipts are invalid
  bool empty() const { return proofs.empty() && gone.empty() && !reaches_none; }
};

struct ClaimRules {
  std::chrono::milliseconds receipt_lifetime{300'000};
  std::chrono::milliseconds clock_skew{30'000};
};

/// Parses the values themselves.
ReachabilityClaims claims_of(std::string_view gone, std::string_view receipts, const base::KeyRing&, const ClaimRules&,
                             base::WallTime now);
ReachabilityClaims read_claims(const http::Headers&, std::string_view query, const base::KeyRing&, const ClaimRules&,
                               base::WallTime now);

/// Why receipts are not believed of a client of this network: they are invalid, or belong to another client.
std::vector<std::string> refusals(const ReachabilityClaims&, std::string_view client_prefix);

/// The nodes of the proofs that are valid for a client of this network now, the nearest first.
std::vector<std::string_view> believed(const std::vector<Proof>&, std::string_view client_prefix, base::WallTime now);

}  // namespace tribune::balancer
