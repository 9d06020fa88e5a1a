#pragma once
// A receipt of GET /ping on a cache node proves that a client reached that node at that time. The app sends it to the
// api or the balancer as `receipt=`. Values and pure functions.
//
//   {unix seconds}.{base64url of: node, client prefix}.{key id}.{mac}

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/signing.h"

namespace tribune::contracts {

struct Receipt {
  std::string node;
  std::string client_prefix;  // as client_prefix() writes it
  std::int64_t issued = 0;    // unix seconds
  bool operator==(const Receipt&) const = default;
};

/// The network of a client's address: "10.1.2.0/24", "2001:db8:1::/48"; IPv4-mapped IPv6 counts as IPv4. nullopt for a
/// text that is not an address.
std::optional<std::string> client_prefix(std::string_view address);

/// Needs no escaping in a query. Empty when the ring cannot sign or the value cannot be written.
std::string write_receipt(const base::KeyRing&, const Receipt&, base::WallTime now);

/// Errors: forbidden for a forged or damaged receipt, or one from the future by more than `skew`; timeout when it was
/// issued more than `lifetime` and `skew` ago. The caller compares the prefix with the client.
base::Result<Receipt> read_receipt(const base::KeyRing&, std::string_view text, base::WallTime now,
                                   std::chrono::milliseconds lifetime, std::chrono::milliseconds skew);

}  // namespace tribune::contracts
