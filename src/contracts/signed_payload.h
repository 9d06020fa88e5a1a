#pragma once
// What a ticket and a session token have in common: a few bytes for one channel, signed, and of some versions whose
// they are, unreadable for everybody without the key. Values and pure functions.
//
//   {key id}.{base64url of: version and links mode, fields, owner, MAC}
//
// The channel is signed, not written. The owner is masked (KeyRing::masked) by the MAC over everything, so that a URL
// that is seen by others names nobody; it is 8 bytes and the device, padded to a multiple of 16, so that its length
// says little.

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

/// What is known of a pass by its first byte.
struct PayloadVersion {
  unsigned number;  // 1 to 15
  std::size_t field_bytes;
  bool has_owner = false;
};

struct SignedPayload {
  PayloadVersion version;
  LinksMode links = LinksMode::redirect;  // never `automatic`
  std::string fields;                     // version.field_bytes
  Owner owner;                            // empty unless version.has_owner
};

/// A kind of pass.
struct PayloadKind {
  base::KeyRing::Purpose purpose;
  std::string_view name;                     // "ticket", in the texts of errors
  std::span<const PayloadVersion> versions;  // that are read; they outlive it
};

/// Characters of base64url for so many bytes.
constexpr std::size_t text_characters(std::size_t bytes) { return (bytes * 8 + 5) / 6; }

inline constexpr std::size_t kDeviceStep = 16;
inline constexpr std::size_t kMaxOwnerBytes = kAccountMarkBytes + kMaxDeviceBytes;
static_assert(kMaxDeviceBytes % kDeviceStep == 0);

/// Of the text after the key's id, when the owner has so many bytes.
constexpr std::size_t payload_characters(const PayloadVersion& version, std::size_t owner_bytes = 0) {
  return text_characters(1 + version.field_bytes + owner_bytes + base::kMacBytes);
}
/// Of the whole text, at most.
constexpr std::size_t most_characters(const PayloadVersion& version) {
  return 16 + 1 + payload_characters(version, version.has_owner ? kMaxOwnerBytes : 0);
}

/// Whether the text after the key's id has a length that passes of this version have.
constexpr bool has_length_of(const PayloadVersion& version, std::size_t characters) {
  if (!version.has_owner) return characters == payload_characters(version);
  for (auto bytes = kAccountMarkBytes; bytes <= kMaxOwnerBytes; bytes += kDeviceStep)
    if (characters == payload_characters(version, bytes)) return true;
  return false;
}

/// Empty when the ring cannot sign or the value cannot be written.
std::string write_signed(const base::KeyRing&, const PayloadKind&, std::string_view channel, const SignedPayload&,
                         base::WallTime now);

/// Errors: forbidden for what is forged, damaged, of another channel or of a version that the kind does not have.
base::Result<SignedPayload> read_signed(const base::KeyRing&, const PayloadKind&, std::string_view channel,
                                        std::string_view text, base::WallTime now);

/// A moment at which the key that the text names was good, so that what it signed can be read after its end.
base::WallTime good_moment_of(const base::KeyRing&, std::string_view text);
/// With such a moment: whenever it was given out.
inline constexpr std::chrono::milliseconds kAnySkew{std::chrono::hours{24 * 365 * 100}};

/// "the {name}{what}", the client's fault.
tl::unexpected<base::Error> forbidden(const PayloadKind&, std::string_view what);

/// `value` in so many bytes behind the others, the largest first.
void append_field(std::string& fields, std::uint64_t value, std::size_t bytes);
/// Takes such a value off the front.
std::uint64_t take_field(std::string_view& fields, std::size_t bytes);

}  // namespace tribune::contracts
