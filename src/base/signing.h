#pragma once
// HMAC-SHA256 (RFC 2104) with key ids, so that keys rotate without interruption: the first usable key signs, every key
// that has not ended verifies. Each purpose ("link", "token" …) has its own derived key, so that a signature for one
// purpose does not verify for another.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace tribune::base {

struct SigningKey {
  std::string id;                     // 1 to 16 of a-z 0-9
  std::string secret;                 // at least 16 bytes
  std::optional<WallTime> not_after;  // the key neither signs nor verifies from this time on
};

struct Signature {
  std::string key_id;
  std::string mac;  // `kMacBytes` raw bytes
};

/// The leftmost 128 bits of HMAC-SHA256 (RFC 2104 section 5 allows at least half of the output).
inline constexpr std::size_t kMacBytes = 16;

/// Immutable. Const methods from any thread. A call takes well under 2 µs for messages of a link's size, because the
/// two key blocks of each purpose are hashed once.
class KeyRing {
 public:
  enum class Purpose { link, token, receipt, heartbeat, ticket, peer, refresh, known_device };

  /// The keys in order of preference; empty means that nothing can be signed or verified.
  explicit KeyRing(std::vector<SigningKey> keys);
  ~KeyRing();
  KeyRing(KeyRing&&) noexcept;
  KeyRing& operator=(KeyRing&&) noexcept;

  bool empty() const;

  /// Signs with the first key that has not ended at `now`; nullopt when there is none.
  std::optional<Signature> sign(Purpose, std::string_view message, WallTime now) const;

  /// Constant time in the MAC; false for an unknown or ended key.
  bool verify(Purpose, std::string_view message, std::string_view key_id, std::string_view mac, WallTime now) const;

  /// Encrypts `text`, and decrypts it by the same call: XORed with an XChaCha20 stream derived from the purpose's key
  /// and the MAC. The MAC must be that of a message that contains the plain text, so that two texts never share a
  /// stream (a synthetic IV, as in RFC 5297). nullopt for an unknown or ended key, or a MAC of another length.
  std::optional<std::string> masked(Purpose, std::string_view text, std::string_view key_id, std::string_view mac,
                                    WallTime now) const;

  /// The time from which the key no longer verifies: never, its end, or the beginning of time for a key that is not in
  /// the ring.
  WallTime usable_until(std::string_view key_id) const;

 private:
  struct Prepared;
  std::vector<Prepared> keys_;
};

/// SHA-256 of the bytes, 32 raw bytes (FIPS 180-4).
std::string sha256(std::string_view bytes);

}  // namespace tribune::base
