#pragma once
// Ed25519 signatures (RFC 8032 section 5.1), for texts that are verified by processes that must not be able to write
// them. Pure functions, and a key as a value. HMACs with a shared secret are in signing.h.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tribune::base {

inline constexpr std::size_t kSeedBytes = 32;
inline constexpr std::size_t kPublicKeyBytes = 32;
inline constexpr std::size_t kSignatureBytes = 64;

/// The private half of a key. Its memory is wiped when it ends. Const methods from any thread.
class PrivateSigningKey {
 public:
  /// nullopt unless the seed has kSeedBytes. The caller keeps its own copy of the seed, or wipes it.
  static std::optional<PrivateSigningKey> from_seed(std::string_view seed);

  ~PrivateSigningKey();
  PrivateSigningKey(PrivateSigningKey&&) noexcept;  // the key that was moved from signs nothing valid
  PrivateSigningKey& operator=(PrivateSigningKey&&) noexcept;
  PrivateSigningKey(const PrivateSigningKey&) = delete;
  PrivateSigningKey& operator=(const PrivateSigningKey&) = delete;

  /// kSignatureBytes raw bytes, always the same for the same message.
  std::string sign(std::string_view message) const;
  /// kPublicKeyBytes raw bytes.
  const std::string& public_key() const { return public_key_; }

 private:
  PrivateSigningKey() = default;

  std::array<unsigned char, kSeedBytes + kPublicKeyBytes> secret_{};
  std::string public_key_;
};

/// A new seed from the kernel's random source, kSeedBytes.
std::string generate_seed();

/// Whether these are kPublicKeyBytes with the canonical form of a point that a private key can have: on the curve, in
/// the main subgroup, and not of small order.
bool is_public_key(std::string_view bytes);

/// False for a signature or a key of another length, and as RFC 8032 section 5.1.7 and libsodium specify for a
/// signature that is not canonical (S not below the order of the group) and for points of small order: one message and
/// one key have one valid signature unless the owner of the private key makes another. Takes 50 to 100 µs.
bool verify_signature(std::string_view public_key, std::string_view message, std::string_view signature);

/// A secret of 32 bytes for another use of the same seed, from which neither the seed nor a secret of another use can
/// be computed: keyed BLAKE2b with the context as personalisation and the number as salt (libsodium's
/// crypto_kdf_derive_from_key). Empty unless the seed has kSeedBytes.
std::string derive_secret(std::string_view seed, const char (&context)[9], std::uint64_t number);

}  // namespace tribune::base
