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
struct NodeRef {
  std::string_view group{}, node{};
  bool operator==(const NodeRef&) const = default;
};

/// Which groups and nodes have a limit, and which have no room at this moment. Immutable; a hint for who chooses a
/// node: decide() and move() look again, under their lock.
struct NodeLimits {
  using Ids = std::set<std::string, std::less<>>;
  Ids limited_groups, limited_nodes, full_groups, full_nodes;

  bool is_limited(const NodeRef& place) const {
    return limited_groups.contains(place.group) || limited_nodes.contains(place.node);
  }
  bool is_full(const NodeRef& place) const {
    return full_groups.contains(place.group) || full_nodes.contains(place.node);
  }
  bool empty() const { return limited_groups.empty() && limited_nodes.empty(); }
  bool operator==(const NodeLimits&) const = default;
};

/// No longer list of places is looked at.
inline constexpr std::size_t kMaxNodeChoices = 256;
/// Nor are more lists of several places told apart.
inline constexpr std::size_t kMaxNodeLists = 10'000;

/// The scopes of a place; null where it is not known.
struct NodeScopes {
  Scope* group = nullptr;
  Scope* node = nullptr;
  bool operator==(const NodeScopes&) const = default;
  auto operator<=>(const NodeScopes&) const = default;
};

/// Places in the order of preference; never empty.
using NodeScopesList = std::vector<NodeScopes>;

/// Numbers for lists of places, so that a ticket names its list in four bytes: many wait for the same places. Owned by
/// its Admission, under whose lock it is used.
class NodeListIndex {
 public:
  NodeListIndex() { clear(); }

  /// Beyond kMaxNodeLists a new one is known by its first place, or not at all: 0, the list of one unknown place.
  std::uint32_t number(const NodeScopesList&);
  const NodeScopesList& at(std::uint32_t number) const { return *lists_[number < lists_.size() ? number : 0]; }
  std::size_t size() const { return lists_.size(); }
  /// While no ticket has a number.
  void clear();

 private:
  std::map<NodeScopesList, std::uint32_t> numbers_;
  std::vector<const NodeScopesList*> lists_;  // keys of the map
};

}  // namespace tribune::access
