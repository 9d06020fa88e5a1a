#pragma once
// The number of tickets or sessions of each client address. Addresses are hashes (client_hash); 0 is not counted. Owned
// by its Admission, under whose lock it is used. It refuses no requests.

#include <cstdint>
#include <unordered_map>

#include "access/admission_types.h"
#include "base/rendezvous.h"

namespace tribune::access {

/// The hash of the visitor's address, the same in every process. 0 for a visitor whose address is not counted.
inline std::uint64_t client_hash(const Visitor& visitor) {
  return visitor.client.empty() ? 0 : base::rendezvous_hash("client", visitor.client) | 1;
}

class AddressCounts {
 public:
  void add(std::uint64_t client) {
    if (client != 0) ++counts_[client];
  }
  void remove(std::uint64_t client) {
    const auto found = counts_.find(client);
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  }
  std::int64_t of(std::uint64_t client) const {
    const auto found = counts_.find(client);
    return found == counts_.end() ? 0 : std::int64_t{found->second};
  }

 private:
  std::unordered_map<std::uint64_t, std::uint32_t> counts_;
};

}  // namespace tribune::access
