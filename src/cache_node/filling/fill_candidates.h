#pragma once
// Whom a fill asks, one after the other: the nodes of the group that come before this one for that object, the tier
// above, then the origin and its backups. Rendezvous hashing over the group's live nodes makes the line, so all nodes
// agree about it.
//
// A node asks only nodes that stand before it in the object's line, and the order of two nodes depends on their ids
// alone: however different the nodes' knowledge of who lives, fills that wait for each other never go round in a ring.
// A peer's question begins at the parents or the origin: it is never handed on to a peer.
//
// Behind the origin stand a few of the nodes that come after this one, as the last resort of a node that does not reach
// the origin. Nobody waits for a node that asks them (Fill::lost_origin), so they close no ring; what they ask for has
// no last resort of its own. WHY: no weights here: the order of two nodes must not depend on what one has heard of the
// other.
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
#include "contracts/channel_map.h"
#include "contracts/link.h"
#include "contracts/peer_mark.h"
#include "http/message.h"
#include "net/client/http_client.h"

namespace tribune::cache_node {

/// Who wants an object.
struct Asker {
  enum class Kind { viewer, peer, child, stranded };
  Kind kind = Kind::viewer;
  std::int64_t tiers = 0;  // of parents that led here; a viewer's: 0
};

/// One that may have the object.
struct FillCandidate {
  enum class Kind { peer, parent, origin };
  Kind kind = Kind::origin;
  std::string name;  // of its circuit: "peer stadium-2", "http://origin:80"
  std::string url;
  std::vector<std::string> allowed_origins;
  net::FetchDeadlines deadlines;
  bool allow_special_addresses = false;
  CircuitSettings circuit;
  bool is_last_resort = false;  // behind all others

  bool is_node() const { return kind != Kind::origin; }
};

std::string_view to_string(FillCandidate::Kind);

/// How a question to another node is signed.
struct Signing {
  std::shared_ptr<const base::KeyRing> keys;
  std::string node;    // this one
  std::string object;  // the link's text: the key may say less of it, or more
  std::int64_t tiers = 0;
  std::string purges = {};  // that cover the object, as they are told (contracts/purge_mark.h)
  http::Headers fields(const FillCandidate&, base::WallTime now) const;
};

/// Where an object comes from: only ever made from the channel map, the group and the configuration.
struct FillSource {
  std::vector<FillCandidate> places;  // never empty
  Retention keep;                     // of the object
  SlicedFilePtr file = {};            // whose slice is wanted, if one is
  http::ByteRange slice = {};         // of that file
  Variant variant = {};               // that is wanted: each place is asked with its fields
  Signing signing;
};

/// `purges`: those that cover the object; where they are too many to be told, no other node is asked, unless the
/// configuration knows no origin. Errors: invalid_input for a path that names nothing at the channel's origins.
base::Result<FillSource> fill_candidates(const NodeView&, const Peers&, const contracts::ChannelEntry&,
                                         const contracts::Link&, const ObjectKey&, Asker, base::WallTime now,
                                         KnownPurges::Covering purges = {});

}  // namespace tribune::cache_node
