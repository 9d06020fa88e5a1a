#pragma once
// The session tokens that one worker verified lately. A viewer shows the same token every few seconds, and reading it
// anew costs some 13,000 instructions (HMAC, base64), a fifth of a playlist request outside the kernel; a look here
// costs 300.
//
// A token is taken from here only under the conditions under which it was verified: by the same ring of keys, for the
// same channel, before its key ends, and not before the moment at which it was verified (the clock may step back: then
// it may be from the future).

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

/// Owned by one worker. Bounded: at most two generations of `kept` tokens, some 300 bytes each; only good tokens are
/// kept.
class TokenCache {
 public:
  explicit TokenCache(std::size_t kept = 32'768) : kept_(kept) {}

  /// As contracts::read_token() by this ring. Another ring than the last time's forgets everything.
  base::Result<contracts::Token> read(const std::shared_ptr<const base::KeyRing>& ring, std::string_view channel,
                                      std::string_view text, base::WallTime now, std::chrono::milliseconds skew);

  std::size_t size() const { return recent_.size() + older_.size(); }

 private:
  struct Entry {
    contracts::Token token;
    base::WallTime from, until;  // when it is as good as verified
  };
  using Entries = std::unordered_map<std::string, Entry, base::TextHash, std::equal_to<>>;

  const Entry* find(std::string_view text);
  void keep(std::string_view text, Entry);

  std::size_t kept_;
  std::shared_ptr<const base::KeyRing> ring_;  // held, so that no other ring ever has its address
  Entries recent_, older_;                     // what was not shown for a whole generation goes
};

}  // namespace tribune::balancer
