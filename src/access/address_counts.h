#pragma once
// The number of tickets or sessions of each client address and of each IPv6 /48. Addresses are hashes (client_hash); 0
// is not counted. Owned by its Admission, under whose lock it is used. It refuses no requests.

#include <cstdint>
#include <unordered_map>

#include "access/admission_types.h"

namespace tribune::access {

/// The hash of the visitor's address, the same in every process; for IPv6 that of its /64, whose upper half is a hash
/// of its /48. 0 for a visitor whose address is not counted.
std::uint64_t client_hash(const Visitor&);

/// The hash of the /48 of an IPv6 client; 0 for other clients. It is no client's hash.
constexpr std::uint64_t client_network(std::uint64_t client) {
  return (client & 1) == 0 ? client & 0xffff'ffff'0000'0000 : 0;
}

class AddressCounts {
 public:
  void add(std::uint64_t client) {
    for (const auto key : {client, client_network(client)})
      if (key != 0) ++counts_[key];
  }
  void remove(std::uint64_t client) {
    for (const auto key : {client, client_network(client)})
      if (const auto found = counts_.find(key); found != counts_.end() && --found->second == 0) counts_.erase(found);
  }
  std::int64_t of(std::uint64_t client) const {
    const auto found = counts_.find(client);
    return found == counts_.end() ? 0 : std::int64_t{found->second};
  }
  /// Of the client's IPv6 /48; 0 for other clients.
  std::int64_t of_network(std::uint64_t client) const { return of(client_network(client)); }

 private:
  std::unordered_map<std::uint64_t, std::uint32_t> counts_;
};

}  // namespace tribune::access
