#pragma once
// Which member of a group takes a channel, and who takes over: rendezvous hashing weighted by capacity. An order is
// worked out once for each channel and kept, for it changes only with the members.

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
  using Order = std::vector<std::uint32_t>;  // places in members(), the first taker first

  explicit HashOrders(std::vector<HashMember> members) : members_(std::move(members)) {}

  const std::vector<HashMember>& members() const { return members_; }
  std::shared_ptr<const Order> of(std::string_view channel) const;

 private:
  /// Orders kept; a channel beyond them is worked out each time.
  static constexpr std::size_t kKept = 4'096;

  const std::vector<HashMember> members_;
  mutable std::shared_mutex mutex_;
  mutable std::unordered_map<std::string, std::shared_ptr<const Order>, base::TextHash, std::equal_to<>> kept_;
};

}  // namespace tribune::balancer
