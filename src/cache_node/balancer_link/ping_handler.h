#pragma once
// GET /ping: proves that the client has reached this node, with a signed receipt (contracts/receipt.h).

#include "base/clock.h"
#include "cache_node/settings/node_view.h"
#include "http/message.h"
#include "runtime/role.h"

namespace tribune::cache_node {

/// Const methods from any thread.
class PingHandler {
 public:
  PingHandler(const base::Clock& clock, const PublishedNodeView& view) : clock_(clock), view_(view) {}

  runtime::Route route() const;
  /// {"node": …, "receipt": …}
  http::Response answer(const http::Request&) const;

 private:
  const base::Clock& clock_;
  const PublishedNodeView& view_;
};

}  // namespace tribune::cache_node
