#pragma once
// A hash map in least-recently-used order, for tables that evict their oldest entries. Not synchronised: the owner
// locks.

#include <cstddef>
#include <functional>
#include <iterator>
#include <list>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace tribune::base {

/// References to values stay valid until their entry is erased. Keys are stored twice and should be small.
template <typename Key, typename Value, typename Hash = std::hash<Key>>
class RecentMap {
 public:
  using Entry = std::pair<const Key, Value>;
  using Entries = std::list<Entry>;

  /// Null when absent; a found entry becomes the newest.
  Value* find(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.end(), entries_, found->second);
    return &found->second->second;
  }
  /// Null when absent; the order does not change.
  Value* peek(const Key& key) {
    const auto found = places_.find(key);
    return found == places_.end() ? nullptr : &found->second->second;
  }
  const Value* peek(const Key& key) const {
    const auto found = places_.find(key);
    return found == places_.end() ? nullptr : &found->second->second;
  }
  /// The value of the key, constructed from `parts` when absent; it becomes the newest.
  template <typename... Parts>
  std::pair<Value&, bool> try_emplace(const Key& key, Parts&&... parts) {
    if (auto* known = find(key)) return {*known, false};
    Entries made;
    made.emplace_back(std::piecewise_construct, std::forward_as_tuple(key),
                      std::forward_as_tuple(std::forward<Parts>(parts)...));
    const auto newest = made.begin();
    places_.emplace(key, newest);
    entries_.splice(entries_.end(), made);
    return {newest->second, true};
  }
  bool erase(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return false;
    entries_.erase(found->second);
    places_.erase(found);
    return true;
  }
  /// The least recently used entry; null when the map is empty.
  const Entry* oldest() const { return entries_.empty() ? nullptr : &entries_.front(); }
  Entry* oldest() { return entries_.empty() ? nullptr : &entries_.front(); }
  /// Erases entries for which `must_erase(key, value)` is true.
  template <typename Predicate>
  void erase_if(Predicate must_erase) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      if (!must_erase(entry->first, entry->second)) {
        ++entry;
        continue;
      }
      places_.erase(entry->first);
      entry = entries_.erase(entry);
    }
  }
  void clear() {
    places_.clear();
    entries_.clear();
  }

  std::size_t size() const { return places_.size(); }
  bool empty() const { return places_.empty(); }
  /// Oldest first.
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  Entries entries_;  // the newest last
  std::unordered_map<Key, typename Entries::iterator, Hash> places_;
};

}  // namespace tribune::base
