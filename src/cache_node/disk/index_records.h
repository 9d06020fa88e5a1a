#pragma once
// The layout of the records of objects and of files in slices in the store's tables: fixed, little endian, with a
// checksum, so that a damaged record is detected and dropped. Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "cache_node/objects/object.h"
#include "cache_node/objects/sliced_files.h"

namespace tribune::cache_node {

/// The name and version of the layout, for the store.
inline constexpr std::string_view kIndexFormat = "tribune cache index 2";
inline constexpr std::string_view kObjectTable = "objects";
inline constexpr std::string_view kSlicedFileTable = "sliced files";

/// The record's key is the object's id. `key_text` is stored for purges by prefix.
std::string write_record(const Object&, std::string_view key_text);

/// A record that was read. read_record() returns nullopt for a damaged record or one whose length does not match.
struct ReadRecord {
  ObjectPtr object;           // unverified
  std::string_view key_text;  // refers to the record's bytes
};
std::optional<ReadRecord> read_record(std::string_view id, std::string_view record);

/// Stored under the id of the file's key. Its slices are objects with records of their own.
std::string write_file_record(const SlicedFile&);
/// Null for a damaged record, and for one of another id.
SlicedFilePtr read_file_record(std::string_view id, std::string_view record);

}  // namespace tribune::cache_node
