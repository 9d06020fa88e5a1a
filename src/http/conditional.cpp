#include "http/conditional.h"

#include "http/date.h"

namespace tribune::http {
namespace {

std::string_view opaque_tag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  return etag;
}

/// Takes the next entity-tag off a list; nullopt at the end and at the first element that is not one.
std::optional<std::string_view> next_etag(std::string_view& list) {
  const auto begin = list.find_first_not_of(" \t,");
  if (begin == std::string_view::npos) return std::nullopt;
  list.remove_prefix(begin);
  const std::size_t quote = list.starts_with("W/") ? 2 : 0;
  if (quote >= list.size() || list[quote] != '"') return std::nullopt;
  const auto end = list.find('"', quote + 1);
  if (end == std::string_view::npos) return std::nullopt;
  const auto etag = list.substr(0, end + 1);
  list.remove_prefix(end + 1);
  return etag;
}

bool is_any(std::string_view list) {
  const auto begin = list.find_first_not_of(" \t");
  return begin != std::string_view::npos && list[begin] == '*' &&
         list.find_first_not_of(" \t", begin + 1) == std::string_view::npos;
}

bool list_holds(std::string_view list, std::string_view etag, bool (*match)(std::string_view, std::string_view)) {
  // "*" is true for every resource with a current representation (sections 13.1.1 and 13.1.2).
  if (is_any(list)) return true;
  while (const auto listed = next_etag(list)) {
    if (match(*listed, etag)) return true;
  }
  return false;
}

std::optional<base::WallTime> date_field(const Headers& request, std::string_view name) {
  const auto value = request.first(name);
  if (!value || request.count(name) != 1) return std::nullopt;
  return parse_date(*value);
}

/// HTTP dates have whole seconds; times of a file system may be finer.
base::WallTime whole_seconds(base::WallTime time) { return std::chrono::floor<std::chrono::seconds>(time); }

}  // namespace

bool etags_match_weakly(std::string_view a, std::string_view b) {
  return !a.empty() && !b.empty() && opaque_tag(a) == opaque_tag(b);
}

bool etags_match_strongly(std::string_view a, std::string_view b) {
  return !a.empty() && a == b && !a.starts_with("W/");
}

Precondition evaluate(const Headers& request, const Validators& validators) {
  if (const auto if_match = request.joined("If-Match")) {
    if (!list_holds(*if_match, validators.etag, etags_match_strongly)) return Precondition::failed;
  } else if (const auto unmodified_since = date_field(request, "If-Unmodified-Since");
             unmodified_since && validators.last_modified) {
    if (whole_seconds(*validators.last_modified) > *unmodified_since) return Precondition::failed;
  }
  if (const auto if_none_match = request.joined("If-None-Match")) {
    return list_holds(*if_none_match, validators.etag, etags_match_weakly) ? Precondition::not_modified
                                                                           : Precondition::proceed;
  }
  if (const auto modified_since = date_field(request, "If-Modified-Since");
      modified_since && validators.last_modified) {
    if (whole_seconds(*validators.last_modified) <= *modified_since) return Precondition::not_modified;
  }
  return Precondition::proceed;
}

bool if_range_holds(const Headers& request, const Validators& validators) {
  const auto if_range = request.first("If-Range");
  if (!if_range) return true;
  if (request.count("If-Range") != 1) return false;
  if (if_range->starts_with('"') || if_range->starts_with("W/"))
    return etags_match_strongly(*if_range, validators.etag);
  const auto date = parse_date(*if_range);
  return date && validators.last_modified && whole_seconds(*validators.last_modified) == *date;
}

}  // namespace tribune::http
