#pragma once
// The rendered playlists that are kept so that equal viewers share one: of media snapshots, one for each list of pins,
// and of waiting rooms. Bounded by bytes over all of them; the least recently used gives way.
//
// An entry
//   made        by the first who asks; who asks meanwhile waits for it       (get)
//   kept        its bytes count                                              (get)
//   given up    there are too many bytes, or memory is scarce; counted       (get, configure, shrink)
//   forgotten   its owner is gone, or nobody asked for kForgetTextAfter      (forget, sweep)

#include <array>
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
#include "base/metrics.h"
#include "base/sharded.h"

namespace tribune::balancer {

inline constexpr std::chrono::minutes kForgetTextAfter{1};
/// Kept unless a setting says otherwise.
inline constexpr std::uint64_t kRenderedBytes = 256ull << 20;

/// Any thread; locks inside, for a look-up, and never while a text is made.
class RenderedPlaylists {
 public:
  using RenderedPtr = std::shared_ptr<const Rendered>;
  using Make = std::function<RenderedPtr()>;

  /// Both outlive it, and what is made of it. `most` bytes are kept.
  RenderedPlaylists(const base::Clock&, base::Metrics&, std::uint64_t most);
  ~RenderedPlaylists();

  /// Another bound, at once.
  void configure(std::uint64_t most);
  /// Gives up all but so many bytes.
  void shrink(std::uint64_t left);
  /// Forgets what nobody asked for lately. Every few seconds.
  void sweep();

  /// Whose entries stand together and go together. Ids are given once.
  std::uint64_t new_owner() { return next_owner_.fetch_add(1, std::memory_order_relaxed); }
  void forget(std::uint64_t owner);

  /// The owner's text for these pins, or of that name; `make` makes it, once for all who ask at the same time. Null
  /// when it could not: the next one who asks tries again.
  RenderedPtr get(std::uint64_t owner, const LinkPins&, const Make&);
  RenderedPtr get(std::uint64_t owner, std::string_view name, const Make&);

  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t most() const { return most_.load(std::memory_order_relaxed); }

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
  /// The text itself, which whoever waits for it shares.
  struct Making {
    std::once_flag once;
    RenderedPtr rendered;
  };
  struct Item {
    std::uint64_t owner = 0;
    const Key* key = nullptr;  // of the map
    std::shared_ptr<Making> making;
    std::uint64_t bytes = 0;  // 0: it is being made
    base::SteadyTime used{};
  };
  using Items = std::list<Item>;  // the newest last
  using Owned = std::unordered_map<Key, Items::iterator, Hash, Equal>;
  struct Shard {
    std::mutex mutex;
    Items items;
    std::unordered_map<std::uint64_t, Owned> owners;
    std::atomic<std::int64_t> oldest{kNothing};  // steady ns of the first item's last use
  };
  static constexpr std::int64_t kNothing = INT64_MAX;

  RenderedPtr get(std::uint64_t owner, const KeyView&, const Make&);
  Items::iterator find_or_add(Shard&, std::uint64_t owner,
                              const KeyView&);  // with the shard's mutex held, like the next three
  void count(Shard&, std::uint64_t owner, const KeyView&, const std::shared_ptr<Making>&, Items& dropped);
  void drop(Shard&, Items::iterator, Items& dropped);
  static void note_oldest(Shard&);
  Shard* shard_of_oldest();

  const base::Clock& clock_;
  base::Counter given_up_;
  base::Gauge kept_;
  std::atomic<std::uint64_t> most_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> next_owner_{1};
  base::Sharded<Shard, 16> shards_;
};

}  // namespace tribune::balancer
