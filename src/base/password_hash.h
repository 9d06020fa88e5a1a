#pragma once
// Hashes of passwords: Argon2id (RFC 9106), written as PHC strings, "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<digest>".
// Pure functions, except that a hash draws its salt from the kernel. Any thread. Each call computes for tens of
// milliseconds and allocates the memory of its cost: never call them on an event loop.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tribune::base {

/// What one hash costs. The defaults are the minimum of the OWASP Password Storage Cheat Sheet for one lane (m = 19
/// MiB, t = 2, p = 1), because libsodium has one lane only and a login server must answer many logins: a hash takes
/// about 50 ms of one core. RFC 9106 section 4 recommends more memory (64 MiB, t = 3) where four lanes share the work.
/// Values beyond the bounds are replaced by the nearest bound.
struct PasswordHashCost {
  std::uint64_t memory_bytes = 19'456 * 1'024;  // kMinPasswordMemoryBytes to kMaxPasswordMemoryBytes; whole KiB count
  std::uint32_t passes = 2;                     // 1 to kMaxPasswordPasses
  bool operator==(const PasswordHashCost&) const = default;
};

/// The least memory that Argon2 accepts with one lane, for tests.
inline constexpr std::uint64_t kMinPasswordMemoryBytes = 8 * 1'024;
/// libsodium accepts terabytes; these bounds keep a damaged record from allocating them, or from computing for minutes.
inline constexpr std::uint64_t kMaxPasswordMemoryBytes = 256 * 1'024 * 1'024;
inline constexpr std::uint32_t kMaxPasswordPasses = 16;

enum class PasswordMatch {
  right,
  wrong,        // also for a text that is no hash of this kind, or one whose parameters exceed the bounds
  unavailable,  // the memory could not be allocated
};

/// The hash of a password of any bytes, with a random salt. Error `unavailable` when the memory cannot be allocated.
Result<std::string> hash_password(std::string_view password, const PasswordHashCost&);

/// Computes with the parameters of the hash. Constant time in the digest, but not for a text that is no hash: its
/// answer is immediate. The salt must have 16 bytes and the digest 32, as hash_password() writes them.
PasswordMatch check_password(std::string_view hash, std::string_view password);

/// Whether hash_password() would write other parameters, or the text is no hash of this kind.
bool needs_renewal(std::string_view hash, const PasswordHashCost&);

/// A hash of no known password, made without computing: checking a password against it takes as long as against a real
/// hash of this cost.
std::string hash_of_no_password(const PasswordHashCost&);

/// Overwrites the text, with the bytes behind its end that a longer text left, and empties it.
void wipe(std::string& secret);

}  // namespace tribune::base
