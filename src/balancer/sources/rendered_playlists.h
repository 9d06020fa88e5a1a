#pragma once
// The rendered playlists, cached so that equal viewers share one text: those of media snapshots, one for each list of
// pins, and those of waiting rooms. Bounded by the bytes of all of them; the least recently used is evicted.
//
// Lifetime of an entry
//   rendered   by the first caller; concurrent callers wait for it               (get)
//   cached     its bytes count                                                   (get)
//   evicted    there are too many bytes, or memory is scarce; counted            (get, configure, shrink)
//   removed    its owner is gone, or it was unused for kRenderedIdleLifetime     (forget, sweep)

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "balancer/sources/source_snapshot.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/sharded.h"

namespace tribune::balancer {

inline constexpr std::chrono::minutes kRenderedIdleLifetime{1};
/// The default bound.
inline constexpr std::uint64_t kRenderedBytes = 256ull << 20;

/// Any thread; locks inside, but never while a text is rendered.
class RenderedPlaylists {
 public:
  using RenderedPtr = std::shared_ptr<const Rendered>;
  using Render = std::function<RenderedPtr()>;

  /// Both outlive this object and its texts. At most `max_bytes` bytes are cached.
  RenderedPlaylists(const base::Clock&, base::Metrics&, std::uint64_t max_bytes);
  ~RenderedPlaylists();

  /// Applies another bound at once.
  void configure(std::uint64_t max_bytes);
  /// Evicts all but `left` bytes.
  void shrink(std::uint64_t left);
  /// Evicts half of the bytes when memory is scarce, and all when it is spent.
  void shrink_for(base::MemoryLevel);
  /// Removes entries that were unused for kRenderedIdleLifetime. Call it every few seconds.
  void sweep();

  /// The id of a new owner of entries. Ids are not reused.
  std::uint64_t new_owner() { return next_owner_.fetch_add(1, std::memory_order_relaxed); }
  void forget(std::uint64_t owner);

  /// The owner's text for these pins, or of that name. `render` makes it, once for all concurrent callers. Null when
  /// `render` returns null; the next call tries again.
  RenderedPtr get(std::uint64_t owner, const LinkPins&, const Render&);
  RenderedPtr get(std::uint64_t owner, std::string_view name, const Render&);

  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t max_bytes() const { return max_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Key {
    LinkPins pins;
    std::string name;
  };
  struct KeyView {
    const LinkPins* pins;
    std::string_view name;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const KeyView&) const;
    std::size_t operator()(const Key& key) const { return (*this)(KeyView{&key.pins, key.name}); }
  };
  struct Equal {
    using is_transparent = void;
    static bool same(const LinkPins& pins, std::string_view name, const KeyView& view) {
      return name == view.name && pins == *view.pins;
    }
    bool operator()(const KeyView& view, const Key& key) const { return same(key.pins, key.name, view); }
    bool operator()(const Key& key, const KeyView& view) const { return same(key.pins, key.name, view); }
    bool operator()(const Key& a, const Key& b) const { return a.name == b.name && a.pins == b.pins; }
  };
  /// A text that is being rendered, shared by the callers that wait for it.
  struct Build {
    std::once_flag once;
    RenderedPtr rendered;
  };
  struct Item {
    std::uint64_t owner = 0;
    const Key* key = nullptr;  // of the map
    std::shared_ptr<Build> build;
    std::uint64_t bytes = 0;  // 0: it is being rendered
    base::SteadyTime used{};
  };
  using Items = std::list<Item>;  // the most recently used last
  using Owned = std::unordered_map<Key, Items::iterator, Hash, Equal>;
  struct Shard {
    std::mutex mutex;
    Items items;
    std::unordered_map<std::uint64_t, Owned> owners;
    std::atomic<std::int64_t> oldest{kNothing};  // the first item's last use, in steady nanoseconds
  };
  static constexpr std::int64_t kNothing = INT64_MAX;

  RenderedPtr get(std::uint64_t owner, const KeyView&, const Render&);
  Items::iterator find_or_add(Shard&, std::uint64_t owner,
                              const KeyView&);  // with the shard's mutex held, as for the next three
  void count(Shard&, std::uint64_t owner, const KeyView&, const std::shared_ptr<Build>&, Items& dropped);
  void drop(Shard&, Items::iterator, Items& dropped);
  static void note_oldest(Shard&);
  Shard* shard_of_oldest();

  const base::Clock& clock_;
  base::Counter evicted_;
  base::Gauge bytes_gauge_;
  std::atomic<std::uint64_t> max_bytes_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> next_owner_{1};
  base::Sharded<Shard, 16> shards_;
};

}  // namespace tribune::balancer
