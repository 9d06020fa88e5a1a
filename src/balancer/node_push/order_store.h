#pragma once
// The purges that nodes have not completed, on disk: a node that was absent receives them when it returns, also after a
// restart of the balancer. Numbers grow across restarts, because each start reserves more numbers than a run can use.

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

/// Does not lock: the NodePushHandler that uses it holds its own lock.
class OrderStore {
 public:
  OrderStore(store::Store&, base::Log&);

  struct Record {
    std::string node;
    std::int64_t number = 0;
    contracts::NodeOrder order;
  };
  /// The orders that nodes have not completed, by node, oldest first. The store must be flushed before a number is
  /// used.
  base::Result<std::vector<Record>> load(base::WallTime now);

  const std::string& issuer() const { return issuer_; }
  std::int64_t first_number() const { return first_; }

  void save(const std::string& node, std::int64_t number, const contracts::NodeOrder&);
  void erase(const std::string& node, std::int64_t number);
  /// Calls back, on the store's thread, when everything saved before is on disk, or when a write failed, which the
  /// store repeats.
  void when_durable(std::function<void()>);

 private:
  store::Store& store_;
  base::Log& log_;
  std::string issuer_;
  std::int64_t first_ = 0;
};

}  // namespace tribune::balancer
