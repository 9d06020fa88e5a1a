#include "access/node_limits.h"

namespace tribune::access {
namespace {

constexpr std::size_t kMaxSingles = 20'000;  // twice the number of nodes and groups that there may be

}  // namespace

std::uint32_t NodeListIndex::number(const NodeScopesList& list) {
  const auto found = numbers_.find(list);
  if (found != numbers_.end()) return found->second;
  const bool is_single = list.size() == 1;
  if (lists_.size() >= (is_single ? kMaxNodeLists + kMaxSingles : kMaxNodeLists))
    return is_single ? 0 : number({list.front()});
  const auto made = numbers_.emplace(list, static_cast<std::uint32_t>(lists_.size())).first;
  lists_.push_back(&made->first);
  return made->second;
}

void NodeListIndex::clear() {
  lists_.clear();
  numbers_.clear();
  number({NodeScopes{}});
}

}  // namespace tribune::access
