#pragma once
// Where objects' bytes lie, and what may be done to their files: "tmp/{id}-{generation}" while they are written,
// "objects/{ab}/{id}-{generation}" once complete. A name is never used twice, so removing an old file cannot hit a
// new one. Blocks on the disk, but for open().

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "cache_node/objects/object.h"

namespace tribune::cache_node {

/// Immutable; const methods from any thread.
class ObjectFiles {
 public:
  explicit ObjectFiles(std::string store_dir) : root_(std::move(store_dir)) {}

  /// Makes all the folders, and removes what was half-written when the last run ended.
  base::Status prepare() const;

  /// A new temporary file, for reading and writing.
  base::Result<std::shared_ptr<const base::File>> begin(const ObjectId&, std::uint32_t generation) const;
  base::Status make_visible(const ObjectId&, std::uint32_t generation) const;
  void remove_unfinished(const ObjectId&, std::uint32_t generation) const;

  /// Opens a complete object and looks at its length only. Errors: not_found, io, protocol for another
  /// length, or unavailable when descriptors are short: that says nothing about the file.
  base::Result<std::shared_ptr<const base::File>> open(const Object&) const;
  void remove(const Object&) const;
  /// Reads the file and compares length and checksum. Errors: as open(), protocol for another checksum.
  base::Status verify(const Object&) const;

  /// Calls `wanted` for each complete file; those it does not want are removed. Returns how many. Stops when `stop`
  /// says so.
  std::size_t sweep(const std::function<bool(const ObjectId&, std::uint32_t generation)>& wanted,
                    const std::function<bool()>& stop) const;

  /// Writes a small file and removes it: whether the disk takes anything at all.
  base::Status probe() const;

  /// Bytes that the file system has left for us; 0 when it cannot be asked.
  std::uint64_t free_bytes() const;
  /// Why the folder is not there, or cannot be asked.
  base::Status is_there() const;
  const std::string& root() const { return root_; }

 private:
  std::string folder(const ObjectId&) const;
  std::string path(const ObjectId&, std::uint32_t generation) const;
  std::string temporary_path(const ObjectId&, std::uint32_t generation) const;

  const std::string root_;
};

}  // namespace tribune::cache_node
