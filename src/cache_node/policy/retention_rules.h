#pragma once
// For how long an object is used before the origin is asked whether it changed, by the pattern of its path. Pure
// functions.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace tribune::cache_node {

/// What decides over an object. It is the first rule that fits its path; the operator's stand before the built-in ones.
struct Retention {
  enum class By {
    life,    // it never changes: used for as long as links to it live
    time,    // used for `time`, then the origin is asked; 0: each time
    origin,  // as the origin's header fields say, to the letter (RFC 9111)
    listed,  // no rule: as they say, but never for less than a playlist may list it; for ever where they say nothing
  };
  By by = By::listed;
  std::chrono::seconds time{0};
  /// Whether what the origin's fields say counts.
  bool asks_origin() const { return by == By::origin || by == By::listed; }
  bool operator==(const Retention&) const = default;
};

struct RetentionRule {
  std::string pattern;  // of "{channel}/{path}"; * stands for any run of bytes, slashes included
  Retention retention;
};
using RetentionRules = std::vector<RetentionRule>;

/// "demo/*.key demo/*.pem 10min": patterns and a time in whole seconds of at most a year, or "life", or "origin". A
/// rule for each pattern, nothing for any other text.
RetentionRules parse_keep_rules(std::string_view text);

/// Playlists are asked for each time; segments, init sections and keys, by the suffixes that packagers give them, never
/// change.
const RetentionRules& built_in_keep_rules();

/// Whether "{channel}/{path}" fits the pattern.
bool fits_path(std::string_view pattern, std::string_view channel, std::string_view path);

Retention retention_of(const RetentionRules&, std::string_view channel, std::string_view path);

}  // namespace tribune::cache_node
