#pragma once
// Which objects there are: complete ones, running fills, and failures that are remembered for a moment. One entry per key,
// so that there is one fill per object whoever asks. It holds no bytes and touches no file.
//
// What an entry is, and what may follow
//   fill       find_or_begin() made it, and the caller runs it        → object, memory, failure, nothing
//   memory     a complete fill whose bytes stay in RAM (disk failed)   → nothing, when RAM is wanted
//   object     complete, in a file                                      → nothing: evicted or dropped as damaged
//   failure    remembered until its time is over                        → fill

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "cache_node/fill.h"
#include "cache_node/fill_memory.h"
#include "cache_node/object.h"
#include "cache_node/sieve.h"

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
    bool began = false;           // the caller must see that the fill is run, or abandon it
  };
  using Found = std::variant<ObjectPtr, Joined, FillFailure>;
  Found find_or_begin(const ObjectKey&, base::SteadyTime now);

  struct Completed {
    bool accepted = false;             // false: the fill's place was not its own any more
    std::vector<ObjectPtr> evicted;    // to make room; their files and records are the caller's to remove
  };
  /// The fill became this object.
  Completed complete(const Fill&, ObjectPtr);
  /// The fill is complete and its bytes stay in RAM, bounded by max_memory_bytes: the oldest such fill goes first.
  void keep_in_memory(const std::shared_ptr<Fill>&);
  /// The fill's place becomes free at once, or tells `failure` until then.
  void abandon(const Fill&);
  void abandon(const Fill&, FillFailure failure, base::SteadyTime until);

  /// From a record, before the first request, oldest first.
  void restore(ObjectPtr);
  /// Damaged: whether it was still the object of its key.
  bool drop(const ObjectPtr&);
  /// Frees about so many bytes for the disk.
  std::vector<ObjectPtr> make_room(std::uint64_t bytes);
  std::vector<ObjectPtr> set_max_bytes(std::uint64_t bytes);
  /// Whether a file of this generation belongs to an object or a running fill.
  bool knows(const ObjectId&, std::uint32_t generation) const;

  struct Totals {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    std::uint64_t fills = 0;
    std::uint64_t memory_objects = 0;
    std::uint64_t max_bytes = 0;
  };
  Totals totals() const;

 private:
  struct Failure {
    FillFailure what;
    base::SteadyTime until;
  };
  struct InMemory {
    std::shared_ptr<Fill> fill;
    std::uint64_t bytes = 0;
  };
  struct Entry : SieveLink {
    std::variant<std::monostate, std::shared_ptr<Fill>, ObjectPtr, std::unique_ptr<InMemory>, std::unique_ptr<Failure>> is;
  };
  using Entries = std::unordered_map<ObjectId, Entry, ObjectIdHash>;

  Entry* entry_of(const Fill&);
  void forget_failures(base::SteadyTime now);
  void evict_above(std::uint64_t bytes, std::vector<ObjectPtr>& evicted);
  void take_out(const ObjectPtr&);
  void drop_old_memory();

  mutable std::mutex mutex_;           // guards all that follows
  const std::shared_ptr<FillMemory> fill_memory_;
  Entries entries_;
  Sieve sieve_;
  std::deque<std::pair<base::SteadyTime, ObjectId>> failures_;   // in the order of their end, about
  std::deque<ObjectId> in_memory_;
  std::uint64_t max_bytes_;
  std::uint64_t max_memory_bytes_;
  Totals totals_;
  std::uint64_t memory_bytes_ = 0;
};

}  // namespace tribune::cache_node
