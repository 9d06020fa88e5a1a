#include "cache_node/keep_rules.h"

#include "config/units.h"

namespace tribune::cache_node {
namespace {

constexpr std::chrono::hours kLongest{24 * 366};

bool fits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::optional<std::size_t> star;   // the last * that was met, and how far the text had come: it may take one byte more
  std::size_t taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star) {
      p = *star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

std::optional<KeepRule> parse_keep_rule(std::string_view text) {
  const auto space = text.find(' ');
  if (space == 0 || space == std::string_view::npos) return std::nullopt;
  const auto time = config::parse_duration(text.substr(space + 1));
  if (!time || *time > kLongest || time->count() % 1000 != 0) return std::nullopt;
  return KeepRule{std::string(text.substr(0, space)), std::chrono::duration_cast<std::chrono::seconds>(*time)};
}

std::optional<std::chrono::seconds> keep_time(const KeepRules& rules, std::string_view channel, std::string_view path) {
  if (rules.empty()) return std::nullopt;
  std::string text;
  text.reserve(channel.size() + 1 + path.size());
  text.append(channel).append("/").append(path);
  for (const auto& rule : rules)
    if (fits(rule.pattern, text)) return rule.time;
  return std::nullopt;
}

}  // namespace tribune::cache_node
