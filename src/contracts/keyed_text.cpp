#include "contracts/keyed_text.h"

#include "base/encoding.h"
#include "contracts/canonical.h"

namespace tribune::contracts {

std::optional<KeyedText> parse_keyed_text(std::string_view text, std::string_view prefix, std::size_t max_characters) {
  if (text.size() > max_characters || !text.starts_with(prefix)) return std::nullopt;
  const auto parts = split_exactly<2>(text.substr(prefix.size()), '.');
  if (!parts || !is_short_id((*parts)[0])) return std::nullopt;
  auto bytes = base::from_base64url((*parts)[1]);
  if (!bytes) return std::nullopt;
  return KeyedText{(*parts)[0], std::move(*bytes)};
}

std::string write_keyed_text(std::string_view prefix, std::string_view key_id, std::string_view bytes) {
  return std::string(prefix).append(key_id).append(".").append(base::to_base64url(bytes));
}

}  // namespace tribune::contracts
