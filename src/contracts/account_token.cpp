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

constexpr char kVersion = 1, kVersionWithChannels = 2;
constexpr std::size_t kIdBytes = 8, kTimeBytes = 4;
constexpr std::size_t kClaimsBytes = 1 + 2 * kIdBytes + 2 * kTimeBytes;
constexpr std::size_t kMaxClaimsBytes =
    kClaimsBytes + 2 + kMaxEntitledChannels * (1 + 2 * kTimeBytes) + kMaxEntitledBytes;
static_assert(kMaxAccountTokenCharacters ==
              max_keyed_text_characters(kAccountTokenPrefix, kMaxClaimsBytes + base::kSignatureBytes));

tl::unexpected<base::Error> refused_token(std::string_view why) {
  return base::failure(base::ErrorKind::forbidden, base::Fault::client, std::string(why));
}

constexpr bool is_writable_time(std::int64_t seconds) {
  return seconds >= 0 && seconds <= std::numeric_limits<std::uint32_t>::max();
}

bool is_writable_channel(const EntitledChannel& entitled) {
  return (entitled.channel.empty() || is_id(entitled.channel)) && is_writable_time(entitled.from) &&
         is_writable_time(entitled.until) && (entitled.until == 0 || entitled.until > entitled.from);
}

bool are_writable(const AccountClaims& claims) {
  std::size_t id_bytes = 0;
  for (const auto& entitled : claims.channels) {
    if (!is_writable_channel(entitled)) return false;
    id_bytes += entitled.channel.size();
  }
  return claims.account != 0 && claims.device != 0 && claims.issued >= 0 && claims.expires > claims.issued &&
         is_writable_time(claims.expires) && claims.channels.size() <= kMaxEntitledChannels &&
         id_bytes <= kMaxEntitledBytes;
}

void append_time(std::string& bytes, std::int64_t seconds) {
  append_field(bytes, static_cast<std::uint64_t>(seconds), kTimeBytes);
}

std::int64_t take_time(std::string_view& bytes) { return static_cast<std::int64_t>(take_field(bytes, kTimeBytes)); }

std::string bytes_of_claims(const AccountClaims& claims) {
  const bool has_channels = !claims.channels.empty() || claims.has_more_channels;
  std::string bytes(1, has_channels ? kVersionWithChannels : kVersion);
  append_field(bytes, claims.account, kIdBytes);
  append_field(bytes, claims.device, kIdBytes);
  append_time(bytes, claims.issued);
  append_time(bytes, claims.expires);
  if (!has_channels) return bytes;
  bytes += static_cast<char>(claims.has_more_channels ? 1 : 0);
  bytes += static_cast<char>(claims.channels.size());
  for (const auto& entitled : claims.channels) {
    bytes += static_cast<char>(entitled.channel.size());
    bytes += entitled.channel;
    append_time(bytes, entitled.from);
    append_time(bytes, entitled.until);
  }
  return bytes;
}

/// Reads what bytes_of_claims() appends for version 2; false for other bytes.
bool take_channels(std::string_view bytes, AccountClaims& claims) {
  if (bytes.size() < 2 || (bytes[0] != 0 && bytes[0] != 1)) return false;
  claims.has_more_channels = bytes[0] == 1;
  const auto count = static_cast<unsigned char>(bytes[1]);
  bytes.remove_prefix(2);
  for (unsigned i = 0; i < count; ++i) {
    const std::size_t length = bytes.empty() ? 0 : static_cast<unsigned char>(bytes.front());
    if (bytes.size() < 1 + length + 2 * kTimeBytes) return false;
    EntitledChannel entitled;
    entitled.channel = std::string(bytes.substr(1, length));
    bytes.remove_prefix(1 + length);
    entitled.from = take_time(bytes);
    entitled.until = take_time(bytes);
    claims.channels.push_back(std::move(entitled));
  }
  return bytes.empty() && (claims.has_more_channels || count > 0);
}

/// nullopt for bytes that bytes_of_claims() does not write.
std::optional<AccountClaims> claims_from(std::string_view bytes) {
  const bool has_channels = bytes.front() == kVersionWithChannels;
  if (bytes.size() < kClaimsBytes || (!has_channels && bytes.size() != kClaimsBytes)) return std::nullopt;
  bytes.remove_prefix(1);
  AccountClaims claims;
  claims.account = take_field(bytes, kIdBytes);
  claims.device = take_field(bytes, kIdBytes);
  claims.issued = take_time(bytes);
  claims.expires = take_time(bytes);
  if ((has_channels && !take_channels(bytes, claims)) || !are_writable(claims)) return std::nullopt;
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

bool AccountClaims::may_watch(std::string_view channel, base::WallTime now) const {
  const auto second = base::unix_seconds(now);
  return std::any_of(channels.begin(), channels.end(), [&](const EntitledChannel& entitled) {
    return (entitled.channel.empty() || entitled.channel == channel) && entitled.from <= second &&
           (entitled.until == 0 || second < entitled.until);
  });
}

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
  const bool has_channels = parsed->bytes.front() == kVersionWithChannels;
  if (parsed->bytes.front() != kVersion && !has_channels) return refused_token(kAccountTokenUnsupported);
  const auto least = kClaimsBytes + base::kSignatureBytes;
  if (parsed->bytes.size() < least || (parsed->bytes.size() > least && !has_channels))
    return refused_token(kAccountTokenMalformed);
  const auto* key = find(parsed->key_id, now);
  if (!key) return refused_token(kAccountTokenUnknownKey);
  const auto signature_at = parsed->bytes.size() - base::kSignatureBytes;
  const auto bytes = std::string_view(parsed->bytes).substr(0, signature_at);
  const auto signature = std::string_view(parsed->bytes).substr(signature_at);
  if (!base::verify_signature(key->public_key, message_of_claims(parsed->key_id, bytes), signature))
    return refused_token(kAccountTokenForged);
  auto claims = claims_from(bytes);
  if (!claims) return refused_token(kAccountTokenMalformed);
  if (auto usable = check_times(text, *claims, now, skew); !usable) return tl::unexpected(std::move(usable.error()));
  return std::move(*claims);
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

base::Result<std::shared_ptr<const AccountClaims>> VerifiedTokens::read(const AccountTokenKeys& keys,
                                                                        std::string_view text, base::WallTime now,
                                                                        std::chrono::milliseconds skew) {
  if (fingerprint_ != keys.fingerprint()) {
    claims_.clear();
    fingerprint_ = keys.fingerprint();
  }
  if (text.size() > kMaxAccountTokenCharacters) return refused_token(kAccountTokenMalformed);
  const auto place = hash_(text);
  if (const auto* known = claims_.find(place)) {
    auto claims = *known;
    if (auto usable = keys.check_times(text, *claims, now, skew); !usable) {
      claims_.erase(place);
      return tl::unexpected(std::move(usable.error()));
    }
    return claims;
  }
  auto verified = keys.read(text, now, skew);
  if (!verified) return tl::unexpected(std::move(verified.error()));
  auto claims = std::make_shared<const AccountClaims>(std::move(*verified));
  if (max_tokens_ == 0) return claims;
  while (claims_.size() >= max_tokens_) claims_.erase(claims_.oldest()->first);
  claims_.try_emplace(place, claims);
  return claims;
}

}  // namespace tribune::contracts
