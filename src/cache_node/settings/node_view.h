#pragma once
// What a request needs of the configuration, as one value that a reload replaces.

#include <chrono>
#include <memory>

#include "base/published.h"
#include "base/signing.h"
#include "cache_node/policy/query_rules.h"
#include "cache_node/settings/cache_node_settings.h"

namespace tribune::cache_node {

/// Immutable; const methods from any thread.
struct NodeView {
  std::shared_ptr<const base::KeyRing> keys;
  std::chrono::milliseconds clock_skew{};
  CacheNodeSettings settings;
  FillSettings fill;
  RetentionRules keep;
  QueryRules query;
  VaryRules vary;
};
using PublishedNodeView = base::Published<NodeView>;

}  // namespace tribune::cache_node
