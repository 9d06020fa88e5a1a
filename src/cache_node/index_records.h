#pragma once
// How an object is written into the store's table: a fixed layout, little endian, closed by a checksum of its own, so that
// a damaged record is noticed and dropped. Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "cache_node/object.h"

namespace tribune::cache_node {

/// The name and version of the layout, as the store keeps it.
inline constexpr std::string_view kIndexFormat = "tribune cache index 2";
inline constexpr std::string_view kObjectTable = "objects";

/// The record's key is the object's id. `key_text` is kept for purging by prefix.
std::string write_record(const Object&, std::string_view key_text);

/// Nothing for a damaged record or one of another length than it says.
struct ReadRecord {
  ObjectPtr object;        // unverified
  std::string_view key_text;   // of the record's bytes
};
std::optional<ReadRecord> read_record(std::string_view id, std::string_view record);

}  // namespace tribune::cache_node
