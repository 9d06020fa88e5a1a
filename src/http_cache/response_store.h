#pragma once
// The stored responses of the plain cache, in RAM: for each URI one response per variant.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/sieve.h"
#include "http_cache/request_variants.h"
#include "http_cache/stored_response.h"

namespace tribune::http_cache {

/// Any thread; locks inside.
class ResponseStore {
 public:
  explicit ResponseStore(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}
  ~ResponseStore();

  struct Found {
    StoredResponsePtr response;  // the newest one for this URI that the request selects; null if there is none
    StoredResponsePtr other;     // without it, the newest of the other variants
  };
  Found find(const std::string& key, RequestVariants&);
  /// Stores the response and replaces the one of the same variant, unless it is a part of that one. A URI has at most
  /// 64 variants, and at most 8 different values of Vary; the oldest ones give way.
  /// `generation`: of the key when the response was requested; a response from before an invalidation is not stored.
  void put(const std::string& key, StoredResponsePtr, std::uint32_t generation);
  /// Counts the invalidations of this key, and of a few others.
  std::uint32_t generation(const std::string& key) const;
  /// Removes all variants.
  void invalidate(const std::string& key);
  /// Sets the bound on stored bytes, and evicts responses (SIEVE) until it holds.
  void set_max_bytes(std::uint64_t);
  /// Evicts responses of at least `bytes` bytes in total, or all. The bound does not change. Returns the number of
  /// evicted bytes.
  std::uint64_t evict(std::uint64_t bytes);

  struct Totals {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
  };
  Totals totals() const;
  std::uint64_t max_bytes() const;

  /// Reserves bytes for a body that is being received; false if more than `bound` would be reserved by all of them.
  bool reserve_filling(std::uint64_t bytes, std::uint64_t bound);
  void release_filling(std::uint64_t bytes) { filling_ -= bytes; }
  std::uint64_t filling_bytes() const { return filling_; }

 private:
  struct Slot : base::SieveLink {
    const std::string* key;  // refers to the key in uris_
    StoredResponsePtr response;
    std::uint64_t bytes;
  };
  using Slots = std::vector<std::unique_ptr<Slot>>;  // newest first

  // Called with the lock held. The caller destroys the removed responses after it has released the lock.
  /// The newest response that the request selects; `unknown`: a Vary whose key the request has not computed.
  StoredResponsePtr select(const Slots&, const RequestVariants&, std::string& unknown) const;
  std::size_t generation_of(const std::string& key) const {
    return std::hash<std::string>{}(key) % generations_.size();
  }
  void remove(Slots&, std::size_t at, std::vector<StoredResponsePtr>& removed);
  void evict_to(std::uint64_t max_bytes, std::vector<StoredResponsePtr>& removed);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Slots> uris_;
  base::Sieve sieve_;
  std::vector<std::uint32_t> generations_ = std::vector<std::uint32_t>(4'096);  // by the hash of the key
  std::uint64_t max_bytes_;
  Totals totals_;
  std::atomic<std::uint64_t> filling_{0};
};

}  // namespace tribune::http_cache
