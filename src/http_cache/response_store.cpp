#include "http_cache/response_store.h"

#include <algorithm>

#include "http/vary.h"

namespace tribune::http_cache {
namespace {

constexpr std::size_t kMaxVariants = 64;      // per URI, so that random request fields cannot make the search long
constexpr std::uint64_t kSlotBytes = 512;     // estimate of maps, links and reference counts for one response
constexpr std::size_t kMaxSteps = 1'000'000;  // no response is exempt: readers keep an evicted one until they finish

std::uint64_t size_of(const std::string& key, const StoredResponse& response) {
  std::uint64_t bytes = kSlotBytes + key.size() + response.variant.size() + (response.body ? response.body->size() : 0);
  for (const auto& field : response.head.headers.all()) bytes += sizeof field + field.name.size() + field.value.size();
  return bytes;
}

}  // namespace

ResponseStore::~ResponseStore() = default;

StoredResponsePtr ResponseStore::find(const std::string& key, const http::Headers& request, bool& others_exist) {
  const std::lock_guard lock(mutex_);
  others_exist = false;
  const auto found = uris_.find(key);
  if (found == uris_.end()) return nullptr;
  others_exist = true;
  for (const auto& slot : found->second) {
    const auto& response = *slot->response;
    if (http::variant_key(response.head.headers, request) != response.variant &&
        !http::prefers_stored_language(response.head.headers, request))
      continue;
    slot->marked = true;
    return slot->response;
  }
  return nullptr;
}

void ResponseStore::put(const std::string& key, StoredResponsePtr response) {
  std::vector<StoredResponsePtr> removed;
  const std::lock_guard lock(mutex_);
  const auto at = uris_.try_emplace(key).first;
  auto& slots = at->second;
  for (std::size_t i = slots.size(); i-- > 0;)
    if (slots[i]->response->variant == response->variant) remove(slots, i, removed);
  if (slots.size() >= kMaxVariants) remove(slots, slots.size() - 1, removed);
  auto slot = std::make_unique<Slot>();
  slot->key = &at->first;
  slot->bytes = size_of(key, *response);
  slot->response = std::move(response);
  totals_.bytes += slot->bytes;
  ++totals_.entries;
  sieve_.add(*slot);
  slots.insert(slots.begin(), std::move(slot));
  evict_to(max_bytes_, removed);
}

void ResponseStore::invalidate(const std::string& key) {
  std::vector<StoredResponsePtr> removed;
  const std::lock_guard lock(mutex_);
  const auto found = uris_.find(key);
  if (found == uris_.end()) return;
  while (!found->second.empty()) remove(found->second, found->second.size() - 1, removed);
  uris_.erase(found);
}

void ResponseStore::set_max_bytes(std::uint64_t max_bytes) {
  std::vector<StoredResponsePtr> removed;
  const std::lock_guard lock(mutex_);
  max_bytes_ = max_bytes;
  evict_to(max_bytes_, removed);
}

std::uint64_t ResponseStore::evict(std::uint64_t bytes) {
  std::vector<StoredResponsePtr> removed;
  const std::lock_guard lock(mutex_);
  const auto before = totals_.bytes;
  evict_to(before > bytes ? before - bytes : 0, removed);
  return before - totals_.bytes;
}

ResponseStore::Totals ResponseStore::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

std::uint64_t ResponseStore::max_bytes() const {
  const std::lock_guard lock(mutex_);
  return max_bytes_;
}

bool ResponseStore::begin_revalidation(const StoredResponsePtr& response) {
  const std::lock_guard lock(mutex_);
  return revalidations_.insert(response).second;
}

void ResponseStore::end_revalidation(const StoredResponsePtr& response) {
  const std::lock_guard lock(mutex_);
  revalidations_.erase(response);
}

bool ResponseStore::reserve_filling(std::uint64_t bytes, std::uint64_t bound) {
  if (filling_.fetch_add(bytes) + bytes <= bound) return true;
  filling_ -= bytes;
  return false;
}

void ResponseStore::remove(Slots& slots, std::size_t at, std::vector<StoredResponsePtr>& removed) {
  auto& slot = *slots[at];
  sieve_.remove(slot);
  totals_.bytes -= slot.bytes;
  --totals_.entries;
  removed.push_back(std::move(slot.response));
  slots.erase(slots.begin() + static_cast<std::ptrdiff_t>(at));
}

void ResponseStore::evict_to(std::uint64_t max_bytes, std::vector<StoredResponsePtr>& removed) {
  const auto never = [](const base::SieveLink&) { return false; };
  while (totals_.bytes > max_bytes) {
    auto* slot = static_cast<Slot*>(sieve_.candidate(never, never, kMaxSteps));
    if (!slot) return;
    const auto found = uris_.find(*slot->key);
    auto& slots = found->second;
    const auto at = std::find_if(slots.begin(), slots.end(), [&](const auto& held) { return held.get() == slot; });
    remove(slots, static_cast<std::size_t>(at - slots.begin()), removed);
    if (slots.empty()) uris_.erase(found);
  }
}

}  // namespace tribune::http_cache
