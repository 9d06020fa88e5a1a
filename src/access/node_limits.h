#pragma once
// Cache nodes and their groups by id, with their limits. The caller passes the nodes that a viewer may use, in their
// order.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tribune::access {

struct Scope;

/// A node and its group by their ids. An empty id means that it is not known or does not exist.
struct NodeRef {
  std::string_view group{}, node{};
  bool operator==(const NodeRef&) const = default;
};

/// Which groups and nodes have a limit, and which have no capacity now. Immutable; a hint for the selection of a node:
/// decide() and move() check again, under their lock.
struct NodeLimits {
  using Ids = std::set<std::string, std::less<>>;
  Ids limited_groups, limited_nodes, full_groups, full_nodes;

  bool is_limited(const NodeRef& node) const {
    return limited_groups.contains(node.group) || limited_nodes.contains(node.node);
  }
  bool is_full(const NodeRef& node) const { return full_groups.contains(node.group) || full_nodes.contains(node.node); }
  bool empty() const { return limited_groups.empty() && limited_nodes.empty(); }
  bool operator==(const NodeLimits&) const = default;
};

/// Nodes of a visitor beyond this number are ignored.
inline constexpr std::size_t kMaxNodeChoices = 256;
/// Lists of several nodes beyond this number are not stored.
inline constexpr std::size_t kMaxNodeLists = 10'000;

/// The scopes of a node; null where it is not known.
struct NodeScopes {
  Scope* group = nullptr;
  Scope* node = nullptr;
  bool operator==(const NodeScopes&) const = default;
  auto operator<=>(const NodeScopes&) const = default;
};

/// Nodes in the order of preference; never empty.
using NodeScopesList = std::vector<NodeScopes>;

/// Numbers for lists of nodes, so that a ticket names its list in four bytes: many tickets share a list. Owned by its
/// Admission, under whose lock it is used.
class NodeListIndex {
 public:
  NodeListIndex() { clear(); }

  /// Beyond kMaxNodeLists a new list is reduced to its first node, or to 0, the list of one unknown node.
  std::uint32_t number(const NodeScopesList&);
  const NodeScopesList& at(std::uint32_t number) const { return *lists_[number < lists_.size() ? number : 0]; }
  std::size_t size() const { return lists_.size(); }
  /// Call only while no ticket has a number.
  void clear();

 private:
  std::map<NodeScopesList, std::uint32_t> numbers_;
  std::vector<const NodeScopesList*> lists_;  // keys of the map
};

}  // namespace tribune::access
