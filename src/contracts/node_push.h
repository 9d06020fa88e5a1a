#pragma once
// What the balancer tells a cache node between heartbeats: segments that viewers of that node are about to ask for. The
// node asks (POST /internal/v1/nodes/{id}/news, signed as heartbeats are) and the balancer holds the request until
// there is news, so it works for a node behind NAT. It carries an operator's orders too. The next question acknowledges
// what the last answer told. Values and pure functions.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "contracts/order.h"

namespace tribune::contracts {

/// The balancer answers at the latest after this.
inline constexpr std::chrono::milliseconds kNodePushHold{5'000};

/// No answer names more; what is left comes with the next.
inline constexpr std::size_t kMaxNewsTargets = 256;
inline constexpr std::size_t kMaxNewsOrders = 2;
inline constexpr std::size_t kMaxQuestionResults = 64;

inline constexpr std::size_t kMaxNewsBytes = 4 << 20;
inline constexpr std::size_t kMaxQuestionBytes = 64 * 1024;

struct NodePushPoll {
  std::string node;
  std::string run;                   // as in heartbeats
  std::int64_t sequence = 0;         // counts a run's questions from 1
  std::int64_t acknowledged = 0;     // the last answer whose fills run and whose orders are begun; 0 for none
  std::vector<OrderResult> results;  // of orders that are followed since the last question
  bool operator==(const NodePushPoll&) const = default;
};

/// An order on its way; the node names it in its result. Told again, it is the same order.
struct NodeOrder {
  std::string id;
  Order order;
  bool operator==(const NodeOrder&) const = default;
};

struct NodePush {
  std::int64_t number = 0;           // to be acknowledged; grows, even over a restart of the balancer
  std::vector<std::string> targets;  // of links: "/media/{channel}/{epoch}/{path}?{signed query}"
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
