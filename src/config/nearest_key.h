#pragma once
// Finds the known key that is nearest to a misspelt one. Pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tribune::config {

/// Insertions, deletions, substitutions and swaps of neighbours that lead from one word to the other (optimal string
/// alignment). Ignores case.
std::size_t edit_distance(std::string_view from, std::string_view to);

/// The nearest of `known`, the first one when several are equally near; nullopt when none is near enough to be a
/// misspelling (more than a third of the longer word differs).
std::optional<std::string> nearest_key(std::string_view key, const std::vector<std::string>& known);

/// "is not a known key; did you mean …?", or the list of known keys.
std::string unknown_key_text(std::string_view key, const std::vector<std::string>& known);

}  // namespace tribune::config
