#include "config/nearest_key.h"

#include <algorithm>

namespace tribune::config {
namespace {

constexpr std::size_t kLongestKey = 64;  // longer keys are not misspellings; bounds the table

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::vector<std::size_t>> cost(from.size() + 1, std::vector<std::size_t>(to.size() + 1));
  for (std::size_t i = 0; i <= from.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= to.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const char a = lower(from[i - 1]);
      const char b = lower(to[j - 1]);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a == b ? 0 : 1)});
      if (i > 1 && j > 1 && a == lower(to[j - 2]) && lower(from[i - 2]) == b)
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[from.size()][to.size()];
}

std::optional<std::string> nearest_key(std::string_view key, const std::vector<std::string>& known) {
  if (key.size() > kLongestKey) return std::nullopt;
  std::optional<std::string> nearest;
  std::size_t least = 0;
  for (const auto& candidate : known) {
    const auto distance = edit_distance(key, candidate);
    const auto allowed = std::max<std::size_t>(1, std::max(key.size(), candidate.size()) / 3);
    if (distance > allowed || (nearest && distance >= least)) continue;
    nearest = candidate;
    least = distance;
  }
  return nearest;
}

std::string unknown_key_text(std::string_view key, const std::vector<std::string>& known) {
  std::string text = "is not a known key; ";
  if (const auto nearest = nearest_key(key, known)) return text + "did you mean \"" + *nearest + "\"?";
  if (known.empty()) return text + "no keys are allowed here";
  text += "known keys: ";
  for (const auto& name : known) text += (&name == &known.front() ? "" : ", ") + name;
  return text;
}

}  // namespace tribune::config
