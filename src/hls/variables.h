#pragma once
// EXT-X-DEFINE and `{$name}` references (RFC 8216bis sections 4.3 and 4.4.2.3).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "hls/attributes.h"
#include "hls/playlist.h"

namespace tribune::hls {

/// The variables of one playlist during parsing. Owned by the parser.
///
/// A value may refer to variables defined before it, so that it cannot refer to itself. Each result and their sum are
/// bounded, which stops values that double each other.
class Variables {
 public:
  explicit Variables(const Context& context) : context_(context), budget_(context.limits.max_bytes) {}

  /// EXT-X-DEFINE with these attributes. Errors: none or several of NAME, IMPORT and QUERYPARAM, a bad or known name,
  /// an import or query key that does not exist, a limit.
  base::Status define(std::size_t line, const std::vector<Attribute>&);

  /// Replaces the references in `text`. Errors: an undefined name, a limit.
  base::Result<std::string> substitute(std::size_t line, std::string_view text);

  std::vector<std::pair<std::string, std::string>> take() { return std::move(defined_); }

 private:
  const std::string* find(std::string_view name) const;
  base::Result<std::string> value_of(std::size_t line, const Attribute& source, const Attribute* value);

  const Context& context_;
  std::uint64_t budget_;
  std::vector<std::pair<std::string, std::string>> defined_;
  std::unordered_map<std::string, std::size_t> index_;
};

/// The position of a reference "{$name}" in a text. nullopt after the last one.
struct Reference {
  std::size_t begin = 0;
  std::size_t length = 0;
  std::string_view name;
};
std::optional<Reference> next_reference(std::string_view text, std::size_t from);

}  // namespace tribune::hls
