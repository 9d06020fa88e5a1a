#include "contracts/account_token.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/signing.h"
#include "contracts/canonical.h"
#include "contracts/keyed_text.h"
#include "contracts/signed_payload.h"

namespace tribune::contracts {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kIdBytes = 8, kTimeBytes = 4;
constexpr std::size_t kClaimsBytes = 1 + 2 * kIdBytes + 2 * kTimeBytes;
static_assert(kMaxAccountTokenCharacters ==
              max_keyed_text_characters(kAccountTokenPrefix, kClaimsBytes + base::kSignatureBytes));

tl::unexpected<base::Error> refused_token(std::string_view why) {
  return base::failure(base::ErrorKind::forbidden, base::Fault::client, std::string(why));
}

bool are_writable(const AccountClaims& claims) {
  return claims.account != 0 && claims.device != 0 && claims.issued >= 0 && claims.expires > claims.issued &&
         claims.expires <= std::numeric_limits<std::uint32_t>::max();
}

std::string bytes_of_claims(const AccountClaims& claims) {
  std::string bytes(1, kVersion);
  append_field(bytes, claims.account, kIdBytes);
  append_field(bytes, claims.device, kIdBytes);
  append_field(bytes, static_cast<std::uint64_t>(claims.issued), kTimeBytes);
  append_field(bytes, static_cast<std::uint64_t>(claims.expires), kTimeBytes);
  return bytes;
}

AccountClaims claims_from(std::string_view bytes) {
  bytes.remove_prefix(1);
  AccountClaims claims;
  claims.account = take_field(bytes, kIdBytes);
  claims.device = take_field(bytes, kIdBytes);
  claims.issued = static_cast<std::int64_t>(take_field(bytes, kTimeBytes));
  claims.expires = static_cast<std::int64_t>(take_field(bytes, kTimeBytes));
  return claims;
}

/// The key id has no zero byte, so that two pairs of id and claims never give one message.
std::string message_of_claims(std::string_view key_id, std::string_view claims) {
  return std::string("tribune account token 1").append(1, '\0').append(key_id).append(1, '\0').append(claims);
}

std::string message_of_document(std::string_view key_id, std::string_view kind, std::string_view document) {
  std::string message("tribune account document 1");
  message.append(1, '\0').append(key_id).append(1, '\0').append(kind).append(1, '\0').append(document);
  return message;
}

std::uint64_t fingerprint_of(const std::vector<AccountKey>& keys) {
  std::string text;
  for (const auto& key : keys) {
    text.append(key.id).append(1, '\0').append(key.public_key);
    append_field(text, key.not_after ? static_cast<std::uint64_t>(unix_ms(*key.not_after)) : ~std::uint64_t{0}, 8);
  }
  const auto digest = base::sha256(text);
  std::string_view fields = digest;
  return take_field(fields, 8);
}

}  // namespace

bool looks_like_account_token(std::string_view text) { return text.starts_with(kAccountTokenPrefix); }

AccountTokenKeys::AccountTokenKeys(std::vector<AccountKey> keys)
    : keys_(std::move(keys)), fingerprint_(fingerprint_of(keys_)) {}

const AccountKey* AccountTokenKeys::find(std::string_view id, base::WallTime now) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(), [&](const AccountKey& key) { return key.id == id; });
  return found == keys_.end() || (found->not_after && now >= *found->not_after) ? nullptr : &*found;
}

base::Result<AccountClaims> AccountTokenKeys::read(std::string_view text, base::WallTime now,
                                                   std::chrono::milliseconds skew) const {
  const auto parsed = parse_keyed_text(text, kAccountTokenPrefix, kMaxAccountTokenCharacters);
  if (!parsed || parsed->bytes.empty()) return refused_token(kAccountTokenMalformed);
  if (parsed->bytes.front() != kVersion) return refused_token(kAccountTokenUnsupported);
  if (parsed->bytes.size() != kClaimsBytes + base::kSignatureBytes) return refused_token(kAccountTokenMalformed);
  const auto* key = find(parsed->key_id, now);
  if (!key) return refused_token(kAccountTokenUnknownKey);
  const auto bytes = std::string_view(parsed->bytes).substr(0, kClaimsBytes);
  const auto signature = std::string_view(parsed->bytes).substr(kClaimsBytes);
  if (!base::verify_signature(key->public_key, message_of_claims(parsed->key_id, bytes), signature))
    return refused_token(kAccountTokenForged);
  const auto claims = claims_from(bytes);
  if (!are_writable(claims)) return refused_token(kAccountTokenMalformed);
  if (auto usable = check_times(text, claims, now, skew); !usable) return tl::unexpected(std::move(usable.error()));
  return claims;
}

base::Status AccountTokenKeys::check_times(std::string_view text, const AccountClaims& claims, base::WallTime now,
                                           std::chrono::milliseconds skew) const {
  if (!looks_like_account_token(text)) return refused_token(kAccountTokenMalformed);
  text.remove_prefix(kAccountTokenPrefix.size());
  if (!find(text.substr(0, text.find('.')), now)) return refused_token(kAccountTokenUnknownKey);
  if (unix_ms(now) >= claims.expires * 1000 + skew.count()) return refused_token(kAccountTokenExpired);
  if (unix_ms(now) + skew.count() < claims.issued * 1000) return refused_token(kAccountTokenFromFuture);
  return {};
}

bool AccountTokenKeys::verify_document(std::string_view kind, std::string_view document, std::string_view signature,
                                       base::WallTime now) const {
  const auto parsed = parse_keyed_text(signature, "", max_keyed_text_characters("", base::kSignatureBytes));
  const auto* key = parsed && parsed->bytes.size() == base::kSignatureBytes ? find(parsed->key_id, now) : nullptr;
  return key &&
         base::verify_signature(key->public_key, message_of_document(parsed->key_id, kind, document), parsed->bytes);
}

std::string wrong_seeds(const std::vector<AccountKeySeed>& seeds) {
  if (seeds.empty()) return "there is no account key";
  std::set<std::string_view> ids;
  for (const auto& [id, seed] : seeds) {
    if (!is_short_id(id)) return "the id of an account key must be 1 to 16 characters of a-z and 0-9";
    if (seed.size() != base::kSeedBytes) return "the seed of the account key " + id + " must have 32 bytes";
    if (!ids.insert(id).second) return "account key id \"" + id + "\" is used twice";
  }
  return "";
}

base::Result<AccountTokenSigner> AccountTokenSigner::make(const std::vector<AccountKeySeed>& seeds) {
  if (auto wrong = wrong_seeds(seeds); !wrong.empty())
    return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, std::move(wrong));
  std::vector<NamedKey> keys;
  for (const auto& [id, seed] : seeds) keys.push_back({id, *base::PrivateSigningKey::from_seed(seed)});
  return AccountTokenSigner(std::move(keys));
}

std::string AccountTokenSigner::sign(const AccountClaims& claims) const {
  if (!are_writable(claims)) return "";
  const auto& [id, key] = keys_.front();
  const auto bytes = bytes_of_claims(claims);
  return write_keyed_text(kAccountTokenPrefix, id, bytes + key.sign(message_of_claims(id, bytes)));
}

std::string AccountTokenSigner::sign_document(std::string_view kind, std::string_view document) const {
  const auto& [id, key] = keys_.front();
  return write_keyed_text("", id, key.sign(message_of_document(id, kind, document)));
}

std::vector<AccountKey> AccountTokenSigner::keys() const {
  std::vector<AccountKey> halves;
  for (const auto& [id, key] : keys_) halves.push_back({id, key.public_key(), std::nullopt});
  return halves;
}

base::Result<AccountClaims> VerifiedTokens::read(const AccountTokenKeys& keys, std::string_view text,
                                                 base::WallTime now, std::chrono::milliseconds skew) {
  if (fingerprint_ != keys.fingerprint()) {
    claims_.clear();
    fingerprint_ = keys.fingerprint();
  }
  if (text.size() > kMaxAccountTokenCharacters) return refused_token(kAccountTokenMalformed);
  const auto place = hash_(text);
  if (const auto* known = claims_.find(place)) {
    const auto claims = *known;
    if (auto usable = keys.check_times(text, claims, now, skew); !usable) {
      claims_.erase(place);
      return tl::unexpected(std::move(usable.error()));
    }
    return claims;
  }
  auto verified = keys.read(text, now, skew);
  if (!verified || max_tokens_ == 0) return verified;
  while (claims_.size() >= max_tokens_) claims_.erase(claims_.oldest()->first);
  claims_.try_emplace(place, *verified);
  return verified;
}

}  // namespace tribune::contracts
