#pragma once
// For how long an object is used before the origin is asked whether it changed, by the pattern of its path. Pure functions.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tribune::cache_node {

struct KeepRule {
  std::string pattern;           // of "{channel}/{path}"; * stands for any run of bytes, slashes included
  std::chrono::seconds time{0};  // 0: the origin is asked each time
};
using KeepRules = std::vector<KeepRule>;

/// "demo/*.key 10min": a pattern and a time in whole seconds, at most a year. Nothing for any other text.
std::optional<KeepRule> parse_keep_rule(std::string_view text);

/// What the first rule that fits says; nothing where none does: the object is used as it is for its whole life.
std::optional<std::chrono::seconds> keep_time(const KeepRules&, std::string_view channel, std::string_view path);

}  // namespace tribune::cache_node
