#include "base/ids.h"

#include <sodium.h>

namespace tribune::base {

std::uint64_t random_u64() {
  std::uint64_t value;
  randombytes_buf(&value, sizeof value);
  return value;
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  return bytes;
}

std::string random_id(std::size_t characters) {
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::string id = random_bytes(characters);
  for (char& c : id) c = kAlphabet[static_cast<unsigned char>(c) & 31];
  return id;
}

}  // namespace tribune::base
