#include "http_cache/response_store.h"

#include <algorithm>
#include <string_view>

namespace tribune::http_cache {
namespace {

constexpr std::size_t kMaxVariants = 64;      // per URI, so that random request fields cannot make the search long
constexpr std::size_t kMaxVaries = 8;         // per URI: each costs a request a parse of its fields
constexpr std::uint64_t kSlotBytes = 512;     // estimate of maps, links and reference counts for one response
constexpr std::size_t kMaxSteps = 1'000'000;  // no response is exempt: readers keep an evicted one until they finish

std::uint64_t size_of(const std::string& key, const StoredResponse& response) {
  std::uint64_t bytes =
      kSlotBytes + key.size() + response.variant.size() + response.vary.size() + response.body.held_bytes();
  for (const auto& field : response.head.headers.all()) bytes += sizeof field + field.name.size() + field.value.size();
  return bytes;
}

/// A part that was requested before the whole arrived does not replace it.
bool is_part_of(const StoredResponse& part, const StoredResponse& whole) {
  return part.part && !whole.part &&
         http::etags_match_strongly(part.head.headers.first("ETag").value_or(""),
                                    whole.head.headers.first("ETag").value_or(""));
}

}  // namespace

ResponseStore::~ResponseStore() = default;

ResponseStore::Found ResponseStore::find(const std::string& key, RequestVariants& request) {
  // The fields of the request are parsed without the lock. Each round but the last computes the key of one Vary.
  for (std::string unknown;; unknown.clear()) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = uris_.find(key);
      if (found == uris_.end()) return {};
      auto response = select(found->second, request, unknown);
      if (unknown.empty()) return {response, response ? nullptr : found->second.front()->response};
    }
    request.compute(unknown);
  }
}

StoredResponsePtr ResponseStore::select(const Slots& slots, const RequestVariants& request,
                                        std::string& unknown) const {
  for (const auto& slot : slots) {
    const auto selected = request.select(*slot->response);
    if (!selected) {
      unknown = slot->response->vary;
      return nullptr;
    }
    if (!*selected) continue;
    slot->marked = true;
    return slot->response;
  }
  return nullptr;
}

std::uint32_t ResponseStore::generation(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return generations_[generation_of(key)];
}

void ResponseStore::put(const std::string& key, StoredResponsePtr response, std::uint32_t generation) {
  std::vector<StoredResponsePtr> removed;
  const std::lock_guard lock(mutex_);
  if (generations_[generation_of(key)] != generation) return;
  const auto at = uris_.try_emplace(key).first;
  auto& slots = at->second;
  const auto is_same_variant = [&](const auto& slot) { return slot->response->variant == response->variant; };
  const auto former = std::find_if(slots.begin(), slots.end(), is_same_variant);
  if (former != slots.end() && is_part_of(*response, *(*former)->response)) return;
  for (std::size_t i = slots.size(); i-- > 0;)
    if (is_same_variant(slots[i])) remove(slots, i, removed);
  std::vector<std::string_view> varies{response->vary};
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto& vary = slots[i]->response->vary;
    if (std::find(varies.begin(), varies.end(), vary) == varies.end()) varies.push_back(vary);
    if (varies.size() <= kMaxVaries) continue;
    varies.pop_back();
    remove(slots, i--, removed);
  }
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
  ++generations_[generation_of(key)];
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
