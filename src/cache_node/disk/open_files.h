#pragma once
// Open descriptors of frequently used objects, up to a bound; the least recently used one is closed first. A file
// that is being sent stays open until it is sent.

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/bytes.h"
#include "base/result.h"
#include "cache_node/disk/object_files.h"
#include "cache_node/objects/object.h"

namespace tribune::cache_node {

/// Any thread; locks inside, never across opening a file.
class OpenFiles {
 public:
  OpenFiles(const ObjectFiles& files, std::size_t bound) : files_(files), bound_(bound) {}

  /// The object's file; while the pointer is held, the object is not evicted. Errors: as ObjectFiles::open().
  base::Result<std::shared_ptr<const base::File>> open(const ObjectPtr&);
  void forget(const ObjectId&);

 private:
  struct Kept {
    ObjectId id;
    std::uint32_t generation = 0;
    std::shared_ptr<const base::File> file;
  };
  const ObjectFiles& files_;
  const std::size_t bound_;
  std::mutex mutex_;
  std::list<Kept> by_use_;  // the most recent first
  std::unordered_map<ObjectId, std::list<Kept>::iterator, ObjectIdHash> kept_;
};

}  // namespace tribune::cache_node
