#pragma once
// Attribute lists (RFC 8216bis section 4.2). Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tribune::hls {

struct Attribute {
  std::string_view name;
  std::string_view value;  // without the quotes, variables as written
  bool quoted = false;
  std::uint32_t name_begin = 0;  // in the line
  std::uint32_t begin = 0;       // of the value, in the line, after the quote
  std::uint32_t end = 0;         // after the value and its quote
};

/// The maximum of attributes in a list; a longer list is an error, because a lookup is linear.
inline constexpr std::size_t kMaxAttributes = 1'000;

/// Parses the list that begins at `from` in `line` into `out`. Returns the error, or nullopt. Lenient about spaces
/// around names and values; an attribute without '=' or a quote without its end is an error.
std::optional<std::string_view> read_attributes(std::string_view line, std::size_t from, std::vector<Attribute>& out);

/// Returns the list without its malformed attributes, each of which ends at the next comma.
std::string salvaged_attributes(std::string_view line, std::size_t from);

/// The first attribute of that name, or null.
const Attribute* find(const std::vector<Attribute>&, std::string_view name);

}  // namespace tribune::hls
