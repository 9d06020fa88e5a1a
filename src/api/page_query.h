#pragma once
// The part of a list that a request asks for: `?limit=` entries after `?cursor=`. A cursor is the `next` of the page
// before, opaque to clients. Pure functions.

#include <cstddef>
#include <string>
#include <string_view>

#include "api/localized.h"
#include "base/result.h"

namespace tribune::api {

struct PageQuery {
  std::size_t limit = 0;
  std::string cursor;  // empty: from the beginning
};

/// Without `limit`, it is `most`. The error is what is wrong: an unknown or repeated key, a limit outside 1 to `most`,
/// an empty cursor or one that no list returns.
tl::expected<PageQuery, Localized> page_query(std::string_view query, std::size_t most);

/// The value of `limit`, as it is in the query: a whole number from 1 to `most`.
tl::expected<std::size_t, Localized> parse_limit(std::string_view value, std::size_t most);

/// For a cursor that is not one of this list.
Localized wrong_cursor();

}  // namespace tribune::api
