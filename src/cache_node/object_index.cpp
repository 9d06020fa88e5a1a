#include "cache_node/object_index.h"

#include <fmt/format.h>

#include "base/ids.h"

namespace tribune::cache_node {

namespace {
constexpr std::size_t kMaxFailures = 10'000;
constexpr std::size_t kMaxMarksTaken = 4'096;   // per eviction, while the index is locked
}  // namespace

ObjectIndex::ObjectIndex(std::uint64_t max_bytes, std::uint64_t max_memory_bytes, std::shared_ptr<FillMemory> fill_memory)
    : fill_memory_(std::move(fill_memory)), max_bytes_(max_bytes), max_memory_bytes_(max_memory_bytes) {}

ObjectIndex::~ObjectIndex() = default;

ObjectIndex::Found ObjectIndex::find_or_begin(const ObjectKey& key, base::SteadyTime now) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[key.id];
  if (const auto* object = std::get_if<ObjectPtr>(&entry.is)) {
    entry.marked = true;
    return *object;
  }
  if (const auto* fill = std::get_if<std::shared_ptr<Fill>>(&entry.is)) return Joined{*fill, false};
  if (const auto* memory = std::get_if<std::unique_ptr<InMemory>>(&entry.is)) return Joined{(*memory)->fill, false};
  if (const auto* failure = std::get_if<std::unique_ptr<Failure>>(&entry.is); failure && now < (*failure)->until) return (*failure)->what;
  auto fill = std::make_shared<Fill>(key, static_cast<std::uint32_t>(base::random_u64()), fill_memory_);
  entry.is = fill;
  ++totals_.fills;
  return Joined{std::move(fill), true};
}

ObjectIndex::Entry* ObjectIndex::entry_of(const Fill& fill) {
  const auto found = entries_.find(fill.key().id);
  if (found == entries_.end()) return nullptr;
  const auto* running = std::get_if<std::shared_ptr<Fill>>(&found->second.is);
  return running && running->get() == &fill ? &found->second : nullptr;
}

ObjectIndex::Completed ObjectIndex::complete(const Fill& fill, ObjectPtr object) {
  Completed completed;
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(fill);
  if (!entry) return completed;
  completed.accepted = true;
  // Room first, so that the newcomer is not the one to go.
  evict_above(max_bytes_ > object->size ? max_bytes_ - object->size : 0, completed.evicted);
  --totals_.fills;
  ++totals_.objects;
  totals_.bytes += object->size;
  entry->is = std::move(object);
  sieve_.add(*entry);
  return completed;
}

void ObjectIndex::keep_in_memory(const std::shared_ptr<Fill>& fill) {
  const auto bytes = fill->received();
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(*fill);
  if (!entry) return;
  --totals_.fills;
  if (bytes > max_memory_bytes_) {
    entries_.erase(fill->key().id);
    return;
  }
  entry->is = std::make_unique<InMemory>(InMemory{fill, bytes});
  in_memory_.push_back(fill->key().id);
  memory_bytes_ += bytes;
  ++totals_.memory_objects;
  drop_old_memory();
}

void ObjectIndex::drop_old_memory() {
  while (memory_bytes_ > max_memory_bytes_ && !in_memory_.empty()) {
    const auto found = entries_.find(in_memory_.front());
    in_memory_.pop_front();
    const auto* memory = found == entries_.end() ? nullptr : std::get_if<std::unique_ptr<InMemory>>(&found->second.is);
    if (!memory) continue;
    memory_bytes_ -= (*memory)->bytes;
    --totals_.memory_objects;
    entries_.erase(found);
  }
}

void ObjectIndex::abandon(const Fill& fill) {
  const std::lock_guard lock(mutex_);
  if (!entry_of(fill)) return;
  --totals_.fills;
  entries_.erase(fill.key().id);
}

void ObjectIndex::abandon(const Fill& fill, FillFailure failure, base::SteadyTime until) {
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(fill);
  if (!entry) return;
  --totals_.fills;
  entry->is = std::make_unique<Failure>(Failure{std::move(failure), until});
  failures_.emplace_back(until, fill.key().id);
  // A failure is remembered for a second at most, so those in front are over when newer ones come.
  forget_failures(until - std::chrono::seconds(1));
}

void ObjectIndex::forget_failures(base::SteadyTime now) {
  while (!failures_.empty() && (failures_.front().first <= now || failures_.size() > kMaxFailures)) {
    const auto found = entries_.find(failures_.front().second);
    const auto until = failures_.front().first;
    failures_.pop_front();
    if (found == entries_.end()) continue;
    const auto* failure = std::get_if<std::unique_ptr<Failure>>(&found->second.is);
    if (failure && (*failure)->until <= until) entries_.erase(found);
  }
}

void ObjectIndex::restore(ObjectPtr object) {
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = entries_.try_emplace(object->id);
  if (!is_new) return;
  ++totals_.objects;
  totals_.bytes += object->size;
  at->second.is = std::move(object);
  sieve_.add(at->second);
}

void ObjectIndex::take_out(const ObjectPtr& object) {
  const auto found = entries_.find(object->id);
  sieve_.remove(found->second);
  entries_.erase(found);
  --totals_.objects;
  totals_.bytes -= object->size;
}

bool ObjectIndex::drop(const ObjectPtr& object) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(object->id);
  if (found == entries_.end()) return false;
  const auto* stored = std::get_if<ObjectPtr>(&found->second.is);
  if (!stored || *stored != object) return false;
  take_out(object);
  return true;
}

void ObjectIndex::evict_above(std::uint64_t bytes, std::vector<ObjectPtr>& evicted) {
  // One reference is the index's own; every other is a reader's.
  const auto in_use = [](const SieveLink& link) {
    return std::get<ObjectPtr>(static_cast<const Entry&>(link).is).use_count() > 1;
  };
  while (totals_.bytes > bytes) {
    auto* link = sieve_.candidate(in_use, kMaxMarksTaken);
    if (!link) return;
    evicted.push_back(std::get<ObjectPtr>(static_cast<Entry&>(*link).is));
    take_out(evicted.back());
  }
}

std::vector<ObjectPtr> ObjectIndex::make_room(std::uint64_t bytes) {
  std::vector<ObjectPtr> evicted;
  const std::lock_guard lock(mutex_);
  evict_above(totals_.bytes > bytes ? totals_.bytes - bytes : 0, evicted);
  return evicted;
}

std::vector<ObjectPtr> ObjectIndex::set_max_bytes(std::uint64_t bytes) {
  std::vector<ObjectPtr> evicted;
  const std::lock_guard lock(mutex_);
  max_bytes_ = bytes;
  evict_above(max_bytes_, evicted);
  return evicted;
}

bool ObjectIndex::knows(const ObjectId& id, std::uint32_t generation) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return false;
  if (const auto* object = std::get_if<ObjectPtr>(&found->second.is)) return (*object)->generation == generation;
  if (const auto* fill = std::get_if<std::shared_ptr<Fill>>(&found->second.is)) return (*fill)->generation() == generation;
  return false;
}

ObjectIndex::Totals ObjectIndex::totals() const {
  const std::lock_guard lock(mutex_);
  auto totals = totals_;
  totals.max_bytes = max_bytes_;
  return totals;
}

}  // namespace tribune::cache_node
