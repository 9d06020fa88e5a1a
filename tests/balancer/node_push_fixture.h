#pragma once
// The surroundings of a NodePushHandler: one worker, a registry of nodes, a view with one key. Owned by one thread.

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "balancer/node_push/node_push_handler.h"
#include "contracts/heartbeat.h"
#include "contracts/keys.h"
#include "contracts/signed_body.h"
#include "support/fake_exchange.h"
#include "support/scripted_client.h"
#include "support/silent_log.h"

namespace tribune::test {

struct NodePushFixture {
  base::ManualClock clock;
  base::Log log{silent()};
  base::Metrics metrics;
  net::EventLoop loop;
  ScriptedClient client{loop};
  balancer::NodePushHandler::Workers workers;
  balancer::NodeRegistry nodes{clock, log, metrics};
  balancer::PublishedView view{nullptr};

  explicit NodePushFixture(base::WallTime now = kNow, balancer::EventView settings = {}) : clock(now) {
    workers.push_back(std::make_unique<runtime::Worker>(runtime::Worker{0, loop, client}));
    settings.event = std::make_shared<contracts::Event>();
    settings.keys = std::make_shared<base::KeyRing>(one_key());
    view.publish(std::make_shared<balancer::EventView>(std::move(settings)));
  }
  /// The first heartbeat of the node's run "r".
  void accept_heartbeat(const std::string& node) {
    contracts::Heartbeat h;
    h.node = node;
    h.run = "r";
    h.sequence = 1;
    h.sent_unix_ms = 1;
    REQUIRE(nodes.record_heartbeat(h) == balancer::NodeRegistry::HeartbeatResult::accepted);
  }
  /// Sends a body with this signature to the handler as the node does.
  std::shared_ptr<RecordedResponse> post(balancer::NodePushHandler& handler, const std::string& node,
                                         const std::string& body, const std::string& signature) {
    http::Request request;
    request.method = http::Method::post;
    request.path = contracts::news_path(node);
    request.body = body;
    request.headers.add(contracts::kSignatureHeader, signature);
    auto outcome = std::make_shared<RecordedResponse>();
    handler.answer(*workers[0], std::make_unique<FakeExchange>(std::move(request), outcome), node);
    return outcome;
  }
  std::string signature_of(const std::string& node, const std::string& body) const {
    return contracts::sign_body(one_key(), "POST " + contracts::news_path(node), body, clock.wall_now());
  }
};

}  // namespace tribune::test
