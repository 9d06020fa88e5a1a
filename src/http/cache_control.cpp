#include "http/cache_control.h"

#include <algorithm>
#include <array>

#include "http/uri_bytes.h"

namespace tribune::http {
namespace {

constexpr CacheControl::Seconds kMaxDeltaSeconds{std::int64_t{1} << 31};

struct Directive {
  std::string name;  // lower case
  std::optional<std::string> value;
};

bool is_token_byte(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// Walks the list of directives. A member that is no directive is kept as text.
class DirectiveReader {
 public:
  explicit DirectiveReader(std::string_view text) : rest_(text) {}

  std::optional<Directive> next() {
    while (!rest_.empty()) {
      skip(" \t,");
      const auto member = rest_;
      Directive directive{take_token(), std::nullopt};
      skip(" \t");
      if (!directive.name.empty() && rest_.starts_with('=')) {
        rest_.remove_prefix(1);
        skip(" \t");
        directive.value = rest_.starts_with('"') ? take_quoted() : take_token_as_written();
        skip(" \t");
      }
      const bool ends_well = rest_.empty() || rest_.front() == ',';
      skip_to_comma();
      if (!directive.name.empty() && ends_well && !is_unclosed_) return directive;
      malformed_.append(member.substr(0, member.size() - rest_.size())).append(",");
    }
    return std::nullopt;
  }

  /// The members so far that are no directives, each with a comma.
  const std::string& malformed() const { return malformed_; }

 private:
  void skip(std::string_view bytes) { rest_.remove_prefix(std::min(rest_.find_first_not_of(bytes), rest_.size())); }

  std::string take_token() {
    std::string token;
    while (!rest_.empty() && is_token_byte(rest_.front())) {
      token += to_lower(rest_.front());
      rest_.remove_prefix(1);
    }
    return token;
  }

  std::string take_token_as_written() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_token_byte);
    std::string value(rest_.begin(), end);
    rest_.remove_prefix(value.size());
    return value;
  }

  std::string take_quoted() {
    std::string value;
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return value;
      if (c == '\\' && !rest_.empty()) {
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      value += c;
    }
    is_unclosed_ = true;
    return value;
  }

  /// A comma inside quotes is not a separator.
  void skip_to_comma() {
    while (!rest_.empty() && rest_.front() != ',') {
      if (rest_.front() == '"') {
        take_quoted();
      } else {
        rest_.remove_prefix(1);
      }
    }
  }

  std::string_view rest_;
  std::string malformed_;
  bool is_unclosed_ = false;  // a quoted string lasts to the end of the field
};

CacheControl::Seconds delta_seconds(const std::optional<std::string>& value) {
  if (!value || value->empty() || !std::all_of(value->begin(), value->end(), is_digit)) return CacheControl::Seconds{0};
  CacheControl::Seconds total{0};
  for (const char c : *value) total = std::min(kMaxDeltaSeconds, total * 10 + CacheControl::Seconds{c - '0'});
  return total;
}

std::vector<std::string> field_names(std::string_view list) {
  std::vector<std::string> names;
  std::string name;
  for (const char c : list) {
    if (is_token_byte(c)) {
      name += to_lower(c);
    } else if (!name.empty()) {
      names.push_back(std::move(name));
      name.clear();
    }
  }
  if (!name.empty()) names.push_back(std::move(name));
  return names;
}

struct TimeDirective {
  std::string_view name;
  std::optional<CacheControl::Seconds> CacheControl::*member;
};
constexpr std::array kTimes{TimeDirective{"max-age", &CacheControl::max_age},
                            TimeDirective{"s-maxage", &CacheControl::s_maxage},
                            TimeDirective{"min-fresh", &CacheControl::min_fresh},
                            TimeDirective{"max-stale", &CacheControl::max_stale},
                            TimeDirective{"stale-while-revalidate", &CacheControl::stale_while_revalidate},
                            TimeDirective{"stale-if-error", &CacheControl::stale_if_error}};

struct FlagDirective {
  std::string_view name;
  bool CacheControl::*member;
};
constexpr std::array kFlags{FlagDirective{"no-store", &CacheControl::no_store},
                            FlagDirective{"no-transform", &CacheControl::no_transform},
                            FlagDirective{"only-if-cached", &CacheControl::only_if_cached},
                            FlagDirective{"must-revalidate", &CacheControl::must_revalidate},
                            FlagDirective{"proxy-revalidate", &CacheControl::proxy_revalidate},
                            FlagDirective{"must-understand", &CacheControl::must_understand},
                            FlagDirective{"public", &CacheControl::is_public},
                            FlagDirective{"immutable", &CacheControl::immutable}};

struct FieldDirective {
  std::string_view name;
  bool CacheControl::*whole;
  std::vector<std::string> CacheControl::*fields;
};
constexpr std::array kFieldLists{FieldDirective{"no-cache", &CacheControl::no_cache, &CacheControl::no_cache_fields},
                                 FieldDirective{"private", &CacheControl::is_private, &CacheControl::private_fields}};

/// Directives that forbid something. They count in malformed text, too: a mistake of its author must not publish what
/// it was meant to withhold.
constexpr std::array kRestrictions{FlagDirective{"no-store", &CacheControl::no_store},
                                   FlagDirective{"private", &CacheControl::is_private},
                                   FlagDirective{"no-cache", &CacheControl::no_cache},
                                   FlagDirective{"must-revalidate", &CacheControl::must_revalidate},
                                   FlagDirective{"proxy-revalidate", &CacheControl::proxy_revalidate}};

void apply_malformed(std::string_view text, CacheControl& result) {
  for (const auto& word : field_names(text))
    for (const auto& [name, member] : kRestrictions)
      if (name == word) result.*member = true;
}

void apply(const Directive& directive, CacheControl& result) {
  for (const auto& [name, member] : kTimes) {
    if (name != directive.name || result.*member) continue;
    const bool any_age = name == "max-stale" && !directive.value;
    result.*member = any_age ? CacheControl::Seconds::max() : delta_seconds(directive.value);
  }
  for (const auto& [name, member] : kFlags) {
    if (name == directive.name) result.*member = true;
  }
  for (const auto& [name, whole, fields] : kFieldLists) {
    if (name != directive.name) continue;
    auto names = field_names(directive.value.value_or(""));
    // An empty list counts as the stricter, unqualified form.
    if (names.empty()) result.*whole = true;
    for (auto& field : names) (result.*fields).push_back(std::move(field));
  }
}

}  // namespace

CacheControl parse_cache_control(std::string_view value) {
  CacheControl result;
  DirectiveReader reader(value);
  while (const auto directive = reader.next()) apply(*directive, result);
  apply_malformed(reader.malformed(), result);
  return result;
}

CacheControl cache_control_of(const Headers& headers) {
  return parse_cache_control(headers.joined("Cache-Control").value_or(""));
}

}  // namespace tribune::http
