#pragma once
// What the plain cache holds, in RAM: for each URI the responses that were stored for it, one for each variant.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/bytes.h"
#include "base/sieve.h"
#include "http/freshness.h"
#include "http/range.h"

namespace tribune::cache_node {

/// A stored response. Immutable.
struct ProxyEntry {
  http::StoredHead head;  // status 200 for a partial one
  std::string variant;    // http::variant_key() of the request that it answered
  base::SharedBytes body;
  std::optional<http::ByteRange> part;  // the body is this part of a representation …
  std::uint64_t whole_length = 0;       // … of so many bytes
};
using ProxyEntryPtr = std::shared_ptr<const ProxyEntry>;

/// Any thread; locks inside.
class ProxyStore {
 public:
  explicit ProxyStore(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}
  ~ProxyStore();

  /// The newest response for this URI that answers a request with these fields; `others_exist` when only other variants
  /// do.
  ProxyEntryPtr find(const std::string& key, const http::Headers& request, bool& others_exist);
  /// Takes the place of what was stored for the same variant.
  void put(const std::string& key, ProxyEntryPtr);
  /// Forgets all variants.
  void invalidate(const std::string& key);
  void set_max_bytes(std::uint64_t);

  struct Totals {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
  };
  Totals totals() const;

  /// Whether nobody renews this response yet; from then on the caller does, until end_renewal().
  bool begin_renewal(const ProxyEntryPtr&);
  void end_renewal(const ProxyEntryPtr&);

  /// Room for a body that is arriving; false when so many bytes are on their way already.
  bool take_room(std::uint64_t bytes, std::uint64_t bound);
  void give_room(std::uint64_t bytes) { filling_ -= bytes; }

 private:
  struct Slot : base::SieveLink {
    const std::string* key;  // of the map's node
    ProxyEntryPtr entry;
    std::uint64_t bytes;
  };
  using Slots = std::vector<std::unique_ptr<Slot>>;  // newest first

  // With the lock held. What they take out is destroyed by the caller, outside of it.
  void drop(Slots&, std::size_t at, std::vector<ProxyEntryPtr>& gone);
  void make_room(std::vector<ProxyEntryPtr>& gone);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Slots> uris_;
  std::unordered_set<ProxyEntryPtr> renewals_;  // in the background; as many as there are such requests
  base::Sieve sieve_;
  std::uint64_t max_bytes_;
  Totals totals_;
  std::atomic<std::uint64_t> filling_{0};
};

}  // namespace tribune::cache_node
