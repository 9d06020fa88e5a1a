#include "base/ed25519.h"

#include <sodium.h>

#include "base/ids.h"

namespace tribune::base {
namespace {

static_assert(kSeedBytes == crypto_sign_SEEDBYTES && kSeedBytes == crypto_kdf_KEYBYTES);
static_assert(kPublicKeyBytes == crypto_sign_PUBLICKEYBYTES && kSignatureBytes == crypto_sign_BYTES);
static_assert(kSeedBytes + kPublicKeyBytes == crypto_sign_SECRETKEYBYTES && crypto_kdf_CONTEXTBYTES == 8);

const unsigned char* octets(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* octets(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

std::optional<PrivateSigningKey> PrivateSigningKey::from_seed(std::string_view seed) {
  if (seed.size() != kSeedBytes) return std::nullopt;
  PrivateSigningKey key;
  key.public_key_.resize(kPublicKeyBytes);
  crypto_sign_seed_keypair(octets(key.public_key_), key.secret_.data(), octets(seed));
  return key;
}

PrivateSigningKey::~PrivateSigningKey() { sodium_memzero(secret_.data(), secret_.size()); }

PrivateSigningKey::PrivateSigningKey(PrivateSigningKey&& other) noexcept
    : secret_(other.secret_), public_key_(std::move(other.public_key_)) {
  sodium_memzero(other.secret_.data(), other.secret_.size());
}

PrivateSigningKey& PrivateSigningKey::operator=(PrivateSigningKey&& other) noexcept {
  if (this == &other) return *this;
  secret_ = other.secret_;
  public_key_ = std::move(other.public_key_);
  sodium_memzero(other.secret_.data(), other.secret_.size());
  return *this;
}

std::string PrivateSigningKey::sign(std::string_view message) const {
  std::string signature(kSignatureBytes, '\0');
  crypto_sign_detached(octets(signature), nullptr, octets(message), message.size(), secret_.data());
  return signature;
}

std::string generate_seed() { return random_bytes(kSeedBytes); }

bool is_public_key(std::string_view bytes) {
  return bytes.size() == kPublicKeyBytes && crypto_core_ed25519_is_valid_point(octets(bytes)) == 1;
}

bool verify_signature(std::string_view public_key, std::string_view message, std::string_view signature) {
  return public_key.size() == kPublicKeyBytes && signature.size() == kSignatureBytes &&
         crypto_sign_verify_detached(octets(signature), octets(message), message.size(), octets(public_key)) == 0;
}

std::string derive_secret(std::string_view seed, const char (&context)[9], std::uint64_t number) {
  if (seed.size() != kSeedBytes) return "";
  std::string secret(32, '\0');
  crypto_kdf_derive_from_key(octets(secret), secret.size(), number, context, octets(seed));
  return secret;
}

}  // namespace tribune::base
