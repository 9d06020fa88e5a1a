#include "balancer/sources/rendered_playlists.h"
#include "base/hash.h"

#include <utility>

namespace tribune::balancer {
namespace {

/// The memory of an entry beside its text: list, maps, pins.
constexpr std::uint64_t kEntryBytes = 512;

std::uint64_t size_of(const Rendered& rendered, const LinkPins& pins) {
  return kEntryBytes + pins.size() * sizeof(LinkPin) + (rendered.body ? rendered.body->size() : 0) +
         (rendered.gzip ? rendered.gzip->size() : 0);
}

}  // namespace

std::size_t RenderedPlaylists::Hash::operator()(const KeyView& key) const {
  std::size_t hash = base::TextHash{}(key.name);
  for (const auto& pin : *key.pins) {
    hash = base::combined_hash(hash, static_cast<std::uint64_t>(pin.first_msn));
    hash = base::combined_hash(hash, base::TextHash{}(pin.node_url));
  }
  return hash;
}

RenderedPlaylists::RenderedPlaylists(const base::Clock& clock, base::Metrics& metrics, std::uint64_t max_bytes)
    : clock_(clock),
      evicted_(metrics.counter("tribune_balancer_rendered_given_up_total",
                               "Rendered playlists evicted because of their bound or scarce memory. The next request "
                               "renders the playlist again.")),
      bytes_gauge_(metrics.gauge("tribune_balancer_rendered_bytes",
                                 "Bytes of the rendered playlists in memory, compressed and uncompressed.")),
      max_bytes_(max_bytes) {}
RenderedPlaylists::~RenderedPlaylists() = default;

RenderedPlaylists::RenderedPtr RenderedPlaylists::get(std::uint64_t owner, const LinkPins& pins, const Render& render) {
  return get(owner, KeyView{&pins, {}}, render);
}

RenderedPlaylists::RenderedPtr RenderedPlaylists::get(std::uint64_t owner, std::string_view name,
                                                      const Render& render) {
  static const LinkPins kNoPins;
  return get(owner, KeyView{&kNoPins, name}, render);
}

RenderedPlaylists::RenderedPtr RenderedPlaylists::get(std::uint64_t owner, const KeyView& key, const Render& render) {
  auto& shard = shards_.of(owner);
  std::shared_ptr<Build> build;
  {
    const std::lock_guard lock(shard.mutex);
    const auto item = find_or_add(shard, owner, key);
    build = item->build;
  }
  bool is_mine = false;
  std::call_once(build->once, [&] {
    build->rendered = render();
    is_mine = true;
  });
  if (!is_mine) return build->rendered;
  Items dropped;
  {
    const std::lock_guard lock(shard.mutex);
    count(shard, owner, key, build, dropped);
  }
  if (bytes() > max_bytes()) shrink(max_bytes());
  return build->rendered;
}

RenderedPlaylists::Items::iterator RenderedPlaylists::find_or_add(Shard& shard, std::uint64_t owner,
                                                                  const KeyView& key) {
  auto& owned = shard.owners[owner];
  auto found = owned.find(key);
  if (found == owned.end()) {
    shard.items.push_back({owner, nullptr, std::make_shared<Build>(), 0, {}});
    found = owned.emplace(Key{*key.pins, std::string(key.name)}, std::prev(shard.items.end())).first;
    found->second->key = &found->first;
  }
  const auto item = found->second;
  item->used = clock_.steady_now();
  shard.items.splice(shard.items.end(), shard.items, item);
  note_oldest(shard);
  return item;
}

/// Counts the bytes of a rendered entry, unless it was evicted while it was rendered. Removes an entry that could not
/// be rendered.
void RenderedPlaylists::count(Shard& shard, std::uint64_t owner, const KeyView& key,
                              const std::shared_ptr<Build>& build, Items& dropped) {
  const auto owned = shard.owners.find(owner);
  if (owned == shard.owners.end()) return;
  const auto found = owned->second.find(key);
  if (found == owned->second.end() || found->second->build != build) return;
  if (!build->rendered) return drop(shard, found->second, dropped);
  found->second->bytes = size_of(*build->rendered, *key.pins);
  bytes_gauge_.set(static_cast<double>(bytes_ += found->second->bytes));
}

void RenderedPlaylists::drop(Shard& shard, Items::iterator item, Items& dropped) {
  bytes_ -= item->bytes;
  const auto owned = shard.owners.find(item->owner);
  owned->second.erase(owned->second.find(*item->key));
  if (owned->second.empty()) shard.owners.erase(owned);
  dropped.splice(dropped.end(), shard.items, item);
  note_oldest(shard);
}

void RenderedPlaylists::note_oldest(Shard& shard) {
  shard.oldest.store(shard.items.empty() ? kNothing : shard.items.front().used.time_since_epoch().count(),
                     std::memory_order_relaxed);
}

RenderedPlaylists::Shard* RenderedPlaylists::shard_of_oldest() {
  Shard* found = nullptr;
  auto oldest = kNothing;
  for (auto& shard : shards_) {
    const auto used = shard.oldest.load(std::memory_order_relaxed);
    if (used < oldest) {
      oldest = used;
      found = &shard;
    }
  }
  return found;
}

void RenderedPlaylists::configure(std::uint64_t max_bytes) {
  max_bytes_ = max_bytes;
  shrink(max_bytes);
}

void RenderedPlaylists::shrink(std::uint64_t left) {
  while (bytes() > left) {
    auto* shard = shard_of_oldest();
    if (!shard) break;
    Items dropped;  // destroyed outside the lock
    {
      const std::lock_guard lock(shard->mutex);
      if (shard->items.empty()) continue;
      if (shard->items.front().bytes > 0) evicted_.add();
      drop(*shard, shard->items.begin(), dropped);
    }
  }
  bytes_gauge_.set(static_cast<double>(bytes()));
}

void RenderedPlaylists::shrink_for(base::MemoryLevel level) {
  if (level != base::MemoryLevel::plenty) shrink(level == base::MemoryLevel::scarce ? bytes() / 2 : 0);
}

void RenderedPlaylists::sweep() {
  const auto now = clock_.steady_now();
  for (auto& shard : shards_) {
    Items dropped;
    const std::lock_guard lock(shard.mutex);
    while (!shard.items.empty() && now - shard.items.front().used >= kRenderedIdleLifetime)
      drop(shard, shard.items.begin(), dropped);
  }
  bytes_gauge_.set(static_cast<double>(bytes()));
}

void RenderedPlaylists::forget(std::uint64_t owner) {
  auto& shard = shards_.of(owner);
  Items dropped;
  Owned owned;
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.owners.find(owner);
  if (found == shard.owners.end()) return;
  owned = std::move(found->second);
  shard.owners.erase(found);
  for (const auto& [key, item] : owned) {
    bytes_ -= item->bytes;
    dropped.splice(dropped.end(), shard.items, item);
  }
  note_oldest(shard);
}

}  // namespace tribune::balancer
