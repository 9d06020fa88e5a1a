#include "base/signing.h"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace tribune::base {

namespace {

using State = crypto_auth_hmacsha256_state;

const unsigned char* raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string mac_of(State state, std::string_view message) {
  unsigned char whole[crypto_auth_hmacsha256_BYTES];
  crypto_auth_hmacsha256_update(&state, raw(message), message.size());
  crypto_auth_hmacsha256_final(&state, whole);
  return std::string(reinterpret_cast<const char*>(whole), kMacBytes);
}

constexpr std::array<std::string_view, 8> kPurposes = {"link",   "token", "receipt", "heartbeat",
                                                       "ticket", "peer",  "refresh", "known device"};

using Key = std::array<unsigned char, crypto_auth_hmacsha256_BYTES>;
using Nonce = std::array<unsigned char, crypto_stream_xchacha20_NONCEBYTES>;
static_assert(std::tuple_size_v<Key> == crypto_stream_xchacha20_KEYBYTES && kMacBytes <= std::tuple_size_v<Nonce>);

/// The key of a purpose is HMAC(secret, use purpose), as HKDF-Expand derives it (RFC 5869 section 2.3).
Key derived_key(std::string_view secret, std::string_view use, std::string_view purpose) {
  State state;
  Key derived;
  crypto_auth_hmacsha256_init(&state, raw(secret), secret.size());
  crypto_auth_hmacsha256_update(&state, raw(use), use.size());
  crypto_auth_hmacsha256_update(&state, raw(purpose), purpose.size());
  crypto_auth_hmacsha256_final(&state, derived.data());
  return derived;
}

State prepared_state(std::string_view secret, std::string_view purpose) {
  State state;
  auto derived = derived_key(secret, "tribune:", purpose);
  crypto_auth_hmacsha256_init(&state, derived.data(), derived.size());
  sodium_memzero(derived.data(), derived.size());
  return state;
}

}  // namespace

struct KeyRing::Prepared {
  std::string id;
  std::optional<WallTime> not_after;
  std::array<State, kPurposes.size()> states;
  std::array<Key, kPurposes.size()> masks;

  bool usable(WallTime now) const { return !not_after || now < *not_after; }
  const State& state(Purpose purpose) const { return states[static_cast<std::size_t>(purpose)]; }
};

KeyRing::KeyRing(std::vector<SigningKey> keys) {
  if (sodium_init() < 0) std::abort();  // without a random source no signature is safe
  for (auto& key : keys) {
    Prepared prepared{key.id, key.not_after, {}, {}};
    for (std::size_t i = 0; i < kPurposes.size(); ++i) {
      prepared.states[i] = prepared_state(key.secret, kPurposes[i]);
      prepared.masks[i] = derived_key(key.secret, "tribune-mask:", kPurposes[i]);
    }
    keys_.push_back(std::move(prepared));
  }
}

KeyRing::~KeyRing() = default;
KeyRing::KeyRing(KeyRing&&) noexcept = default;
KeyRing& KeyRing::operator=(KeyRing&&) noexcept = default;

bool KeyRing::empty() const { return keys_.empty(); }

std::optional<Signature> KeyRing::sign(Purpose purpose, std::string_view message, WallTime now) const {
  for (const auto& key : keys_)
    if (key.usable(now)) return Signature{key.id, mac_of(key.state(purpose), message)};
  return std::nullopt;
}

bool KeyRing::verify(Purpose purpose, std::string_view message, std::string_view key_id, std::string_view mac,
                     WallTime now) const {
  if (mac.size() != kMacBytes) return false;
  for (const auto& key : keys_) {
    if (key.id != key_id || !key.usable(now)) continue;
    const auto expected = mac_of(key.state(purpose), message);
    return sodium_memcmp(expected.data(), mac.data(), kMacBytes) == 0;
  }
  return false;
}

std::optional<std::string> KeyRing::masked(Purpose purpose, std::string_view text, std::string_view key_id,
                                           std::string_view mac, WallTime now) const {
  if (mac.size() != kMacBytes) return std::nullopt;
  for (const auto& key : keys_) {
    if (key.id != key_id || !key.usable(now)) continue;
    Nonce nonce{};
    std::copy(mac.begin(), mac.end(), nonce.begin());
    std::string out(text.size(), '\0');
    crypto_stream_xchacha20_xor(reinterpret_cast<unsigned char*>(out.data()), raw(text), text.size(), nonce.data(),
                                key.masks[static_cast<std::size_t>(purpose)].data());
    return out;
  }
  return std::nullopt;
}

WallTime KeyRing::usable_until(std::string_view key_id) const {
  auto until = WallTime::min();
  for (const auto& key : keys_)
    if (key.id == key_id) until = std::max(until, key.not_after.value_or(WallTime::max()));
  return until;
}

std::string sha256(std::string_view bytes) {
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()), raw(bytes), bytes.size());
  return digest;
}

}  // namespace tribune::base
