#pragma once
// The keys of the accounts and what they sign: the tokens that a login gives to an app, and the account that a request
// names with its access token.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/account_service.h"
#include "api/refresh_token.h"
#include "base/clock.h"
#include "base/published.h"
#include "base/result.h"
#include "contracts/account_token.h"
#include "http/message.h"
#include "shop/purchase.h"

namespace tribune::api {

/// The seeds in the file `account_keys` of the directory, one line "{id} {base64url of 32 bytes}" for each; the first
/// one signs and all verify. Without a file, one with a new key is made, readable by the owner alone, unless
/// `may_make_one` is false. Blocks. Errors: io, and invalid_input with the number of the line.
base::Result<std::vector<contracts::AccountKeySeed>> account_key_seeds(const std::string& directory, bool may_make_one);

/// Whether the Authorization field has an access token, valid or not.
bool names_account_token(const http::Request&);

struct AccessToken {
  std::string text;
  base::WallTime expires{};
};

/// The texts of one login.
struct TokenTexts {
  AccessToken access;
  std::string refresh;
  base::WallTime refresh_expires{};
  std::string device;  // device token
};

/// Any thread; read() on its worker.
class AccountCredentials {
 public:
  static base::Result<std::unique_ptr<AccountCredentials>> make(const std::vector<contracts::AccountKeySeed>&,
                                                                std::size_t workers);

  TokenTexts tokens_for(const accounts::LoggedIn&, const std::vector<shop::Entitlement>&,
                        const accounts::AccountSettings&, base::WallTime now) const;
  /// The access token alone, for a device that is logged in.
  AccessToken access_token(accounts::AccountId, accounts::DeviceId, const std::vector<shop::Entitlement>&,
                           const accounts::AccountSettings&, base::WallTime now) const;

  /// The claims of the request's access token (`Authorization: Bearer`, RFC 6750 section 2.1), without asking whether
  /// its device was ended. Errors: forbidden with a text of contracts/account_token.h; not_found without a token.
  base::Result<std::shared_ptr<const contracts::AccountClaims>> read(const http::Request&, std::size_t worker,
                                                                     base::WallTime now,
                                                                     std::chrono::milliseconds skew);

  const TokenSecrets& secrets() const { return secrets_; }
  const contracts::AccountTokenSigner& signer() const { return signer_; }
  std::vector<contracts::AccountKey> public_keys() const { return signer_.keys(); }

 private:
  AccountCredentials(contracts::AccountTokenSigner, TokenSecrets, std::size_t workers);

  const contracts::AccountTokenSigner signer_;
  const TokenSecrets secrets_;
  const contracts::AccountTokenKeys keys_;
  std::vector<std::unique_ptr<contracts::VerifiedTokens>> verified_;  // one for each worker, which alone uses it
};

}  // namespace tribune::api
