#pragma once
// What an object is known by: channel, event epoch, origin path and the origin's own query. Nothing else of a request
// enters the key, so CMCD and made-up query keys cannot multiply objects; but for fields that a rule names
// (vary_rules.h).

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "contracts/link.h"

namespace tribune::cache_node {

/// The first 128 bits of the key's SHA-256: how the index, the files and the records name an object.
struct ObjectId {
  std::array<char, 16> bytes{};

  bool operator==(const ObjectId&) const = default;
  std::string_view view() const { return {bytes.data(), bytes.size()}; }
  /// 32 hex digits.
  std::string hex() const;
};

/// The bytes are a hash already.
struct ObjectIdHash {
  std::size_t operator()(const ObjectId& id) const noexcept {
    std::uint64_t first = 0;
    std::memcpy(&first, id.bytes.data(), sizeof first);
    return first;
  }
};

/// Immutable; const methods from any thread.
struct ObjectKey {
  std::string text;  // "channel/epoch/path[?query]": for records and purging by prefix
  ObjectId id;
};

/// Without the query, which may hold what the origin lets its clients in by. Good as long as the key.
inline std::string_view loggable(const ObjectKey& key) {
  return std::string_view(key.text).substr(0, key.text.find('?'));
}

ObjectKey object_key(std::string_view text);
/// The whole query counts (query_rules.h).
ObjectKey object_key(const contracts::Link&);
std::string object_text(const contracts::Link&);

}  // namespace tribune::cache_node
