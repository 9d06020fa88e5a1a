#include "cache_node/proxy/proxy_store.h"

#include <algorithm>

#include "http/vary.h"

namespace tribune::cache_node {
namespace {

constexpr std::size_t kMaxVariants = 64;      // of one URI: whoever sends random fields must not make the search long
constexpr std::uint64_t kSlotBytes = 512;     // of the maps, links and counts around one response
constexpr std::size_t kMaxSteps = 1'000'000;  // nothing is in use: what is taken out lives on with those who read it

std::uint64_t size_of(const std::string& key, const ProxyEntry& entry) {
  std::uint64_t bytes = kSlotBytes + key.size() + entry.variant.size() + (entry.body ? entry.body->size() : 0);
  for (const auto& field : entry.head.headers.all()) bytes += sizeof field + field.name.size() + field.value.size();
  return bytes;
}

}  // namespace

ProxyStore::~ProxyStore() = default;

ProxyEntryPtr ProxyStore::find(const std::string& key, const http::Headers& request, bool& others_exist) {
  const std::lock_guard lock(mutex_);
  others_exist = false;
  const auto found = uris_.find(key);
  if (found == uris_.end()) return nullptr;
  others_exist = true;
  for (const auto& slot : found->second) {
    const auto& entry = *slot->entry;
    if (http::variant_key(entry.head.headers, request) != entry.variant &&
        !http::prefers_stored_language(entry.head.headers, request))
      continue;
    slot->marked = true;
    return slot->entry;
  }
  return nullptr;
}

void ProxyStore::put(const std::string& key, ProxyEntryPtr entry) {
  std::vector<ProxyEntryPtr> gone;
  const std::lock_guard lock(mutex_);
  const auto at = uris_.try_emplace(key).first;
  auto& slots = at->second;
  for (std::size_t i = slots.size(); i-- > 0;)
    if (slots[i]->entry->variant == entry->variant) drop(slots, i, gone);
  if (slots.size() >= kMaxVariants) drop(slots, slots.size() - 1, gone);
  auto slot = std::make_unique<Slot>();
  slot->key = &at->first;
  slot->bytes = size_of(key, *entry);
  slot->entry = std::move(entry);
  totals_.bytes += slot->bytes;
  ++totals_.entries;
  sieve_.add(*slot);
  slots.insert(slots.begin(), std::move(slot));
  make_room(gone);
}

void ProxyStore::invalidate(const std::string& key) {
  std::vector<ProxyEntryPtr> gone;
  const std::lock_guard lock(mutex_);
  const auto found = uris_.find(key);
  if (found == uris_.end()) return;
  while (!found->second.empty()) drop(found->second, found->second.size() - 1, gone);
  uris_.erase(found);
}

void ProxyStore::set_max_bytes(std::uint64_t max_bytes) {
  std::vector<ProxyEntryPtr> gone;
  const std::lock_guard lock(mutex_);
  max_bytes_ = max_bytes;
  make_room(gone);
}

ProxyStore::Totals ProxyStore::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

bool ProxyStore::begin_renewal(const ProxyEntryPtr& entry) {
  const std::lock_guard lock(mutex_);
  return renewals_.insert(entry).second;
}

void ProxyStore::end_renewal(const ProxyEntryPtr& entry) {
  const std::lock_guard lock(mutex_);
  renewals_.erase(entry);
}

bool ProxyStore::take_room(std::uint64_t bytes, std::uint64_t bound) {
  if (filling_.fetch_add(bytes) + bytes <= bound) return true;
  filling_ -= bytes;
  return false;
}

void ProxyStore::drop(Slots& slots, std::size_t at, std::vector<ProxyEntryPtr>& gone) {
  auto& slot = *slots[at];
  sieve_.remove(slot);
  totals_.bytes -= slot.bytes;
  --totals_.entries;
  gone.push_back(std::move(slot.entry));
  slots.erase(slots.begin() + static_cast<std::ptrdiff_t>(at));
}

void ProxyStore::make_room(std::vector<ProxyEntryPtr>& gone) {
  const auto never = [](const base::SieveLink&) { return false; };
  while (totals_.bytes > max_bytes_) {
    auto* slot = static_cast<Slot*>(sieve_.candidate(never, never, kMaxSteps));
    if (!slot) return;
    const auto found = uris_.find(*slot->key);
    auto& slots = found->second;
    const auto at = std::find_if(slots.begin(), slots.end(), [&](const auto& held) { return held.get() == slot; });
    drop(slots, static_cast<std::size_t>(at - slots.begin()), gone);
    if (slots.empty()) uris_.erase(found);
  }
}

}  // namespace tribune::cache_node
