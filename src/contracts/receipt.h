#pragma once
// What GET /ping on a cache node proves: this client reached that node at that time. The app hands it to the api or the
// balancer as `receipt=`. Values and pure functions.
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

/// What a client's address says of where it stands: "10.1.2.0/24", "2001:db8:1::/48"; IPv4 inside IPv6 counts as IPv4.
/// Nothing for what is not an address.
std::optional<std::string> client_prefix(std::string_view address);

/// Safe in a query as it stands. Empty when the ring cannot sign or the value cannot be written.
std::string write_receipt(const base::KeyRing&, const Receipt&, base::WallTime now);

/// Errors: forbidden for a forged or damaged receipt, or one from the future by more than `skew`; timeout when it was
/// issued more than `lifetime` and `skew` ago. Whether prefix and client agree is the caller's to compare.
base::Result<Receipt> read_receipt(const base::KeyRing&, std::string_view text, base::WallTime now,
                                   std::chrono::milliseconds lifetime, std::chrono::milliseconds skew);

}  // namespace tribune::contracts
