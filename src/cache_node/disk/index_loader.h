#pragma once
// Reads the index's records at the start. One thread walks the store's table and hands what it finds to others, one for
// each further core, who take the records apart and bring their share in order. A small index is read without them.

#include <string>
#include <vector>

#include "base/result.h"
#include "cache_node/objects/object.h"
#include "store/store.h"

namespace tribune::cache_node {

struct LoadedIndex {
  std::vector<ObjectPtr> objects;    // oldest first
  std::vector<std::string> damaged;  // keys of records that are none
  base::Status status;               // of the walk; what it found until then counts
};

/// Blocks on the disk. Throws what a lack of memory throws, once all its threads have ended.
LoadedIndex load_records(const store::Store&);

}  // namespace tribune::cache_node
