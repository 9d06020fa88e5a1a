#include "base/keyed_hash.h"

#include <sodium.h>

namespace tribune::base {

static_assert(sizeof(KeyedHash::Value) == crypto_shorthash_siphashx24_BYTES);

KeyedHash::KeyedHash() {
  static_assert(sizeof key_ == crypto_shorthash_siphashx24_KEYBYTES);
  randombytes_buf(key_.data(), key_.size());
}

KeyedHash::~KeyedHash() { sodium_memzero(key_.data(), key_.size()); }

KeyedHash::Value KeyedHash::operator()(std::string_view text) const {
  Value value;
  crypto_shorthash_siphashx24(reinterpret_cast<unsigned char*>(value.data()),
                              reinterpret_cast<const unsigned char*>(text.data()), text.size(), key_.data());
  return value;
}

}  // namespace tribune::base
