// The end of a fill: an object, bytes in RAM, a failure, or the object that the fill would have replaced.
#include "cache_node/objects/object_index.h"

namespace tribune::cache_node {

namespace {
constexpr std::size_t kMaxFailures = 10'000;
}  // namespace

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

bool ObjectIndex::restore_replaced(Entry& entry) {
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
  // Evicts first, so that the new object is not the one to be evicted.
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
  trim_memory();
  memory_sieve_.add(*entry);
  return replaced;
}

bool ObjectIndex::abandon(const Fill& fill) {
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(fill);
  if (!entry) return false;
  end_fill(fill.key().id);
  if (restore_replaced(*entry)) return true;
  erase(*entry);
  return false;
}

bool ObjectIndex::abandon(const Fill& fill, FillFailure failure, base::SteadyTime until) {
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(fill);
  if (!entry) return false;
  const auto id = fill.key().id;
  end_fill(id);
  if (restore_replaced(*entry)) {
    serving_stale_[id] = until;
    return true;
  }
  entry->is = std::make_unique<Failure>(Failure{id, std::move(failure), until});
  failures_.emplace_back(until, id);
  // A failure is remembered for one second at most, so the front ones have ended when newer ones are added.
  forget_failures(until - std::chrono::seconds(1));
  return false;
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

ObjectPtr ObjectIndex::forget_previous(const Fill& fill) {
  const std::lock_guard lock(mutex_);
  return entry_of(fill) ? forget_replaced(fill.key().id) : nullptr;
}

ObjectPtr ObjectIndex::revalidated(const Fill& fill, std::int64_t now_unix, http::Terms terms) {
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(fill);
  if (!entry) return nullptr;
  end_fill(fill.key().id);
  if (!restore_replaced(*entry)) {
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
    object = object->with_head(head);  // readers keep the old one
  }
  object->stale = false;
  object->stored = static_cast<std::uint32_t>(now_unix);
  return object;
}

}  // namespace tribune::cache_node
