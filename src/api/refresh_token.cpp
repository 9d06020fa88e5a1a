#include "api/refresh_token.h"

#include "base/ed25519.h"
#include "contracts/keyed_text.h"
#include "contracts/signed_payload.h"

namespace tribune::api {
namespace {

using base::KeyRing;

constexpr char kTextVersion = 1;
constexpr std::size_t kIdBytes = 8, kGenerationBytes = 4;
constexpr base::WallTime kAnyTime{};  // the keys have no end

/// A kind of text: its fields are the version, the ids, and further bytes.
struct ApiTextKind {
  std::string_view prefix;
  KeyRing::Purpose purpose;
  std::string_view name;
  std::size_t field_bytes;

  constexpr std::size_t max_characters() const {
    return contracts::max_keyed_text_characters(prefix, field_bytes + base::kMacBytes);
  }
};

constexpr ApiTextKind kRefreshToken{kRefreshTokenPrefix, KeyRing::Purpose::refresh, "refresh token",
                                    1 + 2 * kIdBytes + kGenerationBytes};
constexpr ApiTextKind kKnownDevice{kKnownDevicePrefix, KeyRing::Purpose::known_device, "device token",
                                   1 + 2 * kIdBytes};
static_assert(kMaxRefreshTokenCharacters == kRefreshToken.max_characters());
static_assert(kMaxKnownDeviceCharacters == kKnownDevice.max_characters());

tl::unexpected<base::Error> refused_text(const ApiTextKind& kind, std::string_view what) {
  return base::failure(base::ErrorKind::forbidden, base::Fault::client,
                       std::string("the ").append(kind.name).append(what));
}

/// Neither the prefix nor a key id has a '.', so that two texts never have one message.
std::string message_of(const ApiTextKind& kind, std::string_view key_id, std::string_view fields) {
  return std::string(kind.prefix).append(key_id).append(".").append(fields);
}

std::string fields_of(std::uint64_t account, std::uint64_t device) {
  std::string fields(1, kTextVersion);
  contracts::append_field(fields, account, kIdBytes);
  contracts::append_field(fields, device, kIdBytes);
  return fields;
}

/// The fields after the version, verified.
base::Result<std::string> read_fields(const KeyRing& ring, const ApiTextKind& kind, std::string_view text) {
  auto parsed = contracts::parse_keyed_text(text, kind.prefix, kind.max_characters());
  if (!parsed || parsed->bytes.empty()) return refused_text(kind, " is malformed");
  if (parsed->bytes.front() != kTextVersion) return refused_text(kind, " has an unsupported version");
  if (parsed->bytes.size() != kind.field_bytes + base::kMacBytes) return refused_text(kind, " is malformed");
  if (ring.usable_until(parsed->key_id) == base::WallTime::min())
    return refused_text(kind, " has a key that is not known");
  const auto mac = parsed->bytes.substr(kind.field_bytes);
  auto& fields = parsed->bytes;
  fields.resize(kind.field_bytes);
  if (!ring.verify(kind.purpose, message_of(kind, parsed->key_id, fields), parsed->key_id, mac, kAnyTime))
    return refused_text(kind, " has a signature that is not valid");
  return fields.substr(1);
}

std::string write_fields(const KeyRing& ring, const ApiTextKind& kind, std::string_view key_id,
                         const std::string& fields) {
  const auto signature = ring.sign(kind.purpose, message_of(kind, key_id, fields), kAnyTime);
  return signature ? contracts::write_keyed_text(kind.prefix, key_id, fields + signature->mac) : "";
}

}  // namespace

base::Result<TokenSecrets> TokenSecrets::make(const std::vector<contracts::AccountKeySeed>& seeds) {
  if (auto wrong = contracts::wrong_seeds(seeds); !wrong.empty())
    return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, std::move(wrong));
  std::vector<base::SigningKey> keys;
  for (const auto& [id, seed] : seeds) keys.push_back({id, base::derive_secret(seed, "apitexts", 1), std::nullopt});
  return TokenSecrets(seeds.front().id, KeyRing(std::move(keys)));
}

std::string TokenSecrets::write_refresh_token(const RefreshClaims& claims) const {
  if (claims.account == 0 || claims.device == 0) return "";
  auto fields = fields_of(claims.account, claims.device);
  contracts::append_field(fields, claims.generation, kGenerationBytes);
  return write_fields(ring_, kRefreshToken, first_id_, fields);
}

std::string TokenSecrets::write_known_device(const KnownDevice& known) const {
  if (known.account == 0 || known.device == 0) return "";
  return write_fields(ring_, kKnownDevice, first_id_, fields_of(known.account, known.device));
}

base::Result<RefreshClaims> TokenSecrets::read_refresh_token(std::string_view text) const {
  const auto read = read_fields(ring_, kRefreshToken, text);
  if (!read) return tl::unexpected(read.error());
  std::string_view fields = *read;
  RefreshClaims claims;
  claims.account = contracts::take_field(fields, kIdBytes);
  claims.device = contracts::take_field(fields, kIdBytes);
  claims.generation = static_cast<std::uint32_t>(contracts::take_field(fields, kGenerationBytes));
  return claims;
}

base::Result<KnownDevice> TokenSecrets::read_known_device(std::string_view text) const {
  const auto read = read_fields(ring_, kKnownDevice, text);
  if (!read) return tl::unexpected(read.error());
  std::string_view fields = *read;
  KnownDevice known;
  known.account = contracts::take_field(fields, kIdBytes);
  known.device = contracts::take_field(fields, kIdBytes);
  return known;
}

}  // namespace tribune::api
