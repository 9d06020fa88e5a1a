#pragma once
// The order in which the members of a group serve a channel: rendezvous hashing weighted by capacity. An order is
// computed once for each channel and kept, because it changes only with the members.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"

namespace tribune::balancer {

struct HashMember {
  std::string id;
  double capacity_mbps = 0;
  bool operator==(const HashMember&) const = default;
};

/// Any thread; locks inside.
class HashOrders {
 public:
  using Order = std::vector<std::uint32_t>;  // indexes of members()

  explicit HashOrders(std::vector<HashMember> members) : members_(std::move(members)) {}

  const std::vector<HashMember>& members() const { return members_; }
  std::shared_ptr<const Order> of(std::string_view channel) const;

 private:
  /// Number of orders that are kept; the order of a further channel is computed each time.
  static constexpr std::size_t kKept = 4'096;

  const std::vector<HashMember> members_;
  mutable std::shared_mutex mutex_;
  mutable std::unordered_map<std::string, std::shared_ptr<const Order>, base::TextHash, std::equal_to<>> kept_;
};

}  // namespace tribune::balancer
