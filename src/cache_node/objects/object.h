#pragma once
// One object of the cache: what is known of its bytes, which lie in a file of their own (object_files.h).
//
// Lifetime
//   filling      a Fill holds its bytes; the index names the fill                       (FillRunner)
//   stored       renamed into place, the index names the object, a record is queued     (DiskWriter)
//   unverified   known from a record after a restart; its first reader checks the file  (ObjectIndex::restore)
//   verified     length and checksum fit, or written by this run                        (DiskWriter, DiskMaintenance)
//   stale        purged softly: the next request fills it again, and it serves if that fails   (Purge)
//   gone         evicted, purged or found damaged: out of the index, then file and record go   (ObjectIndex,
//   DiskMaintenance)
// A file that is being sent stays readable until the last reader closes it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "cache_node/objects/object_key.h"
#include "http/terms.h"

namespace tribune::cache_node {

/// What the origin said of the body, and viewers are told.
struct ObjectHead {
  std::string content_type;
  std::string etag;                 // as sent, with quotes and W/; made from the checksum where the origin sent none
  std::int64_t last_modified = -1;  // unix seconds; -1: not said
  std::string tags = {};            // of Surrogate-Key and Cache-Tag, each behind a space: purged by
  http::Terms terms = {};           // what the origin tells caches; only where that counts (retention_rules.h)
  bool operator==(const ObjectHead&) const = default;
};

/// Immutable but for the atomic members; any thread. There may be a million of these: it says in 56 bytes what it can,
/// and only an ETag of the origin's own, tags or a rare media type cost a piece of memory more.
struct Object {
  ObjectId id;
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;    // XXH64
  std::uint32_t generation = 0;  // random; a refilled object has another file name
  std::atomic<std::uint32_t> stored{
      0};  // unix seconds, until 2106: when the fill was complete, or the origin last said that nothing changed
  std::atomic<bool> verified{false};
  std::atomic<bool> stale{false};

  ObjectHead head() const;
  /// Whether the head has terms: a look at a bit.
  bool has_terms() const { return has_terms_; }
  /// After size and checksum are set: an ETag made from them is not kept a second time. Texts are cut at 64 KiB.
  void set_head(const ObjectHead&);
  /// The same bytes, of which the origin says something else by now.
  std::shared_ptr<Object> with_head(const ObjectHead&) const;

 private:
  std::uint8_t media_type_ : 6 = 0;  // which known one; 0: it stands in texts_
  bool made_etag_ : 1 = false;
  bool has_tags_ : 1 = false;
  bool has_terms_ = false;
  std::uint32_t last_modified_ = 0;      // unix seconds; 0: not said, or before 1970 or after 2106
  std::unique_ptr<const char[]> texts_;  // ETag, tags, terms, an unknown media type, each behind its length
};
using ObjectPtr = std::shared_ptr<Object>;

/// The ETag of a body whose origin sent none: equal bytes, equal tag.
std::string etag_of_body(std::uint64_t checksum, std::uint64_t size);

}  // namespace tribune::cache_node
