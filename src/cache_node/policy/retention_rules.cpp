#include "cache_node/policy/retention_rules.h"

#include <optional>

#include "config/units.h"

namespace tribune::cache_node {
namespace {

constexpr std::chrono::hours kLongest{24 * 366};

bool fits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::optional<std::size_t> star;  // the last * in the pattern, and the text position that it has matched up to
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

/// "*.ts": a suffix pattern is compared directly, so that a long list of them stays cheap per request.
bool is_suffix(std::string_view pattern) {
  return pattern.starts_with('*') && pattern.find_first_of("*/", 1) == std::string_view::npos;
}

std::optional<Retention> parse_retention(std::string_view text) {
  if (text == "life") return Retention{Retention::By::life, {}};
  if (text == "origin") return Retention{Retention::By::origin, {}};
  const auto time = config::parse_duration(text);
  if (!time || *time > kLongest || time->count() % 1000 != 0) return std::nullopt;
  return Retention{Retention::By::time, std::chrono::duration_cast<std::chrono::seconds>(*time)};
}

}  // namespace

RetentionRules parse_keep_rules(std::string_view text) {
  const auto last = text.rfind(' ');
  if (last == std::string_view::npos) return {};
  const auto retention = parse_retention(text.substr(last + 1));
  RetentionRules rules;
  for (std::size_t begin = 0; retention && begin <= last;) {
    const auto end = text.find(' ', begin);
    if (end == begin) return {};
    rules.push_back({std::string(text.substr(begin, end - begin)), *retention});
    begin = end + 1;
  }
  return rules;
}

const RetentionRules& built_in_keep_rules() {
  static const RetentionRules rules = [] {
    auto made = parse_keep_rules("*.m3u8 0s");
    const auto never_change = parse_keep_rules(
        "*.ts *.m4s *.mp4 *.m4v *.m4a *.cmfv *.cmfa *.cmft *.aac *.ac3 *.ec3 *.mp3 *.vtt *.webvtt *.key life");
    made.insert(made.end(), never_change.begin(), never_change.end());
    return made;
  }();
  return rules;
}

bool fits_path(std::string_view pattern, std::string_view channel, std::string_view path) {
  if (is_suffix(pattern)) return path.ends_with(pattern.substr(1));
  return fits(pattern, std::string(channel).append("/").append(path));
}

Retention retention_of(const RetentionRules& rules, std::string_view channel, std::string_view path) {
  std::string text;  // made when a pattern needs more than the path's suffix
  for (const auto& rule : rules) {
    if (is_suffix(rule.pattern)) {
      if (path.ends_with(std::string_view(rule.pattern).substr(1))) return rule.retention;
      continue;
    }
    if (text.empty()) text.append(channel).append("/").append(path);
    if (fits(rule.pattern, text)) return rule.retention;
  }
  return {};
}

}  // namespace tribune::cache_node
