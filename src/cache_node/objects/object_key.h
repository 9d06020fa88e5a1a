#pragma once
// The key of an object: channel, event epoch, origin path and the origin's own query. No other part of a request
// enters the key, except the fields that a rule names (vary_rules.h), so CMCD and invented query keys cannot multiply
// objects.

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "contracts/link.h"

namespace tribune::cache_node {

/// The first 128 bits of the key's SHA-256: the name of an object in the index, the files and the records.
struct ObjectId {
  std::array<char, 16> bytes{};

  bool operator==(const ObjectId&) const = default;
  std::string_view view() const { return {bytes.data(), bytes.size()}; }
  /// 32 hex digits.
  std::string hex() const;
};

/// The bytes are already a hash.
struct ObjectIdHash {
  std::size_t operator()(const ObjectId& id) const noexcept {
    std::uint64_t first = 0;
    std::memcpy(&first, id.bytes.data(), sizeof first);
    return first;
  }
};

/// Immutable; const methods from any thread.
struct ObjectKey {
  std::string text;  // "channel/epoch/path[?query]": for records and purges by prefix
  ObjectId id;
};

/// The key's text for the log, without the query, which may hold the origin's access credentials. Valid as long as the
/// key.
inline std::string_view loggable(const ObjectKey& key) {
  return std::string_view(key.text).substr(0, key.text.find('?'));
}

ObjectKey object_key(std::string_view text);
/// The key with the link's whole query (query_rules.h selects parts of it).
ObjectKey object_key(const contracts::Link&);
std::string object_text(const contracts::Link&);

}  // namespace tribune::cache_node
