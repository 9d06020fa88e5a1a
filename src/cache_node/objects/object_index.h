#pragma once
// The complete objects, the running fills, and the remembered failures. One entry per key, so that each object has
// one fill at most, whichever client requests it. It has no bytes and opens no file.
//
// An entry's state, and the states that may follow
//   fill      find_or_begin() made it, and the caller runs it
//             -> object, memory, failure, nothing, or the entry that it replaces
//   memory    a complete fill whose bytes stay in RAM
//             -> fill when stale; nothing when RAM is needed
//   object    complete, in a file
//             -> fill when stale; nothing when evicted, purged or damaged
//   failure   remembered until its time ends
//             -> fill
// A stale object (purged softly) is replaced by the fill that the next request begins. When that fill fails, the
// object returns and is served for as long as the failure would have been remembered.

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/sieve.h"
#include "cache_node/objects/fill.h"
#include "cache_node/objects/fill_memory.h"
#include "cache_node/objects/object.h"
#include "cache_node/objects/sliced_files.h"

namespace tribune::cache_node {

/// Any thread; locks inside, held for microseconds.
class ObjectIndex {
 public:
  ObjectIndex(std::uint64_t max_bytes, std::uint64_t max_memory_bytes, std::shared_ptr<FillMemory> fill_memory);
  ~ObjectIndex();
  ObjectIndex(const ObjectIndex&) = delete;
  ObjectIndex& operator=(const ObjectIndex&) = delete;

  struct Joined {
    std::shared_ptr<Fill> fill;
    bool began = false;     // the caller must run the fill or abandon it
    bool is_stale = false;  // complete, and used although it is stale: its new fill has failed
    ObjectPtr previous;     // the replaced object: this, previous_in_memory or neither
    std::shared_ptr<Fill> previous_in_memory;
    ObjectPtr gone;  // replaced and no longer usable; the caller removes its file and record
  };
  using Found = std::variant<ObjectPtr, Joined, FillFailure>;
  /// `accepts_stale`: for a caller whose fill has just failed to replace a stale object.
  Found find_or_begin(const ObjectKey&, base::SteadyTime now, bool accepts_stale = false);
  /// For a caller that found a complete entry which is too old: the entry becomes stale, and a fill begins. When the
  /// entry has changed since, the result is that of find_or_begin().
  Found find_or_renew(const ObjectKey&, base::SteadyTime now, const Found& too_old);

  struct Completed {
    bool accepted = false;           // false: the entry no longer belongs to the fill
    std::vector<ObjectPtr> evicted;  // the caller removes their files and records
    ObjectPtr replaced;              // the caller removes its file; its record has the key of the new one
  };
  /// Replaces the fill by the stored object that it became.
  Completed complete(const Fill&, ObjectPtr);
  /// Keeps the bytes of a complete fill in RAM, bounded by max_memory_bytes. Returns the object that the fill replaced.
  ObjectPtr keep_in_memory(const std::shared_ptr<Fill>&);
  /// Removes the fill's entry, or lets it hold `failure` until `until`. True when the fill had replaced a stale object,
  /// which is now in the index again.
  bool abandon(const Fill&);
  bool abandon(const Fill&, FillFailure failure, base::SteadyTime until);
  /// Puts the object that the fill would have replaced back into the index, fresh and with these terms: the origin has
  /// revalidated it.
  ObjectPtr revalidated(const Fill&, std::int64_t now_unix, http::Terms);
  /// Removes the object that the fill would replace, whatever the fill's result. The caller removes its file and
  /// record.
  ObjectPtr forget_previous(const Fill&);

  /// Adds objects read from records. Called before the first request, oldest object first.
  void restore(ObjectPtr);
  void restore(std::vector<ObjectPtr>);
  /// Removes an object that is damaged, or gone at the origin. True when it was still the object of its key.
  bool drop(const ObjectPtr&);
  bool drop(const std::shared_ptr<Fill>& in_memory);
  /// Evicts objects that occupy about this many bytes of disk.
  std::vector<ObjectPtr> evict_bytes(std::uint64_t bytes, std::int64_t now_unix);
  std::vector<ObjectPtr> set_max_bytes(std::uint64_t bytes, std::int64_t now_unix);
  void set_max_memory_bytes(std::uint64_t bytes);
  /// The current bound on objects in RAM.
  std::uint64_t max_memory_bytes() const;
  /// Objects younger than this are not evicted, because playlists may still list them; the bound on bytes is exceeded
  /// instead.
  void set_min_age(std::chrono::seconds);
  /// Whether a file of this generation belongs to an object or a running fill.
  bool knows(const ObjectId&, std::uint32_t generation) const;

  enum class Status { nothing, filling, held, failed };
  Status status(const ObjectId&) const;

  /// Purges one key's entry. A hard purge removes the entry, whatever its state, and a running fill is not stored. A
  /// soft purge makes the entry stale.
  struct Purged {
    bool found = false;
    ObjectPtr gone;   // the caller removes its file and record
    ObjectPtr stale;  // the caller writes its record again
  };
  Purged purge(const ObjectId&, bool soft);
  /// The entries without a record: running fills, and complete fills in RAM.
  std::vector<std::shared_ptr<Fill>> unrecorded() const;

  /// The files that are stored in slices; each slice has an entry of its own here.
  SlicedFiles& sliced() { return sliced_; }

  struct Totals {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    std::uint64_t fills = 0;
    std::uint64_t memory_objects = 0;
    std::uint64_t memory_bytes = 0;
    std::uint64_t max_bytes = 0;
  };
  Totals totals() const;

 private:
  struct Failure {
    ObjectId id;
    FillFailure what;
    base::SteadyTime until;
  };
  struct InMemory {
    std::shared_ptr<Fill> fill;
    std::uint64_t bytes = 0;
    bool stale = false;
  };
  using State = std::variant<std::shared_ptr<Fill>, ObjectPtr, std::unique_ptr<InMemory>, std::unique_ptr<Failure>>;
  /// WHY a set of entries that know their ids, and not a map: a second copy of the id costs 16 bytes for each of a
  /// million.
  struct Entry : base::SieveLink {
    explicit Entry(State s) : is(std::move(s)) {}
    const ObjectId& id() const;
    State is;  // changes, but never to a state with another id
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const ObjectId& id) const noexcept { return ObjectIdHash()(id); }
    std::size_t operator()(const Entry& entry) const noexcept { return ObjectIdHash()(entry.id()); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const noexcept { return a.id() == b.id(); }
    bool operator()(const ObjectId& a, const Entry& b) const noexcept { return a == b.id(); }
    bool operator()(const Entry& a, const ObjectId& b) const noexcept { return a.id() == b; }
  };
  /// A stale entry that a fill has replaced.
  struct Replaced {
    ObjectPtr object;
    std::unique_ptr<InMemory> memory;
  };

  Entry* find(const ObjectId&);
  const Entry* find(const ObjectId& id) const { return const_cast<ObjectIndex*>(this)->find(id); }
  void erase(Entry&);
  void add(ObjectPtr);
  void prefetch(const ObjectPtr* begin, const ObjectPtr* end) const;
  Found begin(Entry*, const ObjectKey&);
  Found renew(Entry&, const ObjectKey&);
  bool serves_stale(const ObjectId&, base::SteadyTime now);

  // object_index_fills.cpp
  Entry* entry_of(const Fill&);
  bool restore_replaced(Entry&);
  void end_fill(const ObjectId&);
  ObjectPtr forget_replaced(const ObjectId&);
  void forget_failures(base::SteadyTime now);

  // object_index_eviction.cpp
  void evict_above(std::uint64_t bytes, std::int64_t now_unix, std::vector<ObjectPtr>& evicted);
  void evict_entry(Entry&);
  void evict_from_memory(Entry&);
  void trim_memory();

  SlicedFiles sliced_;
  mutable std::mutex mutex_;  // guards the members below
  const std::shared_ptr<FillMemory> fill_memory_;
  std::unordered_set<Entry, Hash, Equal> entries_;
  base::Sieve sieve_;                                      // stored objects
  base::Sieve memory_sieve_;                               // complete fills in RAM
  std::unordered_set<ObjectId, ObjectIdHash> unrecorded_;  // running fills, and complete ones in RAM
  std::unordered_map<ObjectId, Replaced, ObjectIdHash> replaced_;
  std::unordered_map<ObjectId, base::SteadyTime, ObjectIdHash> serving_stale_;  // each until this time
  std::deque<std::pair<base::SteadyTime, ObjectId>> failures_;  // approximately in the order of their end
  std::uint64_t max_bytes_;
  std::uint64_t max_memory_bytes_;
  std::int64_t min_age_seconds_ = 0;
  Totals totals_;
};

}  // namespace tribune::cache_node
