#pragma once
// The texts that the api gives to an app and later reads again itself. No other process can read or write them. Values,
// and functions without a clock.
//
//   trt_{key id}.{base64url of: version, account, device, generation, MAC}    a refresh token
//   tdt_{key id}.{base64url of: version, account, device, MAC}                a device token
//
// A refresh token continues a login; whether its device is still logged in, and its generation the newest, is in the
// store. A device token shows at a later login that this app was logged in to the account before; it never
// expires and opens nothing. The MAC covers the text before it, with a key for each kind.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accounts/account.h"
#include "base/result.h"
#include "base/signing.h"
#include "contracts/account_token.h"

namespace tribune::api {

struct RefreshClaims {
  std::uint64_t account = 0;     // not 0
  std::uint64_t device = 0;      // not 0
  std::uint32_t generation = 0;  // of the device's refresh tokens
  bool operator==(const RefreshClaims&) const = default;
};

using accounts::KnownDevice;

inline constexpr std::string_view kRefreshTokenPrefix = "trt_";
inline constexpr std::string_view kKnownDevicePrefix = "tdt_";
inline constexpr std::size_t kMaxRefreshTokenCharacters = 71;
inline constexpr std::size_t kMaxKnownDeviceCharacters = 65;

/// The secrets for both kinds, derived from the seeds of the account keys (base::derive_secret), so that neither a
/// signature nor a public key reveals anything about them. The first key signs, and all verify. Immutable. Const
/// methods from any thread.
class TokenSecrets {
 public:
  /// Errors: invalid_input with the text of contracts::wrong_seeds().
  static base::Result<TokenSecrets> make(const std::vector<contracts::AccountKeySeed>&);

  /// Characters of a-z A-Z 0-9 . _ -. Empty when an id is 0.
  std::string write_refresh_token(const RefreshClaims&) const;
  std::string write_known_device(const KnownDevice&) const;

  /// Errors: forbidden, fault client, for a text that is malformed, of another kind or version, forged, or of a key
  /// that is not known.
  base::Result<RefreshClaims> read_refresh_token(std::string_view text) const;
  base::Result<KnownDevice> read_known_device(std::string_view text) const;

 private:
  TokenSecrets(std::string first_id, base::KeyRing ring) : first_id_(std::move(first_id)), ring_(std::move(ring)) {}

  std::string first_id_;  // of the key that signs
  base::KeyRing ring_;
};

}  // namespace tribune::api
