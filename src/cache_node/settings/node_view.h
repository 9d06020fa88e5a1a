#pragma once
// The configuration that requests read, as one value that a reload replaces.

#include <chrono>
#include <memory>
#include <string>

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
  RetentionRules retention_rules;
  QueryRules query_rules;
  VaryRules vary_rules;
};
using PublishedNodeView = base::Published<NodeView>;

/// `id`: the node's id at its start; a reload does not change it.
std::shared_ptr<const NodeView> make_node_view(base::KeyRing, std::chrono::milliseconds clock_skew,
                                               const CacheNodeSettings&, const std::string& id);

}  // namespace tribune::cache_node
