#pragma once
// The files of objects: "tmp/{id}-{generation}" while they are written, "objects/{ab}/{id}-{generation}" once
// complete. A name is never used twice, so removing an old file cannot remove a new one. Functions block on the disk,
// except open().

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

  /// Creates the folders, and removes unfinished files of the last run.
  base::Status prepare() const;

  /// A new temporary file, for reading and writing.
  base::Result<std::shared_ptr<const base::File>> begin(const ObjectId&, std::uint32_t generation) const;
  base::Status make_visible(const ObjectId&, std::uint32_t generation) const;
  void remove_unfinished(const ObjectId&, std::uint32_t generation) const;

  /// Opens a complete object and checks its length only. Errors: not_found, io, protocol for another length, or
  /// unavailable when descriptors are short, which is no fault of the file.
  base::Result<std::shared_ptr<const base::File>> open(const Object&) const;
  void remove(const Object&) const;
  /// Reads the file and compares length and checksum. Errors: as open(), protocol for another checksum.
  base::Status verify(const Object&) const;

  /// Calls `wanted` for each complete file, and removes the file when it returns false. Returns the number of removed
  /// files. Ends early when `stop` returns true.
  std::size_t sweep(const std::function<bool(const ObjectId&, std::uint32_t generation)>& wanted,
                    const std::function<bool()>& stop) const;

  /// Writes a small file and removes it: tests whether the disk accepts writes.
  base::Status probe() const;

  /// The free bytes of the file system; 0 when they cannot be read.
  std::uint64_t free_bytes() const;
  /// An error when the folder does not exist or cannot be read.
  base::Status is_there() const;
  const std::string& root() const { return root_; }

 private:
  std::string folder(const ObjectId&) const;
  std::string path(const ObjectId&, std::uint32_t generation) const;
  std::string temporary_path(const ObjectId&, std::uint32_t generation) const;

  const std::string root_;
};

}  // namespace tribune::cache_node
