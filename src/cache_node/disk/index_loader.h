#pragma once
// Reads the index's records at the start. One thread iterates over the store's table and passes batches of records to
// the others, one per further core, which decode them and sort their share. A small index is read by one thread.

#include <string>
#include <vector>

#include "base/result.h"
#include "cache_node/objects/object.h"
#include "store/store.h"

namespace tribune::cache_node {

struct LoadedIndex {
  std::vector<ObjectPtr> objects;    // oldest first
  std::vector<std::string> damaged;  // keys of invalid records
  base::Status status;               // result of the iteration; records read before an error are valid
};

/// Blocks on the disk. Throws std::bad_alloc when memory is short, after all its threads have ended.
LoadedIndex load_records(const store::Store&);

}  // namespace tribune::cache_node
