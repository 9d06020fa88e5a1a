#include "base/password_hash.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace tribune::base {

namespace {

using Salt = std::array<unsigned char, crypto_pwhash_argon2id_SALTBYTES>;
using Digest = std::array<unsigned char, 32>;

static_assert(kMinPasswordMemoryBytes == crypto_pwhash_argon2id_MEMLIMIT_MIN);
static_assert(crypto_pwhash_argon2id_OPSLIMIT_MIN == 1 && crypto_pwhash_argon2id_ALG_ARGON2ID13 == 2);

constexpr std::string_view kHashBeginning = "$argon2id$v=19$m=";
constexpr std::uint64_t kKibibyte = 1'024;

struct ParsedHash {
  PasswordHashCost cost;
  Salt salt{};
  Digest digest{};
};

PasswordHashCost bounded(const PasswordHashCost& cost) {
  const auto memory = std::clamp(cost.memory_bytes, kMinPasswordMemoryBytes, kMaxPasswordMemoryBytes);
  return {memory / kKibibyte * kKibibyte, std::clamp(cost.passes, 1u, kMaxPasswordPasses)};
}

bool sodium_is_ready() {
  static const bool is_ready = sodium_init() >= 0;
  return is_ready;
}

bool compute_digest(Digest& digest, std::string_view password, const Salt& salt, const PasswordHashCost& cost) {
  if (password.empty()) password = "";  // libsodium accepts no null pointer
  return crypto_pwhash_argon2id(digest.data(), digest.size(), password.data(), password.size(), salt.data(),
                                cost.passes, static_cast<std::size_t>(cost.memory_bytes),
                                crypto_pwhash_argon2id_ALG_ARGON2ID13) == 0;
}

template <std::size_t kSize>
std::string unpadded_base64(const std::array<unsigned char, kSize>& bytes) {
  std::string text(sodium_base64_ENCODED_LEN(kSize, sodium_base64_VARIANT_ORIGINAL_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), kSize, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
  text.pop_back();  // the NUL at the end
  return text;
}

/// Whether the text is exactly the base64 of as many bytes as the array has.
template <std::size_t kSize>
bool read_unpadded_base64(std::string_view text, std::array<unsigned char, kSize>& bytes) {
  std::size_t size = 0;
  const char* end = nullptr;
  return sodium_base642bin(bytes.data(), kSize, text.data(), text.size(), nullptr, &size, &end,
                           sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
         size == kSize && end == text.data() + text.size();
}

std::string phc_text(const ParsedHash& hash) {
  return fmt::format("{}{},t={},p=1${}${}", kHashBeginning, hash.cost.memory_bytes / kKibibyte, hash.cost.passes,
                     unpadded_base64(hash.salt), unpadded_base64(hash.digest));
}

bool take(std::string_view& rest, std::string_view expected) {
  if (!rest.starts_with(expected)) return false;
  rest.remove_prefix(expected.size());
  return true;
}

bool take_number(std::string_view& rest, std::uint64_t most, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc{} || number > most) return false;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return true;
}

std::optional<ParsedHash> parse_hash(std::string_view text) {
  ParsedHash hash;
  std::uint64_t kibibytes = 0;
  std::uint64_t passes = 0;
  if (!take(text, kHashBeginning) || !take_number(text, kMaxPasswordMemoryBytes / kKibibyte, kibibytes) ||
      !take(text, ",t=") || !take_number(text, kMaxPasswordPasses, passes) || !take(text, ",p=1$"))
    return std::nullopt;
  hash.cost = {kibibytes * kKibibyte, static_cast<std::uint32_t>(passes)};
  if (hash.cost != bounded(hash.cost)) return std::nullopt;
  const auto end_of_salt = text.find('$');
  if (end_of_salt == std::string_view::npos || !read_unpadded_base64(text.substr(0, end_of_salt), hash.salt) ||
      !read_unpadded_base64(text.substr(end_of_salt + 1), hash.digest))
    return std::nullopt;
  return hash;
}

}  // namespace

Result<std::string> hash_password(std::string_view password, const PasswordHashCost& cost) {
  const auto unavailable = [](std::string why) {
    return failure(ErrorKind::unavailable, Fault::tribune, std::move(why), true);
  };
  if (!sodium_is_ready()) return unavailable("libsodium has no random source: no password can be hashed");
  ParsedHash hash;
  hash.cost = bounded(cost);
  randombytes_buf(hash.salt.data(), hash.salt.size());
  if (!compute_digest(hash.digest, password, hash.salt, hash.cost))
    return unavailable(fmt::format("the hash of a password needs {} bytes of memory, which could not be allocated",
                                   hash.cost.memory_bytes));
  return phc_text(hash);
}

PasswordMatch check_password(std::string_view text, std::string_view password) {
  const auto hash = parse_hash(text);
  if (!hash) return PasswordMatch::wrong;
  if (!sodium_is_ready()) return PasswordMatch::unavailable;
  Digest digest{};
  if (!compute_digest(digest, password, hash->salt, hash->cost)) return PasswordMatch::unavailable;
  const bool is_right = sodium_memcmp(digest.data(), hash->digest.data(), digest.size()) == 0;
  sodium_memzero(digest.data(), digest.size());
  return is_right ? PasswordMatch::right : PasswordMatch::wrong;
}

bool needs_renewal(std::string_view text, const PasswordHashCost& cost) {
  const auto hash = parse_hash(text);
  return !hash || hash->cost != bounded(cost);
}

std::string hash_of_no_password(const PasswordHashCost& cost) {
  ParsedHash hash;
  hash.cost = bounded(cost);
  if (sodium_is_ready()) {
    randombytes_buf(hash.salt.data(), hash.salt.size());
    randombytes_buf(hash.digest.data(), hash.digest.size());
  }
  return phc_text(hash);
}

void wipe(std::string& secret) {
  secret.resize(secret.capacity());
  sodium_memzero(secret.data(), secret.size());
  secret.clear();
}

}  // namespace tribune::base
