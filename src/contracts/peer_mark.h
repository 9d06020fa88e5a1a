#pragma once
// How one cache node asks another for an object: a GET of the object's link with two more fields, which say who asks
// and are signed. A request without them is a viewer's; one with them that do not fit is refused. Values and pure
// functions.
//
//   X-Tribune-Peer: peer stadium-2 0       a node of the same group: answered from here or the origin, never from
//   another peer X-Tribune-Peer: stranded stadium-2 0   as peer, of a node that does not reach the origin itself
//   X-Tribune-Peer: child stadium-2 1      a node of the tier below, so many tiers down
//   X-Tribune-Purges: …                    that the node knows and that cover the object (purge_mark.h); absent where
//   there is none X-Tribune-Signature: …                 over "GET {object}" and the fields above (sign_body)
//
// What such a request gets beside a viewer's answers
//   X-Tribune-Verdict: waiting             503: the fill runs and nothing of it came yet; ask again at once
//   X-Tribune-Verdict: {reason}            why there is no object
//   X-Tribune-Origin-Status: 404           beside it: the origin's own answer, found by the node that asked it: no need
//   to ask it again.
//                                          Without this field the failure is the asked node's own, and says nothing of
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

/// A node that asks from further down than this is refused: tiers that name each other in a ring end here.
inline constexpr std::int64_t kMaxTiers = 4;

struct PeerMark {
  enum class Kind { peer, child, stranded };
  Kind kind = Kind::peer;
  std::string node;         // who asks
  std::int64_t tiers = 0;   // parents that were asked on the way, this one included
  std::string purges = {};  // as purge_mark.h writes them
  bool operator==(const PeerMark&) const = default;
};

/// The two fields. `object`: the text of the object's key. Without the signature when the ring cannot sign.
http::Headers mark_fields(const base::KeyRing&, const PeerMark&, std::string_view object, base::WallTime now);

/// Errors: forbidden for a mark that is malformed, forged, of another object or of another time.
base::Result<PeerMark> read_mark(const base::KeyRing&, const http::Headers&, std::string_view object,
                                 base::WallTime now, std::chrono::milliseconds skew);

}  // namespace tribune::contracts
