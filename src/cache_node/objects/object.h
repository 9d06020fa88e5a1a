#pragma once
// One object of the cache: the facts about its bytes, which are in a file of their own (object_files.h).
//
// Lifetime
//   filling      a Fill has its bytes; the index names the fill                                 (FillRunner)
//   stored       renamed to its final name, the index names the object, a record is queued     (DiskWriter)
//   unverified   known from a record after a restart; its first request checks the file        (ObjectIndex::restore)
//   verified     length and checksum match, or this run wrote the file         (DiskWriter, DiskMaintenance)
//   stale        purged softly: the next request fills it again; it is served if that fails    (Purge)
//   gone         evicted, purged or damaged: out of the index, then file and record are removed
//                                                                               (ObjectIndex, DiskMaintenance)
// A file that is being sent stays readable until the last reader closes it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "cache_node/objects/object_key.h"
#include "http/terms.h"

namespace tribune::cache_node {

/// The origin's fields that describe the body, as sent to clients.
struct ObjectHead {
  std::string content_type;
  std::string etag;                 // with quotes and W/; made from the checksum when the origin sent none
  std::int64_t last_modified = -1;  // unix seconds; -1: absent
  std::string tags = {};            // values of Surrogate-Key and Cache-Tag, each after a space; purges by tag use them
  http::Terms terms = {};  // the origin's cache directives; only when the retention rule uses them (retention_rules.h)
  bool operator==(const ObjectHead&) const = default;
};

/// Immutable except for the atomic members; any thread. A node may have a million of these: an object takes 56 bytes,
/// and only an ETag of the origin, tags or a rare media type cost a further allocation.
struct Object {
  ObjectId id;
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;    // XXH64
  std::uint32_t generation = 0;  // random; a refilled object has another file name
  std::atomic<std::uint32_t> stored{
      0};  // unix seconds, until 2106: when the fill was complete, or the origin last revalidated it
  std::atomic<bool> verified{false};
  std::atomic<bool> stale{false};

  ObjectHead head() const;
  /// Whether the head has terms; reads one bit.
  bool has_terms() const { return has_terms_; }
  /// After size and checksum are set: an ETag made from them is not stored again. Texts are cut at 64 KiB.
  void set_head(const ObjectHead&);
  /// A copy of the object with another head.
  std::shared_ptr<Object> with_head(const ObjectHead&) const;

 private:
  std::uint8_t media_type_ : 6 = 0;  // number of a known media type; 0: it is in texts_
  bool made_etag_ : 1 = false;
  bool has_tags_ : 1 = false;
  bool has_terms_ = false;
  std::uint32_t last_modified_ = 0;      // unix seconds; 0: absent, or before 1970 or after 2106
  std::unique_ptr<const char[]> texts_;  // ETag, tags, terms, an unknown media type, each after its length
};
using ObjectPtr = std::shared_ptr<Object>;

/// The ETag of a body whose origin sent none: equal bytes have equal tags.
std::string etag_of_body(std::uint64_t checksum, std::uint64_t size);

}  // namespace tribune::cache_node
