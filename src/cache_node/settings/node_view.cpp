#include "cache_node/settings/node_view.h"

namespace tribune::cache_node {

std::shared_ptr<const NodeView> make_node_view(base::KeyRing keys, std::chrono::milliseconds clock_skew,
                                               const CacheNodeSettings& settings, const std::string& id) {
  auto view = std::make_shared<NodeView>();
  view->keys = std::make_shared<const base::KeyRing>(std::move(keys));
  view->clock_skew = clock_skew;
  view->settings = settings;
  view->settings.id = id;
  view->fill = settings.fill_settings();
  view->retention_rules = settings.retention_rules();
  view->query_rules = settings.query_rules();
  view->vary_rules = settings.vary_rules();
  return view;
}

}  // namespace tribune::cache_node
