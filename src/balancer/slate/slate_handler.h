#pragma once
// GET /slate/{channel}/{version}/{path}: a file of a waiting room. With `slate_origin` a viewer is redirected to a
// cache node, which requests the file here once, with ?body=1. Otherwise, or while no node is usable, the balancer
// sends the file itself.

#include <string_view>

#include "balancer/nodes/node_registry.h"
#include "balancer/settings/event_view.h"
#include "balancer/slate/slates.h"
#include "base/clock.h"
#include "contracts/event.h"
#include "http/message.h"

namespace tribune::balancer {

/// The query with which a cache node requests the file itself.
inline constexpr std::string_view kSlateBody = "body=1";

/// The event for cache nodes: channels with a slate may also be filled from `slate_origin`.
contracts::Event with_slate_origin(contracts::Event, const Slates&, const std::string& slate_origin);

/// Any thread. The parts outlive it.
class SlateHandler {
 public:
  SlateHandler(const base::Clock& clock, const Slates& slates, const NodeRegistry& nodes, const PublishedView& view)
      : clock_(clock), slates_(slates), nodes_(nodes), view_(view) {}

  http::Response answer(std::string_view channel, std::string_view version, std::string_view path,
                        const http::Request&) const;

 private:
  /// The file's URL at a cache node; empty when no node can have it.
  std::string url_at_node(std::string_view channel, const http::Request&) const;

  const base::Clock& clock_;
  const Slates& slates_;
  const NodeRegistry& nodes_;
  const PublishedView& view_;
};

}  // namespace tribune::balancer
