#pragma once
// How long an object is used before it is revalidated, by the pattern of its path. Pure functions.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace tribune::cache_node {

/// The retention of an object: that of the first rule that matches its path. The operator's rules precede the
/// built-in ones.
struct Retention {
  enum class By {
    life,    // it never changes: used for as long as links to it are valid
    time,    // used for `time`, then revalidated; 0: revalidated on each request
    origin,  // strictly as the origin's header fields say (RFC 9111)
    listed,  // no rule: as the fields say, but at least while a playlist may list it; without such fields forever
  };
  By by = By::listed;
  std::chrono::seconds time{0};
  /// Whether the origin's header fields count.
  bool asks_origin() const { return by == By::origin || by == By::listed; }
  bool operator==(const Retention&) const = default;
};

struct RetentionRule {
  std::string pattern;  // matches "{channel}/{path}"; * stands for any run of bytes, slashes included
  Retention retention;
};
using RetentionRules = std::vector<RetentionRule>;

/// "demo/*.key demo/*.pem 10min": patterns and a time in whole seconds of at most a year, or "life", or "origin". One
/// rule per pattern; no rule for any other text.
RetentionRules parse_keep_rules(std::string_view text);

/// Playlists are revalidated on each request. Segments, init sections and keys, recognised by the suffixes that
/// packagers use, never change.
const RetentionRules& built_in_keep_rules();

/// Whether "{channel}/{path}" fits the pattern.
bool fits_path(std::string_view pattern, std::string_view channel, std::string_view path);

Retention retention_of(const RetentionRules&, std::string_view channel, std::string_view path);

}  // namespace tribune::cache_node
