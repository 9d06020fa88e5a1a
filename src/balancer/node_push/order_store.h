#pragma once
// The purges that nodes have not followed yet, on disk: a node that was away gets them when it is back, whatever became
// of the balancer meanwhile. Numbers grow over restarts, for each start reserves more than a run can use.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "contracts/node_push.h"
#include "store/store.h"

namespace tribune::balancer {

/// Table of the state: "issuer", "next" (number), and "node/{id}/{number}" with an order as JSON.
inline constexpr std::string_view kOrdersTable = "orders";

/// The desk that it belongs to guards it.
class OrderStore {
 public:
  OrderStore(store::Store&, base::Log&);

  struct Record {
    std::string node;
    std::int64_t number = 0;
    contracts::NodeOrder order;
  };
  /// What nodes have not followed, by node, oldest first. The store must be flushed before a number is used.
  base::Result<std::vector<Record>> load(base::WallTime now);

  const std::string& issuer() const { return issuer_; }
  std::int64_t first_number() const { return first_; }

  void keep(const std::string& node, std::int64_t number, const contracts::NodeOrder&);
  void forget(const std::string& node, std::int64_t number);
  /// Calls back, on the store's thread, when all that was kept before is on disk, or the disk refused it; then it is
  /// tried again.
  void when_durable(std::function<void()>);

 private:
  store::Store& store_;
  base::Log& log_;
  std::string issuer_;
  std::int64_t first_ = 0;
};

}  // namespace tribune::balancer
