#pragma once
// The state of publishing one media playlist that is not part of its snapshots: the nodes whose viewers follow it, and
// the snapshots that are held from the viewers of some nodes.

#include <memory>

#include "balancer/node_push/following_nodes.h"
#include "balancer/node_push/snapshot_hold.h"

namespace tribune::balancer {

/// Any thread; each member locks inside.
struct PlaylistPublication {
  FollowingNodes followers;
  SnapshotHold hold;
};
using PlaylistPublicationPtr = std::shared_ptr<PlaylistPublication>;

}  // namespace tribune::balancer
