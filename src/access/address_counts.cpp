#include "access/address_counts.h"

#include <string_view>

#include "base/ip_address.h"
#include "base/rendezvous.h"

namespace tribune::access {
namespace {

constexpr std::size_t kIpv6NetworkBytes = 6, kIpv6ClientBytes = 8;

}  // namespace

// The lowest bit distinguishes clients with a counted network from the others. A /48 has 31 bits: that two of a million
// have the same hash is to be expected some hundred times, and lets each of these wait for the other's sessions.
std::uint64_t client_hash(const Visitor& visitor) {
  if (visitor.client.empty()) return 0;
  const auto ip = visitor.client.find(':') == visitor.client.npos ? std::nullopt : base::parse_ip(visitor.client);
  if (!ip || ip->is_ipv4()) return base::rendezvous_hash("client", visitor.client) | 1;
  const std::string_view bytes(reinterpret_cast<const char*>(ip->bytes.data()), kIpv6ClientBytes);
  const auto network = base::rendezvous_hash("network", bytes.substr(0, kIpv6NetworkBytes)) | 1;
  const auto client = (base::rendezvous_hash("client", bytes) | 2) & 0xffff'fffe;
  return network << 32 | client;
}

}  // namespace tribune::access
