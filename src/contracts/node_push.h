#pragma once
// Messages that the balancer pushes to a cache node between heartbeats: segments that viewers of that node will request
// next, and orders of operators. The node polls (POST /internal/v1/nodes/{id}/news, signed as heartbeats are), and the
// balancer holds the request until there are messages (long polling), so that it works for a node behind NAT. The next
// poll acknowledges the last response. Values and pure functions.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "contracts/order.h"

namespace tribune::contracts {

/// The balancer responds at the latest after this time.
inline constexpr std::chrono::milliseconds kNodePushHold{5'000};

/// The maximum number of targets in one response; the next response has the remaining ones.
inline constexpr std::size_t kMaxNewsTargets = 256;
inline constexpr std::size_t kMaxNewsOrders = 2;
inline constexpr std::size_t kMaxQuestionResults = 64;

inline constexpr std::size_t kMaxNewsBytes = 4 << 20;
inline constexpr std::size_t kMaxQuestionBytes = 64 * 1024;

struct NodePushPoll {
  std::string node;
  std::string run;                // the run id of the heartbeats
  std::int64_t sequence = 0;      // counts a run's polls from 1
  std::int64_t acknowledged = 0;  // the last response whose fills have started and whose orders have begun; 0 for none
  std::vector<OrderResult> results;  // of orders that were carried out since the last poll
  bool operator==(const NodePushPoll&) const = default;
};

/// A pushed order; the node names it in its result. An order with the same id is the same order.
struct NodeOrder {
  std::string id;
  Order order;
  bool operator==(const NodeOrder&) const = default;
};

struct NodePush {
  std::int64_t number = 0;           // to be acknowledged; increases, also across restarts of the balancer
  std::vector<std::string> targets;  // targets of links: "/media/{channel}/{epoch}/{path}?{signed query}"
  std::vector<NodeOrder> orders;     // of an operator
  bool operator==(const NodePush&) const = default;
};

std::string to_json(const NodePushPoll&);
std::string to_json(const NodePush&);
/// Errors: invalid_input.
base::Result<NodePushPoll> news_question_from_json(std::string_view);
base::Result<NodePush> news_from_json(std::string_view);

/// "/internal/v1/nodes/{id}/news"
std::string news_path(std::string_view node);

}  // namespace tribune::contracts
