#pragma once
// The access token of a viewer's account. It is short-lived and self-contained: the api signs it, and a process that
// knows only public keys reads it without asking anybody. Values, and functions without a clock.
//
//   tat_{key id}.{base64url of: version, account, device, issued, expires, [what it may watch,] Ed25519 signature}
//
// Version 1 has no list of what the account may watch. Version 2 has: 1 byte, 1 when the list has not everything; the
// number of its entries in 1 byte; and for each the length of the channel's id in 1 byte, the id, and two times.
//
// The signature covers the prefix "tribune account token 1", the key id and everything before it. The algorithm belongs
// to the key and is not part of the text. A reader refuses versions that it does not know.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ed25519.h"
#include "base/keyed_hash.h"
#include "base/recent_map.h"
#include "base/result.h"

namespace tribune::contracts {

/// A channel that an account may watch because it bought it.
struct EntitledChannel {
  std::string channel;     // an id; empty: all channels
  std::int64_t from = 0;   // unix seconds, to 2106
  std::int64_t until = 0;  // unix seconds, later than `from`; 0: without end
  bool operator==(const EntitledChannel&) const = default;
};

struct AccountClaims {
  std::uint64_t account = 0;  // not 0
  std::uint64_t device = 0;   // not 0
  std::int64_t issued = 0;    // unix seconds, to 2106
  std::int64_t expires = 0;   // unix seconds, later than `issued`
  /// At most kMaxEntitledChannels, whose ids have at most kMaxEntitledBytes together.
  std::vector<EntitledChannel> channels = {};
  bool has_more_channels = false;  // `channels` has not everything: for another channel the api is asked
  bool operator==(const AccountClaims&) const = default;

  /// Whether `channels` has the channel at this time.
  bool may_watch(std::string_view channel, base::WallTime now) const;
};

inline constexpr std::size_t kMaxEntitledChannels = 24, kMaxEntitledBytes = 768;

/// The field with the signature of a document of the api, as AccountTokenSigner::sign_document() writes it.
inline constexpr std::string_view kAccountSignatureHeader = "X-Tribune-Account-Signature";

inline constexpr std::string_view kAccountTokenPrefix = "tat_";
inline constexpr std::size_t kMaxAccountTokenCharacters = 1'455;

/// Whether the text has the prefix of an account token, so that it is neither an operator's nor a session token.
bool looks_like_account_token(std::string_view text);

/// The texts of the errors of AccountTokenKeys::read(), by which callers distinguish them.
inline constexpr std::string_view kAccountTokenMalformed = "the text is not an account token";
inline constexpr std::string_view kAccountTokenUnsupported = "the account token has an unsupported version";
inline constexpr std::string_view kAccountTokenUnknownKey = "the key of the account token is unknown or has ended";
inline constexpr std::string_view kAccountTokenForged = "the signature of the account token is not valid";
inline constexpr std::string_view kAccountTokenExpired = "the account token has expired";
inline constexpr std::string_view kAccountTokenFromFuture = "the time of the account token is in the future";

/// The public half of a key.
struct AccountKey {
  std::string id;          // 1 to 16 of a-z 0-9
  std::string public_key;  // base::kPublicKeyBytes raw bytes
  std::optional<base::WallTime> not_after;
  bool operator==(const AccountKey&) const = default;
};

/// The keys that verify. Immutable. Const methods from any thread.
class AccountTokenKeys {
 public:
  /// Without keys no text is an account token. Of two keys with one id the first counts.
  explicit AccountTokenKeys(std::vector<AccountKey> keys = {});

  /// Takes 50 to 100 µs for the signature, and less than 1 µs for a text that is malformed or names an unknown key.
  /// Errors: forbidden with one of the texts above, fault client.
  base::Result<AccountClaims> read(std::string_view text, base::WallTime now, std::chrono::milliseconds skew) const;

  /// What remains to be checked of a text that these keys have verified before: the end of its key, and its times.
  base::Status check_times(std::string_view text, const AccountClaims&, base::WallTime now,
                           std::chrono::milliseconds skew) const;

  /// Whether `signature` is one that AccountTokenSigner::sign_document() writes with one of these keys. Takes as long
  /// as read().
  bool verify_document(std::string_view kind, std::string_view document, std::string_view signature,
                       base::WallTime now) const;

  /// Of the ids, the keys and their ends: equal for equal keys.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  const AccountKey* find(std::string_view id, base::WallTime now) const;

  std::vector<AccountKey> keys_;
  std::uint64_t fingerprint_;
};

/// The seed of a key of the api. From it come the key that signs account tokens, and the secret for the texts that only
/// the api reads.
struct AccountKeySeed {
  std::string id;    // 1 to 16 of a-z 0-9
  std::string seed;  // base::kSeedBytes raw bytes
};

/// Why the seeds cannot be used: there is none, an id or a length is wrong, or an id occurs twice. Empty when they can.
std::string wrong_seeds(const std::vector<AccountKeySeed>&);

/// The keys that sign. Only the api has one: whoever holds it can write a token of any account. Immutable. Const
/// methods from any thread.
class AccountTokenSigner {
 public:
  /// The first key signs. Errors: invalid_input with the text of wrong_seeds().
  static base::Result<AccountTokenSigner> make(const std::vector<AccountKeySeed>& seeds);

  /// At most kMaxAccountTokenCharacters of a-z A-Z 0-9 . _ -. Empty for claims that are out of their ranges.
  std::string sign(const AccountClaims&) const;

  /// The signature of another text of the api, "{key id}.{base64url}". A signature of one kind is none of another, and
  /// none of a token. `kind` has no zero byte.
  std::string sign_document(std::string_view kind, std::string_view document) const;

  /// The public halves of all keys, in their order and without an end.
  std::vector<AccountKey> keys() const;

 private:
  struct NamedKey {
    std::string id;
    base::PrivateSigningKey key;
  };
  explicit AccountTokenSigner(std::vector<NamedKey> keys) : keys_(std::move(keys)) {}

  std::vector<NamedKey> keys_;
};

/// The tokens that were verified, so that each costs one verification and not one for each request: a known one takes
/// 0.1 to 0.3 µs. Texts are remembered as hashes with a random key. Owned by one worker.
class VerifiedTokens {
 public:
  explicit VerifiedTokens(std::size_t max_tokens) : max_tokens_(max_tokens) {}

  /// As keys.read(), whose errors are not remembered. Other keys than those of the call before forget all tokens.
  base::Result<std::shared_ptr<const AccountClaims>> read(const AccountTokenKeys&, std::string_view text,
                                                          base::WallTime now, std::chrono::milliseconds skew);

  std::size_t size() const { return claims_.size(); }

 private:
  const std::size_t max_tokens_;
  const base::KeyedHash hash_;
  std::uint64_t fingerprint_ = 0;  // of the keys that verified the tokens
  base::RecentMap<base::KeyedHash::Value, std::shared_ptr<const AccountClaims>, base::KeyedHashPlace> claims_;
};

}  // namespace tribune::contracts
