#pragma once
// One object of the cache: what is known of its bytes, which lie in a file of their own (object_files.h).
//
// Lifetime
//   filling      a Fill holds its bytes; the index names the fill                       (FillRunner)
//   stored       renamed into place, the index names the object, a record is queued     (DiskWriter)
//   unverified   known from a record after a restart; its first reader checks the file  (ObjectIndex::restore)
//   verified     length and checksum fit, or written by this run                        (DiskWriter, Housekeeper)
//   gone         evicted or found damaged: out of the index, then file and record go     (ObjectIndex, Housekeeper)
// A file that is being sent stays readable until the last reader closes it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "cache_node/object_key.h"

namespace tribune::cache_node {

/// What the origin said of the body, and viewers are told.
struct ObjectHead {
  std::string content_type;
  std::string etag;                   // as sent, with quotes and W/; made from the checksum where the origin sent none
  std::int64_t last_modified = -1;    // unix seconds; -1: not said
  bool operator==(const ObjectHead&) const = default;
};

/// Immutable but for `verified`; any thread.
struct Object {
  ObjectId id;
  std::uint32_t generation = 0;       // random; a refilled object has another file name
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;         // XXH64
  std::int64_t stored = 0;            // unix seconds: when the fill was complete
  ObjectHead head;
  std::atomic<bool> verified{false};
};
using ObjectPtr = std::shared_ptr<Object>;

/// The ETag of a body whose origin sent none: equal bytes, equal tag.
std::string etag_of_body(std::uint64_t checksum, std::uint64_t size);

}  // namespace tribune::cache_node
