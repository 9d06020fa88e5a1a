#pragma once
// The request of one cache node to another for an object: a GET of the object's link with further fields, which name
// the asking node and are signed. A request without them is a viewer's; one with invalid fields is rejected. Values and
// pure functions.
//
//   X-Tribune-Peer: peer stadium-2 0       a node of the same group: served from here or the origin, never from another
//                                          peer
//   X-Tribune-Peer: stranded stadium-2 0   as peer, of a node that cannot reach the origin itself
//   X-Tribune-Peer: child stadium-2 1      a node of the tier below, with the number of tiers
//   X-Tribune-Purges: …                    purges that the node knows and that match the object (purge_mark.h);
//                                          absent when there are none
//   X-Tribune-Signature: …                 over "GET {object}" and the fields above (sign_body)
//
// Additional responses to such a request
//   X-Tribune-Verdict: waiting             503: the fill runs and has no bytes yet; retry at once
//   X-Tribune-Verdict: {reason}            the reason why there is no object
//   X-Tribune-Origin-Status: 404           in addition: the status of the origin, which need not be asked again.
//                                          Without this field the failure is the node's own and does not concern
//                                          the origin.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/signing.h"
#include "http/message.h"

namespace tribune::contracts {

inline constexpr std::string_view kPeerHeader = "X-Tribune-Peer";
inline constexpr std::string_view kVerdictHeader = "X-Tribune-Verdict";
inline constexpr std::string_view kVerdictWaiting = "waiting";
inline constexpr std::string_view kOriginStatusHeader = "X-Tribune-Origin-Status";

/// Requests from further down are rejected, which ends loops of tiers.
inline constexpr std::int64_t kMaxTiers = 4;

struct PeerMark {
  enum class Kind { peer, child, stranded };
  Kind kind = Kind::peer;
  std::string node;         // the asking node
  std::int64_t tiers = 0;   // parents on the way, this one included
  std::string purges = {};  // in the form of purge_mark.h
  bool operator==(const PeerMark&) const = default;
};

/// The two fields. `object`: the text of the object's key. Without the signature when the ring cannot sign.
http::Headers mark_fields(const base::KeyRing&, const PeerMark&, std::string_view object, base::WallTime now);

/// Errors: forbidden for a mark that is malformed, forged, of another object or of another time.
base::Result<PeerMark> read_mark(const base::KeyRing&, const http::Headers&, std::string_view object,
                                 base::WallTime now, std::chrono::milliseconds skew);

}  // namespace tribune::contracts
