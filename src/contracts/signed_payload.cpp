#include "contracts/signed_payload.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/encoding.h"
#include "contracts/canonical.h"

namespace tribune::contracts {
namespace {

std::string signed_text_of_payload(std::string_view channel, std::string_view payload, std::string_view owner) {
  return std::string(channel).append("\n").append(payload).append(owner);
}

constexpr std::size_t kOwnerIdBytes = 8, kUntilBytes = 4;
static_assert(kEntitledBytes == 2 * kOwnerIdBytes + kUntilBytes);

bool is_writable(const std::optional<EntitledDevice>& entitled) {
  return !entitled || (entitled->account != 0 && entitled->device != 0 && entitled->until >= 0 &&
                       entitled->until <= std::numeric_limits<std::uint32_t>::max());
}

bool is_writable(const Owner& owner, const PayloadVersion& version) {
  return owner.account.size() == kAccountMarkBytes && owner.device.size() <= kMaxDeviceBytes &&
         !owner.device.ends_with('\0') && owner.entitled.has_value() == version.has_entitled &&
         is_writable(owner.entitled);
}

std::string to_bytes(const Owner& owner) {
  auto bytes = owner.account;
  if (owner.entitled) {
    append_field(bytes, owner.entitled->account, kOwnerIdBytes);
    append_field(bytes, owner.entitled->device, kOwnerIdBytes);
    append_field(bytes, static_cast<std::uint64_t>(owner.entitled->until), kUntilBytes);
  }
  const auto device = (owner.device.size() + kDeviceStep - 1) / kDeviceStep * kDeviceStep;
  const auto length = bytes.size() + device;
  bytes += owner.device;
  bytes.resize(length, '\0');
  return bytes;
}

Owner owner_from(std::string_view bytes, const PayloadVersion& version) {
  Owner owner;
  owner.account = bytes.substr(0, kAccountMarkBytes);
  bytes.remove_prefix(kAccountMarkBytes);
  if (version.has_entitled) {
    auto& entitled = owner.entitled.emplace();
    entitled.account = take_field(bytes, kOwnerIdBytes);
    entitled.device = take_field(bytes, kOwnerIdBytes);
    entitled.until = static_cast<std::int64_t>(take_field(bytes, kUntilBytes));
  }
  owner.device = bytes.substr(0, bytes.find_last_not_of('\0') + 1);
  return owner;
}

std::optional<PayloadVersion> version_of(const PayloadKind& kind, std::string_view bytes) {
  const unsigned number = bytes.empty() ? 0 : static_cast<unsigned char>(bytes.front()) >> 4;
  for (const auto& version : kind.versions)
    if (version.number == number) return version;
  return std::nullopt;
}

}  // namespace

tl::unexpected<base::Error> forbidden(const PayloadKind& kind, std::string_view what) {
  return base::failure(base::ErrorKind::forbidden, base::Fault::client,
                       std::string("the ").append(kind.name).append(what));
}

base::WallTime good_moment_of(const base::KeyRing& ring, std::string_view text) {
  const auto until = ring.usable_until(text.substr(0, text.find('.')));
  return until == base::WallTime::min() || until == base::WallTime::max() ? until
                                                                          : until - std::chrono::milliseconds{1};
}

void append_field(std::string& fields, std::uint64_t value, std::size_t bytes) {
  for (auto left = bytes; left > 0; --left) fields += static_cast<char>(value >> (left - 1) * 8 & 0xff);
}

std::uint64_t take_field(std::string_view& fields, std::size_t bytes) {
  std::uint64_t value = 0;
  for (const char c : fields.substr(0, bytes)) value = value << 8 | static_cast<unsigned char>(c);
  fields.remove_prefix(bytes);
  return value;
}

std::string write_signed(const base::KeyRing& ring, const PayloadKind& kind, std::string_view channel,
                         const SignedPayload& payload, base::WallTime now) {
  const auto& version = payload.version;
  const bool fits = payload.fields.size() == version.field_bytes &&
                    (version.has_owner ? is_writable(payload.owner, version) : payload.owner == Owner{});
  if (!fits || !is_id(channel) || payload.links == LinksMode::automatic) return "";
  std::string bytes(1, static_cast<char>(version.number << 4 | (payload.links == LinksMode::redirect ? 1 : 0)));
  bytes += payload.fields;
  const auto owner = version.has_owner ? to_bytes(payload.owner) : std::string();
  const auto signature = ring.sign(kind.purpose, signed_text_of_payload(channel, bytes, owner), now);
  if (!signature) return "";
  if (version.has_owner) {
    const auto masked = ring.masked(kind.purpose, owner, signature->key_id, signature->mac, now);
    if (!masked) return "";
    bytes += *masked;
  }
  return signature->key_id + "." + base::to_base64url(bytes + signature->mac);
}

base::Result<SignedPayload> read_signed(const base::KeyRing& ring, const PayloadKind& kind, std::string_view channel,
                                        std::string_view text, base::WallTime now) {
  std::size_t most = 0;
  for (const auto& version : kind.versions) most = std::max(most, most_characters(version));
  if (text.size() > most) return forbidden(kind, " is too long");
  const auto parts = split_exactly<2>(text, '.');
  if (!parts || !is_short_id((*parts)[0])) return forbidden(kind, " is malformed");
  const auto [key_id, written] = *parts;
  const auto bytes = base::from_base64url(written);
  const auto version = bytes ? version_of(kind, *bytes) : std::nullopt;
  if (!version || !has_length_of(*version, written.size())) return forbidden(kind, " is malformed");
  const auto shown = std::string_view(*bytes).substr(0, 1 + version->field_bytes);
  const auto mac = std::string_view(*bytes).substr(bytes->size() - base::kMacBytes);
  std::string owner;
  if (version->has_owner) {
    const auto masked = std::string_view(*bytes).substr(shown.size(), bytes->size() - shown.size() - base::kMacBytes);
    owner = ring.masked(kind.purpose, masked, key_id, mac, now)
                .value_or(std::string(masked));  // with an unknown key the MAC does not match
  }
  if (!ring.verify(kind.purpose, signed_text_of_payload(channel, shown, owner), key_id, mac, now))
    return forbidden(kind, " has a signature that is not valid");
  const unsigned mode = static_cast<unsigned char>(shown.front()) & 0x0f;
  if (mode > 1) return forbidden(kind, " has an unsupported version");
  return SignedPayload{*version, mode == 0 ? LinksMode::direct : LinksMode::redirect, std::string(shown.substr(1)),
                       version->has_owner ? owner_from(owner, *version) : Owner{}};
}

}  // namespace tribune::contracts
