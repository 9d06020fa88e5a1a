#pragma once
// The common format of tickets and session tokens: a few bytes for one channel, signed, and in some versions the owner,
// encrypted. Values and pure functions.
//
//   {key id}.{base64url of: version and links mode, fields, owner, MAC}
//
// The channel is signed and not contained. The owner is encrypted (KeyRing::masked) with the MAC over everything, so
// that a URL does not reveal the owner to others; it is the account's mark, in some versions the entitled device (its
// account, its id and the end of the entitlement), and the device's name, padded to a multiple of 16, so that its
// length reveals little.

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/signing.h"
#include "contracts/event.h"
#include "contracts/owner.h"

namespace tribune::contracts {

/// The properties of a payload by its first byte.
struct PayloadVersion {
  unsigned number;  // 1 to 15
  std::size_t field_bytes;
  bool has_owner = false;
  bool has_entitled = false;  // the owner has an entitled device; only with has_owner
};

struct SignedPayload {
  PayloadVersion version;
  LinksMode links = LinksMode::redirect;  // never `automatic`
  std::string fields;                     // version.field_bytes
  Owner owner;                            // as the version says
};

/// A kind of payload: ticket or token.
struct PayloadKind {
  base::KeyRing::Purpose purpose;
  std::string_view name;                     // "ticket", in the texts of errors
  std::span<const PayloadVersion> versions;  // accepted versions; they outlive it
};

/// The number of base64url characters for `bytes`.
constexpr std::size_t text_characters(std::size_t bytes) { return (bytes * 8 + 5) / 6; }

inline constexpr std::size_t kDeviceStep = 16;
inline constexpr std::size_t kEntitledBytes = 8 + 8 + 4;
static_assert(kMaxDeviceBytes % kDeviceStep == 0);

/// The length of an owner without a device's name.
constexpr std::size_t least_owner_bytes(const PayloadVersion& version) {
  return kAccountMarkBytes + (version.has_entitled ? kEntitledBytes : 0);
}

/// The length of the text after the key's id, for an owner of `owner_bytes`.
constexpr std::size_t payload_characters(const PayloadVersion& version, std::size_t owner_bytes = 0) {
  return text_characters(1 + version.field_bytes + owner_bytes + base::kMacBytes);
}
/// The maximum length of the whole text.
constexpr std::size_t most_characters(const PayloadVersion& version) {
  return 16 + 1 + payload_characters(version, version.has_owner ? least_owner_bytes(version) + kMaxDeviceBytes : 0);
}

/// Whether the text after the key's id has a length of this version.
constexpr bool has_length_of(const PayloadVersion& version, std::size_t characters) {
  if (!version.has_owner) return characters == payload_characters(version);
  for (std::size_t device = 0; device <= kMaxDeviceBytes; device += kDeviceStep)
    if (characters == payload_characters(version, least_owner_bytes(version) + device)) return true;
  return false;
}

/// Empty when the ring cannot sign or the value cannot be written.
std::string write_signed(const base::KeyRing&, const PayloadKind&, std::string_view channel, const SignedPayload&,
                         base::WallTime now);

/// Errors: forbidden for a text that is forged, damaged, of another channel or of a version that the kind does not
/// accept.
base::Result<SignedPayload> read_signed(const base::KeyRing&, const PayloadKind&, std::string_view channel,
                                        std::string_view text, base::WallTime now);

/// A time at which the key that the text names was valid, so that texts can be read after the end of the key.
base::WallTime good_moment_of(const base::KeyRing&, std::string_view text);
/// The skew with which read functions accept a payload at such a time, regardless of its age.
inline constexpr std::chrono::milliseconds kAnySkew{std::chrono::hours{24 * 365 * 100}};

/// Returns the error "the {name}{what}" with fault client.
tl::unexpected<base::Error> forbidden(const PayloadKind&, std::string_view what);

/// Appends `value` in `bytes` bytes, big-endian.
void append_field(std::string& fields, std::uint64_t value, std::size_t bytes);
/// Removes a value of `bytes` bytes from the front of `fields`, and returns it.
std::uint64_t take_field(std::string_view& fields, std::size_t bytes);

}  // namespace tribune::contracts
