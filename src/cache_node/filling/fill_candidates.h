#pragma once
// The candidates of a fill, in the order in which it asks them: the nodes of the group that precede this one for that
// object, the tier above, then the origin and its backups that have the same files. Rendezvous hashing over the group's
// live nodes gives the order, so all nodes agree on it.
//
// A node asks only nodes that precede it in the object's order, and the order of two nodes depends on their ids
// alone. However different the nodes' lists of live nodes are, fills that wait for each other therefore never form a
// cycle. A request of a peer continues at the parents or the origin: it is never forwarded to a peer.
//
// After the origin come up to two of the nodes that follow this one, as the last resort of a node that cannot reach the
// origin. No node waits for a node that asks them (Fill::lost_origin), so they close no cycle; their own requests have
// no last resort.
//
// WHY no weights here: the order of two nodes must not depend on the information that one has about the other.
//
// Pure functions.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/signing.h"
#include "cache_node/filling/circuit_breakers.h"
#include "cache_node/filling/known_purges.h"
#include "cache_node/filling/live_peers.h"
#include "cache_node/objects/object_key.h"
#include "cache_node/objects/sliced_files.h"
#include "cache_node/policy/vary_rules.h"
#include "cache_node/settings/node_view.h"
#include "contracts/link.h"
#include "contracts/origin_path.h"
#include "contracts/peer_mark.h"
#include "http/message.h"
#include "net/client/http_client.h"

namespace tribune::cache_node {

/// The sender of a request for an object.
struct Asker {
  enum class Kind { viewer, peer, child, stranded };
  Kind kind = Kind::viewer;
  std::int64_t tiers = 0;  // number of child tiers on the way here; 0 for a viewer
};

/// A node or origin that may have the object.
struct FillCandidate {
  enum class Kind { peer, parent, origin };
  Kind kind = Kind::origin;
  std::string name;  // name of its circuit: "peer stadium-2", "http://origin:80"
  std::string url;
  std::vector<std::string> allowed_origins;
  net::FetchDeadlines deadlines;
  bool allow_special_addresses = false;
  CircuitSettings circuit;
  bool is_last_resort = false;  // after all others

  bool is_node() const { return kind != Kind::origin; }
};

std::string_view to_string(FillCandidate::Kind);

/// The values with which a request to another node is signed.
struct Signing {
  std::shared_ptr<const base::KeyRing> keys;
  std::string node;    // this one
  std::string object;  // the link's text, which may differ from the key
  std::int64_t tiers = 0;
  std::string purges = {};  // purges that cover the object, in their wire format (contracts/purge_mark.h)
  http::Headers fields(const FillCandidate&, base::WallTime now) const;
};

/// The sources of an object: made only from the channel map, the group and the configuration.
struct FillSource {
  std::vector<FillCandidate> candidates;  // never empty
  std::string channel;                    // of the object
  Retention retention;                    // the object's retention
  SlicedFilePtr file = {};                // when a slice is requested: its file
  http::ByteRange slice = {};             // the range of that file
  Variant variant = {};                   // the requested variant: each request has its fields
  Signing signing;
};

/// `purges`: those that cover the object. When they exceed the limit of a request, no other node is asked, unless the
/// configuration has no origin. Errors: invalid_input for a path that does not exist at the channel's origins.
base::Result<FillSource> fill_candidates(const NodeView&, const Peers&, const contracts::OriginSet&,
                                         const contracts::Link&, const ObjectKey&, Asker, base::WallTime now,
                                         KnownPurges::Covering purges = {});

}  // namespace tribune::cache_node
