#include "http/router.h"

#include <algorithm>
#include <array>

namespace tribune::http {
namespace {

/// In order of preference: the most specific first.
enum class Piece { literal, prefixed, name, rest };

struct PatternSegment {
  Piece piece;
  std::string text;  // the literal, or the literal prefix
  std::string name;
};

/// Patterns have fewer segments; a longer path matches only a `{name...}`, which takes the rest as one.
constexpr std::size_t kMaxSegments = 16;

/// A path split at its slashes, without allocating.
struct CutPath {
  std::array<std::string_view, kMaxSegments> segments;
  std::size_t count = 0;
  bool overflowed = false;
};

CutPath cut(std::string_view path) {
  CutPath result;
  path.remove_prefix(1);
  while (true) {
    if (result.count == kMaxSegments) {
      result.overflowed = true;
      return result;
    }
    const auto slash = path.find('/');
    result.segments[result.count++] = path.substr(0, slash);
    if (slash == std::string_view::npos) return result;
    path.remove_prefix(slash + 1);
  }
}

PatternSegment compile_segment(std::string_view segment) {
  const auto open = segment.find('{');
  if (open == std::string_view::npos || segment.back() != '}') return {Piece::literal, std::string(segment), {}};
  auto name = segment.substr(open + 1, segment.size() - open - 2);
  if (open == 0 && name.ends_with("...")) {
    name.remove_suffix(3);
    return {Piece::rest, {}, std::string(name)};
  }
  return {open == 0 ? Piece::name : Piece::prefixed, std::string(segment.substr(0, open)), std::string(name)};
}

bool matches(const PatternSegment& expected, std::string_view segment) {
  switch (expected.piece) {
    case Piece::literal: return segment == expected.text;
    case Piece::prefixed: return segment.size() > expected.text.size() && segment.starts_with(expected.text);
    case Piece::name: return !segment.empty();
    case Piece::rest: return !segment.empty();
  }
  return false;
}

bool is_more_literal(const PatternSegment& a, const PatternSegment& b) {
  if (a.piece != b.piece) return a.piece < b.piece;
  return a.piece == Piece::prefixed && a.text.size() > b.text.size();
}

constexpr std::array kAllMethods{Method::get, Method::head,  Method::options, Method::post,
                                 Method::put, Method::patch, Method::del};

unsigned bit(Method method) { return 1U << static_cast<unsigned>(method); }

std::string allow_list(unsigned methods) {
  std::string text;
  for (const auto method : kAllMethods) {
    if ((methods & bit(method)) == 0) continue;
    if (!text.empty()) text += ", ";
    text += to_string(method);
  }
  return text;
}

}  // namespace

struct Router::Pattern {
  std::vector<PatternSegment> segments;
  unsigned methods = 0;
  std::size_t route = 0;

  bool has_rest() const { return segments.back().piece == Piece::rest; }

  bool is_met_by(const CutPath& path) const {
    const bool fits = has_rest() ? path.count >= segments.size() : path.count == segments.size() && !path.overflowed;
    if (!fits) return false;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (!matches(segments[i], path.segments[i])) return false;
    }
    return true;
  }

  bool precedes(const Pattern& other) const {
    const auto common = std::min(segments.size(), other.segments.size());
    for (std::size_t i = 0; i < common; ++i) {
      if (is_more_literal(segments[i], other.segments[i])) return true;
      if (is_more_literal(other.segments[i], segments[i])) return false;
    }
    return false;
  }

  PathParameters parameters(const CutPath& cut_path, std::string_view path) const {
    PathParameters result;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const auto& segment = segments[i];
      auto value = cut_path.segments[i];
      if (segment.piece == Piece::literal) continue;
      if (segment.piece == Piece::prefixed) value.remove_prefix(segment.text.size());
      if (segment.piece == Piece::rest) value = path.substr(static_cast<std::size_t>(value.data() - path.data()));
      if (result.values.empty()) result.values.reserve(segments.size() - i);
      result.values.emplace_back(segment.name, value);
    }
    return result;
  }
};

std::string_view PathParameters::operator[](std::string_view name) const {
  for (const auto& [known, value] : values) {
    if (known == name) return value;
  }
  return {};
}

Router::Router() = default;
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(std::vector<Method> methods, std::string_view pattern, std::size_t route) {
  Pattern added;
  for (const auto method : methods) added.methods |= bit(method);
  if ((added.methods & bit(Method::get)) != 0) added.methods |= bit(Method::head);
  added.route = route;
  if (pattern.starts_with('/')) pattern.remove_prefix(1);
  while (true) {
    const auto slash = pattern.find('/');
    added.segments.push_back(compile_segment(pattern.substr(0, slash)));
    if (slash == std::string_view::npos) break;
    pattern.remove_prefix(slash + 1);
  }
  // Sorted by preference, so that the first match is the result.
  const auto after =
      std::find_if(patterns_.begin(), patterns_.end(), [&](const Pattern& p) { return added.precedes(p); });
  patterns_.insert(after, std::move(added));
}

Router::Outcome Router::match(Method method, std::string_view path) const {
  if (!path.starts_with('/')) return NotFound{};
  const auto cut_path = cut(path);
  unsigned others = 0;
  for (const auto& pattern : patterns_) {
    if (!pattern.is_met_by(cut_path)) continue;
    if ((pattern.methods & bit(method)) != 0) return Match{pattern.route, pattern.parameters(cut_path, path)};
    others |= pattern.methods;
  }
  if (others == 0) return NotFound{};
  return MethodNotAllowed{allow_list(others | bit(Method::options))};
}

}  // namespace tribune::http
