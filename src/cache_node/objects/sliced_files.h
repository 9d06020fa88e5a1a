#pragma once
// Files that are too large to be stored whole: which of them the origin has, and the keys of their slices. A slice is
// an object of its own with a fill of its own. Its key has the file's validator, so bytes of two versions never mix:
// a changed file has other slices, and the old ones are evicted in time.
//
//   unknown   not requested yet                        -> known: a fill saw the file's head and ended (FillRunner), or
//                                                         its record was loaded after a restart (IndexJournal)
//   known     requests are answered slice by slice     -> unknown: a slice's response did not match, or it was purged

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cache_node/objects/object.h"
#include "http/range.h"

namespace tribune::cache_node {

/// Immutable.
struct SlicedFile {
  ObjectKey key;
  ObjectHead head;
  std::uint64_t size = 0;
  std::uint64_t slice_bytes = 0;
  std::int64_t seen = 0;  // unix seconds: when the origin sent this

  std::uint64_t slice_at(std::uint64_t position) const { return position / slice_bytes; }
  http::ByteRange slice(std::uint64_t number) const;
  ObjectKey slice_key(std::uint64_t number) const;
  /// The validator for If-Range: the ETag, or the date when there is no ETag.
  std::string validator() const;
};
using SlicedFilePtr = std::shared_ptr<const SlicedFile>;

/// Marks the key of a slice: '#' is in no path and no query.
inline constexpr char kSliceMark = '#';

/// The response to another node that requests the whole of such a file, in addition to its fields: a 503 with this
/// verdict (contracts/peer_mark.h) and the file's length. The other node then requests slices, each from the node that
/// is responsible for it.
inline constexpr std::string_view kVerdictSliced = "sliced";
inline constexpr std::string_view kSlicedLength = "X-Tribune-Length";

/// Any thread; locks inside.
class SlicedFiles {
 public:
  static constexpr std::size_t kMost = 10'000;

  /// Marks the file as used.
  SlicedFilePtr find(const ObjectId&);
  /// Beyond kMost the least recently used file is forgotten.
  void put(SlicedFilePtr);
  /// Does nothing when the key has another file by now.
  void forget(const SlicedFilePtr&);
  std::size_t forget_if(const std::function<bool(const SlicedFile&)>& is_meant);

  /// The callback runs for each file that becomes known, and with null when a file is forgotten, in the order of the
  /// changes. It runs with the lock held, so it must not block. Set it before the first fill.
  using OnChanged = std::function<void(const ObjectId&, const SlicedFile*)>;
  void on_changed(OnChanged call) { on_changed_ = std::move(call); }

 private:
  void notify(const ObjectId& id, const SlicedFile* file) const {
    if (on_changed_) on_changed_(id, file);
  }

  OnChanged on_changed_;
  struct Known {
    SlicedFilePtr file;
    std::list<ObjectId>::iterator use;  // in by_use_
  };
  std::mutex mutex_;  // guards the members below
  std::unordered_map<ObjectId, Known, ObjectIdHash> files_;
  std::list<ObjectId> by_use_;         // the most recently used one at the end
  std::atomic<std::size_t> count_{0};  // written with the lock held
};

}  // namespace tribune::cache_node
