#pragma once
// Where a viewer may watch: a cache node and its group. Access knows them by their ids alone; which of them a viewer
// may use, and in what order, is for whoever asks.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tribune::access {

struct Scope;

/// Either may be empty: not known, or none.
struct AccountPlace {
  std::string_view group{}, node{};
  bool operator==(const AccountPlace&) const = default;
};

/// Which groups and nodes have a limit, and which have no room at this moment. Immutable; a hint for who chooses a
/// node: decide() and move() look again, under their lock.
struct AccountSessionLimits {
  using Ids = std::set<std::string, std::less<>>;
  Ids limited_groups, limited_nodes, full_groups, full_nodes;

  bool is_limited(const AccountPlace& place) const {
    return limited_groups.contains(place.group) || limited_nodes.contains(place.node);
  }
  bool is_full(const AccountPlace& place) const {
    return full_groups.contains(place.group) || full_nodes.contains(place.node);
  }
  bool empty() const { return limited_groups.empty() && limited_nodes.empty(); }
  bool operator==(const AccountSessionLimits&) const = default;
};

/// No longer list of places is looked at.
inline constexpr std::size_t kMostPlaces = 256;
/// Nor are more lists of several places told apart.
inline constexpr std::size_t kMostLists = 10'000;

/// The scopes of a place; null where it is not known.
struct AccountSessionScopes {
  Scope* group = nullptr;
  Scope* node = nullptr;
  bool operator==(const AccountSessionScopes&) const = default;
  auto operator<=>(const AccountSessionScopes&) const = default;
};

/// Places in the order of preference; never empty.
using AccountSessionList = std::vector<AccountSessionScopes>;

/// Numbers for lists of places, so that a ticket names its list in four bytes: many wait for the same places. Owned by
/// its Admission, under whose lock it is used.
class AccountSessionLists {
 public:
  AccountSessionLists() { clear(); }

  /// Beyond kMostLists a new one is known by its first place, or not at all: 0, the list of one unknown place.
  std::uint32_t number(const AccountSessionList&);
  const AccountSessionList& at(std::uint32_t number) const { return *lists_[number < lists_.size() ? number : 0]; }
  std::size_t size() const { return lists_.size(); }
  /// While no ticket has a number.
  void clear();

 private:
  std::map<AccountSessionList, std::uint32_t> numbers_;
  std::vector<const AccountSessionList*> lists_;  // keys of the map
};

}  // namespace tribune::access
