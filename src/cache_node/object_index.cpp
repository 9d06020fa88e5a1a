#include "cache_node/object_index.h"

#include <fmt/format.h>

#include "base/ids.h"

namespace tribune::cache_node {

namespace {
constexpr std::size_t kMaxFailures = 10'000;
constexpr std::size_t kMaxMarksTaken = 4'096;   // per eviction, while the index is locked
}  // namespace

const ObjectId& ObjectIndex::Entry::id() const {
  if (const auto* object = std::get_if<ObjectPtr>(&is)) return (*object)->id;
  if (const auto* fill = std::get_if<std::shared_ptr<Fill>>(&is)) return (*fill)->key().id;
  if (const auto* memory = std::get_if<std::unique_ptr<InMemory>>(&is)) return (*memory)->fill->key().id;
  return std::get<std::unique_ptr<Failure>>(is)->id;
}

ObjectIndex::ObjectIndex(std::uint64_t max_bytes, std::uint64_t max_memory_bytes, std::shared_ptr<FillMemory> fill_memory)
    : fill_memory_(std::move(fill_memory)), max_bytes_(max_bytes), max_memory_bytes_(max_memory_bytes) {}

ObjectIndex::~ObjectIndex() = default;

ObjectIndex::Entry* ObjectIndex::find(const ObjectId& id) {
  const auto found = entries_.find(id);
  // The set's elements are const for the sake of their ids, which stay as they are.
  return found == entries_.end() ? nullptr : const_cast<Entry*>(&*found);
}

void ObjectIndex::erase(Entry& entry) { entries_.erase(entries_.find(entry.id())); }

ObjectIndex::Found ObjectIndex::find_or_begin(const ObjectKey& key, base::SteadyTime now, bool takes_stale) {
  const std::lock_guard lock(mutex_);
  Entry* entry = find(key.id);
  if (!entry) return begin(nullptr, key);
  if (const auto* object = std::get_if<ObjectPtr>(&entry->is)) {
    entry->marked = true;
    if (!(*object)->stale || takes_stale || serves_stale(key.id, now)) return *object;
    return renew(*entry, key);
  }
  if (const auto* fill = std::get_if<std::shared_ptr<Fill>>(&entry->is)) {
    Joined joined;
    joined.fill = *fill;
    if (const auto replaced = replaced_.empty() ? replaced_.end() : replaced_.find(key.id); replaced != replaced_.end()) {
      joined.previous = replaced->second.object;
      if (replaced->second.memory) joined.previous_in_memory = replaced->second.memory->fill;
    }
    return joined;
  }
  if (auto* memory = std::get_if<std::unique_ptr<InMemory>>(&entry->is)) {
    entry->marked = true;
    if (!(*memory)->stale || takes_stale || serves_stale(key.id, now)) return Joined{(*memory)->fill, false, (*memory)->stale, nullptr, nullptr, nullptr};
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
      // It is whole, and the disk thread has not made an object of it yet. It stays until the new fill has ended: what the disk
      // thread makes of it finds no place, and its bytes are in RAM or in a file that is open.
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

/// With a stale object in the entry, which makes room for a fill.
ObjectIndex::Found ObjectIndex::renew(Entry& entry, const ObjectKey& key) {
  auto& replaced = replaced_[key.id];
  if (auto* object = std::get_if<ObjectPtr>(&entry.is)) {
    sieve_.remove(entry);
    replaced.object = *object;
  } else {
    memory_sieve_.remove(entry);
    replaced.memory = std::move(std::get<std::unique_ptr<InMemory>>(entry.is));
    entry.is = replaced.memory->fill;   // an id to be found by until begin() is done
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
  auto fill = std::make_shared<Fill>(key, static_cast<std::uint32_t>(base::random_u64()), fill_memory_, std::move(previous));
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

ObjectIndex::Entry* ObjectIndex::entry_of(const Fill& fill) {
  Entry* entry = find(fill.key().id);
  const auto* running = entry ? std::get_if<std::shared_ptr<Fill>>(&entry->is) : nullptr;
  return running && running->get() == &fill ? entry : nullptr;
}

void ObjectIndex::end_fill(const ObjectId& id) {
  --totals_.fills;
  unrecorded_.erase(id);
}

ObjectPtr ObjectIndex::forget_replaced(const ObjectId& id) {
  const auto found = replaced_.find(id);
  if (found == replaced_.end()) return nullptr;
  auto object = std::move(found->second.object);
  if (object) {
    --totals_.objects;
    totals_.bytes -= object->size;
  } else {
    --totals_.memory_objects;
    totals_.memory_bytes -= found->second.memory->bytes;
  }
  replaced_.erase(found);
  return object;
}

bool ObjectIndex::put_back(Entry& entry) {
  const auto id = entry.id();
  const auto found = replaced_.find(id);
  if (found == replaced_.end()) return false;
  if (found->second.object) {
    entry.is = std::move(found->second.object);
    sieve_.add(entry);
  } else {
    entry.is = std::move(found->second.memory);
    memory_sieve_.add(entry);
    unrecorded_.insert(id);
  }
  replaced_.erase(found);
  return true;
}

ObjectIndex::Completed ObjectIndex::complete(const Fill& fill, ObjectPtr object) {
  Completed completed;
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(fill);
  if (!entry) return completed;
  completed.accepted = true;
  completed.replaced = forget_replaced(object->id);
  // Room first, so that the newcomer is not the one to go.
  evict_above(max_bytes_ > object->size ? max_bytes_ - object->size : 0, object->stored, completed.evicted);
  end_fill(object->id);
  ++totals_.objects;
  totals_.bytes += object->size;
  entry->is = std::move(object);
  sieve_.add(*entry);
  return completed;
}

ObjectPtr ObjectIndex::keep_in_memory(const std::shared_ptr<Fill>& fill) {
  const auto bytes = fill->received();
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(*fill);
  if (!entry) return nullptr;
  auto replaced = forget_replaced(fill->key().id);
  end_fill(fill->key().id);
  if (bytes > max_memory_bytes_) {
    erase(*entry);
    return replaced;
  }
  entry->is = std::make_unique<InMemory>(InMemory{fill, bytes, false});
  unrecorded_.insert(fill->key().id);
  totals_.memory_bytes += bytes;
  ++totals_.memory_objects;
  drop_old_memory();
  memory_sieve_.add(*entry);
  return replaced;
}

void ObjectIndex::take_out_of_memory(Entry& entry) {
  memory_sieve_.remove(entry);
  unrecorded_.erase(entry.id());
  totals_.memory_bytes -= std::get<std::unique_ptr<InMemory>>(entry.is)->bytes;
  --totals_.memory_objects;
  erase(entry);
}

void ObjectIndex::drop_old_memory() {
  const auto in_use = [](const SieveLink& link) {
    return std::get<std::unique_ptr<InMemory>>(static_cast<const Entry&>(link).is)->fill.use_count() > 1;
  };
  const auto none = [](const SieveLink&) { return false; };
  while (totals_.memory_bytes > max_memory_bytes_) {
    auto* link = memory_sieve_.candidate(in_use, none, kMaxMarksTaken);
    if (!link) return;
    take_out_of_memory(static_cast<Entry&>(*link));
  }
}

bool ObjectIndex::abandon(const Fill& fill) {
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(fill);
  if (!entry) return false;
  end_fill(fill.key().id);
  if (put_back(*entry)) return true;
  erase(*entry);
  return false;
}

bool ObjectIndex::abandon(const Fill& fill, FillFailure failure, base::SteadyTime until) {
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(fill);
  if (!entry) return false;
  const auto id = fill.key().id;
  end_fill(id);
  if (put_back(*entry)) {
    serving_stale_[id] = until;
    return true;
  }
  entry->is = std::make_unique<Failure>(Failure{id, std::move(failure), until});
  failures_.emplace_back(until, id);
  // A failure is remembered for a second at most, so those in front are over when newer ones come.
  forget_failures(until - std::chrono::seconds(1));
  return false;
}

ObjectPtr ObjectIndex::forget_previous(const Fill& fill) {
  const std::lock_guard lock(mutex_);
  return entry_of(fill) ? forget_replaced(fill.key().id) : nullptr;
}

ObjectPtr ObjectIndex::revalidated(const Fill& fill, std::int64_t now_unix, http::Terms terms) {
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(fill);
  if (!entry) return nullptr;
  end_fill(fill.key().id);
  if (!put_back(*entry)) {
    erase(*entry);
    return nullptr;
  }
  if (auto* memory = std::get_if<std::unique_ptr<InMemory>>(&entry->is)) {
    (*memory)->stale = false;
    (*memory)->fill->renew(now_unix, std::move(terms));
    return nullptr;
  }
  auto& object = std::get<ObjectPtr>(entry->is);
  if (auto head = object->head(); head.terms != terms) {
    head.terms = std::move(terms);
    object = object->with_head(head);   // readers have the old one
  }
  object->stale = false;
  object->stored = static_cast<std::uint32_t>(now_unix);
  return object;
}

void ObjectIndex::forget_failures(base::SteadyTime now) {
  while (!failures_.empty() && (failures_.front().first <= now || failures_.size() > kMaxFailures)) {
    const auto [until, id] = failures_.front();
    failures_.pop_front();
    Entry* entry = find(id);
    const auto* failure = entry ? std::get_if<std::unique_ptr<Failure>>(&entry->is) : nullptr;
    if (failure && (*failure)->until <= until) erase(*entry);
  }
}

void ObjectIndex::restore(ObjectPtr object) {
  const std::lock_guard lock(mutex_);
  const auto size = object->size;
  const auto [at, is_new] = entries_.emplace(State(std::move(object)));
  if (!is_new) return;
  ++totals_.objects;
  totals_.bytes += size;
  sieve_.add(const_cast<Entry&>(*at));
}

void ObjectIndex::reserve(std::size_t objects) {
  const std::lock_guard lock(mutex_);
  entries_.reserve(objects);
}

void ObjectIndex::take_out(Entry& entry) {
  sieve_.remove(entry);
  if (!serving_stale_.empty()) serving_stale_.erase(entry.id());
  --totals_.objects;
  totals_.bytes -= std::get<ObjectPtr>(entry.is)->size;
  erase(entry);
}

bool ObjectIndex::drop(const ObjectPtr& object) {
  const std::lock_guard lock(mutex_);
  Entry* entry = find(object->id);
  const auto* stored = entry ? std::get_if<ObjectPtr>(&entry->is) : nullptr;
  if (!stored || *stored != object) return false;
  take_out(*entry);
  return true;
}

bool ObjectIndex::drop(const std::shared_ptr<Fill>& in_memory) {
  const std::lock_guard lock(mutex_);
  Entry* entry = find(in_memory->key().id);
  const auto* held = entry ? std::get_if<std::unique_ptr<InMemory>>(&entry->is) : nullptr;
  if (!held || (*held)->fill != in_memory) return false;
  take_out_of_memory(*entry);
  return true;
}

void ObjectIndex::evict_above(std::uint64_t bytes, std::int64_t now_unix, std::vector<ObjectPtr>& evicted) {
  const auto object_of = [](const SieveLink& link) -> const ObjectPtr& { return std::get<ObjectPtr>(static_cast<const Entry&>(link).is); };
  // One reference is the index's own; every other is a reader's.
  const auto in_use = [&](const SieveLink& link) { return object_of(link).use_count() > 1; };
  // The queue is in order of arrival. What seems to be of the future was stored before the clock went back.
  const auto is_young = [&](const SieveLink& link) {
    const auto age = now_unix - object_of(link)->stored;
    return age >= 0 && age < min_age_seconds_;
  };
  while (totals_.bytes > bytes) {
    auto* link = sieve_.candidate(in_use, is_young, kMaxMarksTaken);
    if (!link) return;
    evicted.push_back(object_of(*link));
    take_out(static_cast<Entry&>(*link));
  }
}

std::vector<ObjectPtr> ObjectIndex::make_room(std::uint64_t bytes, std::int64_t now_unix) {
  std::vector<ObjectPtr> evicted;
  const std::lock_guard lock(mutex_);
  evict_above(totals_.bytes > bytes ? totals_.bytes - bytes : 0, now_unix, evicted);
  return evicted;
}

std::vector<ObjectPtr> ObjectIndex::set_max_bytes(std::uint64_t bytes, std::int64_t now_unix) {
  std::vector<ObjectPtr> evicted;
  const std::lock_guard lock(mutex_);
  max_bytes_ = bytes;
  evict_above(max_bytes_, now_unix, evicted);
  return evicted;
}

void ObjectIndex::set_max_memory_bytes(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  max_memory_bytes_ = bytes;
  drop_old_memory();
}

std::uint64_t ObjectIndex::max_memory_bytes() const {
  const std::lock_guard lock(mutex_);
  return max_memory_bytes_;
}

void ObjectIndex::set_min_age(std::chrono::seconds age) {
  const std::lock_guard lock(mutex_);
  min_age_seconds_ = age.count();
}

bool ObjectIndex::knows(const ObjectId& id, std::uint32_t generation) const {
  const std::lock_guard lock(mutex_);
  const Entry* entry = find(id);
  if (!entry) return false;
  if (const auto replaced = replaced_.find(id); replaced != replaced_.end() && replaced->second.object && replaced->second.object->generation == generation)
    return true;
  if (const auto* object = std::get_if<ObjectPtr>(&entry->is)) return (*object)->generation == generation;
  if (const auto* fill = std::get_if<std::shared_ptr<Fill>>(&entry->is)) return (*fill)->generation() == generation;
  return false;
}

ObjectIndex::Standing ObjectIndex::standing(const ObjectId& id) const {
  const std::lock_guard lock(mutex_);
  const Entry* entry = find(id);
  if (!entry) return Standing::nothing;
  if (std::holds_alternative<std::shared_ptr<Fill>>(entry->is)) return Standing::filling;
  return std::holds_alternative<std::unique_ptr<Failure>>(entry->is) ? Standing::failed : Standing::held;
}

ObjectIndex::Purged ObjectIndex::purge(const ObjectId& id, bool soft) {
  Purged purged;
  const std::lock_guard lock(mutex_);
  Entry* entry = find(id);
  if (!entry) return purged;
  purged.found = true;
  if (std::holds_alternative<std::shared_ptr<Fill>>(entry->is)) {
    // Its readers read on; what it brings is of before the purge, and is not kept.
    end_fill(id);
    if (!soft) purged.gone = forget_replaced(id);
    if (!soft || !put_back(*entry)) erase(*entry);
    return purged;
  }
  serving_stale_.erase(id);
  if (auto* object = std::get_if<ObjectPtr>(&entry->is)) {
    (soft ? purged.stale : purged.gone) = *object;
    (*object)->stale = true;
    if (!soft) take_out(*entry);
  } else if (auto* memory = std::get_if<std::unique_ptr<InMemory>>(&entry->is)) {
    (*memory)->stale = true;
    if (!soft) take_out_of_memory(*entry);
  } else {
    purged.found = false;
    erase(*entry);
  }
  return purged;
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
