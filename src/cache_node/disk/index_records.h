#pragma once
// How objects, and the files that are kept in slices, are written into the store's tables: a fixed layout, little
// endian, closed by a checksum of its own, so that a damaged record is noticed and dropped. Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "cache_node/objects/object.h"
#include "cache_node/objects/sliced_files.h"

namespace tribune::cache_node {

/// The name and version of the layout, as the store keeps it.
inline constexpr std::string_view kIndexFormat = "tribune cache index 2";
inline constexpr std::string_view kObjectTable = "objects";
inline constexpr std::string_view kSlicedFileTable = "sliced files";

/// The record's key is the object's id. `key_text` is kept for purging by prefix.
std::string write_record(const Object&, std::string_view key_text);

/// Nothing for a damaged record or one of another length than it says.
struct ReadRecord {
  ObjectPtr object;           // unverified
  std::string_view key_text;  // of the record's bytes
};
std::optional<ReadRecord> read_record(std::string_view id, std::string_view record);

/// Under the id of the file's key. Its slices are objects, with records of their own.
std::string write_file_record(const SlicedFile&);
/// Null for a damaged record, and for one that is not of this id.
SlicedFilePtr read_file_record(std::string_view id, std::string_view record);

}  // namespace tribune::cache_node
