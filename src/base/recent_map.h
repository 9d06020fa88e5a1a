#pragma once
// A hash map that knows in which order its entries were used, for tables that give up what was not used for longest.
// Owned by whoever guards it: no lock inside.

#include <cstddef>
#include <functional>
#include <iterator>
#include <list>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace tribune::base {

/// References to values stay good until their entry goes. A key is kept twice; it should be small.
template <typename Key, typename Value, typename Hash = std::hash<Key>>
class RecentMap {
 public:
  using Entry = std::pair<const Key, Value>;
  using Entries = std::list<Entry>;

  /// Null when there is none; what is found becomes the newest.
  Value* find(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.end(), entries_, found->second);
    return &found->second->second;
  }
  /// Null when there is none; the order stays.
  Value* peek(const Key& key) {
    const auto found = places_.find(key);
    return found == places_.end() ? nullptr : &found->second->second;
  }
  const Value* peek(const Key& key) const {
    const auto found = places_.find(key);
    return found == places_.end() ? nullptr : &found->second->second;
  }
  /// The value of that key, made of `parts` when it is new; it becomes the newest.
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
  /// What was not used for longest; null when it is empty.
  const Entry* oldest() const { return entries_.empty() ? nullptr : &entries_.front(); }
  Entry* oldest() { return entries_.empty() ? nullptr : &entries_.front(); }
  /// Erases what `is_to_go(key, value)` says.
  template <typename Predicate>
  void erase_if(Predicate is_to_go) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      if (!is_to_go(entry->first, entry->second)) {
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
