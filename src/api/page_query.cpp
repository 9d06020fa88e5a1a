#include "api/page_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace tribune::api {
namespace {

constexpr std::size_t kMaxCursorCharacters = 128;

std::optional<std::size_t> whole_number(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A cursor has unreserved characters only (RFC 3986 section 2.3), so that it needs no encoding.
bool is_cursor(std::string_view text) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '~';
  };
  return !text.empty() && text.size() <= kMaxCursorCharacters && std::all_of(text.begin(), text.end(), is_allowed);
}

}  // namespace

tl::expected<std::size_t, Localized> parse_limit(std::string_view value, std::size_t most) {
  const auto limit = whole_number(value);
  if (limit && *limit >= 1 && *limit <= most) return *limit;
  return tl::unexpected(Localized{fmt::format("\"limit\" must be a whole number from 1 to {}", most),
                                  fmt::format("«limit» должен быть целым числом от 1 до {}", most)});
}

Localized wrong_cursor() {
  return {"\"cursor\" must be the \"next\" of a page of this list",
          "«cursor» должен быть значением «next» страницы этого списка"};
}

tl::expected<PageQuery, Localized> page_query(std::string_view query, std::size_t most) {
  PageQuery page;
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const auto key = pair.substr(0, pair.find('='));
    const auto value = pair.substr(std::min(key.size() + 1, pair.size()));
    if (key == "limit" && page.limit == 0) {
      const auto limit = parse_limit(value, most);
      if (!limit) return tl::unexpected(limit.error());
      page.limit = *limit;
    } else if (key == "cursor" && page.cursor.empty()) {
      if (!is_cursor(value)) return tl::unexpected(wrong_cursor());
      page.cursor = std::string(value);
    } else {
      return tl::unexpected(Localized{"the query may have \"limit\" and \"cursor\", each once",
                                      "запрос может содержать «limit» и «cursor», каждый один раз"});
    }
  }
  if (page.limit == 0) page.limit = most;
  return page;
}

}  // namespace tribune::api
