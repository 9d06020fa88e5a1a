#pragma once
// The session tokens that one worker has verified. A viewer shows the same token every few seconds. Verifying it costs
// about 13,000 instructions (HMAC, base64), a fifth of a playlist request outside the kernel; a lookup here costs 300.
//
// A cached token is used only under the conditions under which it was verified: with the same key ring, for the same
// channel, before its key ends, and not before the time of the verification (after a step of the clock back it might be
// from the future).

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/hash.h"
#include "base/result.h"
#include "base/signing.h"
#include "contracts/token.h"

namespace tribune::balancer {

/// Owned by one worker. Bounded: at most two generations of `max_tokens` tokens, about 300 bytes each. Only valid
/// tokens are cached.
class TokenCache {
 public:
  explicit TokenCache(std::size_t max_tokens = 32'768) : max_tokens_(max_tokens) {}

  /// The result of contracts::read_token() with this key ring. Another ring than that of the last call clears the
  /// cache.
  base::Result<contracts::Token> read(const std::shared_ptr<const base::KeyRing>& ring, std::string_view channel,
                                      std::string_view text, base::WallTime now, std::chrono::milliseconds skew);

  std::size_t size() const { return recent_.size() + older_.size(); }

 private:
  struct Entry {
    contracts::Token token;
    base::WallTime from, until;  // valid within these bounds
  };
  using Entries = std::unordered_map<std::string, Entry, base::TextHash, std::equal_to<>>;

  const Entry* find(std::string_view text);
  void add(std::string_view text, Entry);

  std::size_t max_tokens_;
  std::shared_ptr<const base::KeyRing> ring_;  // held so that no other ring has its address
  Entries recent_, older_;                     // a token that is not used for a whole generation is dropped
};

}  // namespace tribune::balancer
