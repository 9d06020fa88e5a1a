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

/// What a record says beside the object: by this it is found when it is purged.
struct RecordTexts {
  std::string key;                    // "channel/epoch/path[?query]"
  std::string tags;                   // as ObjectHead has them
};

/// The record's key is the object's id.
std::string write_record(const Object&, const RecordTexts&);

/// Nothing for a damaged record or one of another length than it says.
struct ReadRecord {
  ObjectPtr object;        // unverified
  RecordTexts texts;
};
std::optional<ReadRecord> read_record(std::string_view id, std::string_view record);

}  // namespace tribune::cache_node
