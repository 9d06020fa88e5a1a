#include "cache_node/objects/object_index.h"

#include <algorithm>

#include "base/ids.h"

namespace tribune::cache_node {

const ObjectId& ObjectIndex::Entry::id() const {
  if (const auto* object = std::get_if<ObjectPtr>(&is)) return (*object)->id;
  if (const auto* fill = std::get_if<std::shared_ptr<Fill>>(&is)) return (*fill)->key().id;
  if (const auto* memory = std::get_if<std::unique_ptr<InMemory>>(&is)) return (*memory)->fill->key().id;
  return std::get<std::unique_ptr<Failure>>(is)->id;
}

ObjectIndex::ObjectIndex(std::uint64_t max_bytes, std::uint64_t max_memory_bytes,
                         std::shared_ptr<FillMemory> fill_memory)
    : fill_memory_(std::move(fill_memory)), max_bytes_(max_bytes), max_memory_bytes_(max_memory_bytes) {}

ObjectIndex::~ObjectIndex() = default;

ObjectIndex::Entry* ObjectIndex::find(const ObjectId& id) {
  const auto found = entries_.find(id);
  // The elements of a set are const because of their ids, which do not change.
  return found == entries_.end() ? nullptr : const_cast<Entry*>(&*found);
}

void ObjectIndex::erase(Entry& entry) { entries_.erase(entries_.find(entry.id())); }

ObjectIndex::Found ObjectIndex::find_or_begin(const ObjectKey& key, base::SteadyTime now, bool accepts_stale) {
  const std::lock_guard lock(mutex_);
  Entry* entry = find(key.id);
  if (!entry) return begin(nullptr, key);
  if (const auto* object = std::get_if<ObjectPtr>(&entry->is)) {
    entry->marked = true;
    if (!(*object)->stale || accepts_stale || serves_stale(key.id, now)) return *object;
    return renew(*entry, key);
  }
  if (const auto* fill = std::get_if<std::shared_ptr<Fill>>(&entry->is)) {
    Joined joined;
    joined.fill = *fill;
    if (const auto replaced = replaced_.empty() ? replaced_.end() : replaced_.find(key.id);
        replaced != replaced_.end()) {
      joined.previous = replaced->second.object;
      if (replaced->second.memory) joined.previous_in_memory = replaced->second.memory->fill;
    }
    return joined;
  }
  if (auto* memory = std::get_if<std::unique_ptr<InMemory>>(&entry->is)) {
    entry->marked = true;
    if (!(*memory)->stale || accepts_stale || serves_stale(key.id, now))
      return Joined{(*memory)->fill, false, (*memory)->stale, nullptr, nullptr, nullptr};
    return renew(*entry, key);
  }
  const auto& failure = *std::get<std::unique_ptr<Failure>>(entry->is);
  if (now < failure.until) return failure.what;
  return begin(entry, key);
}

ObjectIndex::Found ObjectIndex::find_or_renew(const ObjectKey& key, base::SteadyTime now, const Found& too_old) {
  const auto* object = std::get_if<ObjectPtr>(&too_old);
  const auto* joined = std::get_if<Joined>(&too_old);
  {
    const std::lock_guard lock(mutex_);
    Entry* entry = find(key.id);
    auto* held = entry ? std::get_if<ObjectPtr>(&entry->is) : nullptr;
    if (held && object && *held == *object && !(*held)->stale) {
      (*held)->stale = true;
      return renew(*entry, key);
    }
    auto* memory = entry ? std::get_if<std::unique_ptr<InMemory>>(&entry->is) : nullptr;
    if (memory && joined && (*memory)->fill == joined->fill && !(*memory)->stale) {
      (*memory)->stale = true;
      return renew(*entry, key);
    }
    const auto* ended = entry ? std::get_if<std::shared_ptr<Fill>>(&entry->is) : nullptr;
    if (ended && joined && *ended == joined->fill) {
      // The fill is complete, and the disk thread has not made an object of it yet. It stays until the new fill has
      // ended: the disk thread's object will not be accepted, and its bytes are in RAM or in an open file.
      end_fill(key.id);
      auto gone = forget_replaced(key.id);
      const auto bytes = (*ended)->received();
      totals_.memory_bytes += bytes;
      ++totals_.memory_objects;
      replaced_[key.id].memory = std::make_unique<InMemory>(InMemory{*ended, bytes, true});
      auto begun = begin(entry, key);
      std::get<Joined>(begun).gone = std::move(gone);
      return begun;
    }
  }
  return find_or_begin(key, now);
}

/// Begins a fill in an entry with a stale object, which the fill replaces.
ObjectIndex::Found ObjectIndex::renew(Entry& entry, const ObjectKey& key) {
  auto& replaced = replaced_[key.id];
  if (auto* object = std::get_if<ObjectPtr>(&entry.is)) {
    sieve_.remove(entry);
    replaced.object = *object;
  } else {
    memory_sieve_.remove(entry);
    replaced.memory = std::move(std::get<std::unique_ptr<InMemory>>(entry.is));
    entry.is = replaced.memory->fill;  // keeps the entry's id valid until begin() has returned
  }
  return begin(&entry, key);
}

ObjectIndex::Found ObjectIndex::begin(Entry* entry, const ObjectKey& key) {
  Joined joined;
  joined.began = true;
  std::optional<ObjectHead> previous;
  if (const auto replaced = replaced_.empty() ? replaced_.end() : replaced_.find(key.id); replaced != replaced_.end()) {
    joined.previous = replaced->second.object;
    if (replaced->second.memory) joined.previous_in_memory = replaced->second.memory->fill;
    previous = joined.previous ? joined.previous->head() : joined.previous_in_memory->view().head;
  }
  auto fill =
      std::make_shared<Fill>(key, static_cast<std::uint32_t>(base::random_u64()), fill_memory_, std::move(previous));
  if (entry) {
    entry->is = fill;
  } else {
    entries_.emplace(State(fill));
  }
  ++totals_.fills;
  unrecorded_.insert(key.id);
  joined.fill = std::move(fill);
  return joined;
}

bool ObjectIndex::serves_stale(const ObjectId& id, base::SteadyTime now) {
  const auto until = serving_stale_.find(id);
  if (until == serving_stale_.end()) return false;
  if (now < until->second) return true;
  serving_stale_.erase(until);
  return false;
}

void ObjectIndex::restore(ObjectPtr object) {
  const std::lock_guard lock(mutex_);
  add(std::move(object));
}

void ObjectIndex::restore(std::vector<ObjectPtr> objects) {
  constexpr std::size_t kAtOnce = 16;
  const std::lock_guard lock(mutex_);
  entries_.reserve(objects.size());
  const auto place = [&](std::size_t at) { return objects.data() + std::min(at, objects.size()); };
  for (std::size_t at = 0; at < objects.size(); at += kAtOnce) {
    for (const auto* next = place(at + kAtOnce); next != place(at + 2 * kAtOnce); ++next)
      __builtin_prefetch(next->get());
    prefetch(place(at), place(at + kAtOnce));
    for (auto* object = place(at); object != place(at + kAtOnce); ++object) add(std::move(*object));
  }
}

/// Prefetches the memory that adding these objects reads. Objects and entries have scattered addresses: prefetching
/// loads many of them in parallel, which saves most of the time that adding a million objects takes.
void ObjectIndex::prefetch(const ObjectPtr* begin, const ObjectPtr* end) const {
  for (const auto* object = begin; object != end; ++object) {
    const auto bucket = ObjectIdHash()((*object)->id) % entries_.bucket_count();
    if (const auto first = entries_.begin(bucket); first != entries_.end(bucket)) __builtin_prefetch(&*first);
  }
  for (const auto* object = begin; object != end; ++object) {
    const auto bucket = ObjectIdHash()((*object)->id) % entries_.bucket_count();
    // Each step reads the id of the next entry, which may be the first of another bucket; so does the search for a
    // bucket.
    for (auto held = entries_.begin(bucket); held != entries_.end(bucket); ++held)
      if (const auto* other = std::get_if<ObjectPtr>(&held->is)) __builtin_prefetch(other->get());
  }
}

void ObjectIndex::add(ObjectPtr object) {
  const auto size = object->size;
  const auto [at, is_new] = entries_.emplace(State(std::move(object)));
  if (!is_new) return;
  ++totals_.objects;
  totals_.bytes += size;
  sieve_.add(const_cast<Entry&>(*at));
}

bool ObjectIndex::knows(const ObjectId& id, std::uint32_t generation) const {
  const std::lock_guard lock(mutex_);
  const Entry* entry = find(id);
  if (!entry) return false;
  if (const auto replaced = replaced_.find(id);
      replaced != replaced_.end() && replaced->second.object && replaced->second.object->generation == generation)
    return true;
  if (const auto* object = std::get_if<ObjectPtr>(&entry->is)) return (*object)->generation == generation;
  if (const auto* fill = std::get_if<std::shared_ptr<Fill>>(&entry->is)) return (*fill)->generation() == generation;
  return false;
}

ObjectIndex::Status ObjectIndex::status(const ObjectId& id) const {
  const std::lock_guard lock(mutex_);
  const Entry* entry = find(id);
  if (!entry) return Status::nothing;
  if (std::holds_alternative<std::shared_ptr<Fill>>(entry->is)) return Status::filling;
  return std::holds_alternative<std::unique_ptr<Failure>>(entry->is) ? Status::failed : Status::held;
}

std::vector<std::shared_ptr<Fill>> ObjectIndex::unrecorded() const {
  std::vector<std::shared_ptr<Fill>> fills;
  const std::lock_guard lock(mutex_);
  fills.reserve(unrecorded_.size());
  for (const auto& id : unrecorded_) {
    const Entry* entry = find(id);
    if (const auto* fill = std::get_if<std::shared_ptr<Fill>>(&entry->is)) fills.push_back(*fill);
    if (const auto* memory = std::get_if<std::unique_ptr<InMemory>>(&entry->is)) fills.push_back((*memory)->fill);
  }
  return fills;
}

ObjectIndex::Totals ObjectIndex::totals() const {
  const std::lock_guard lock(mutex_);
  auto totals = totals_;
  totals.max_bytes = max_bytes_;
  return totals;
}

}  // namespace tribune::cache_node
