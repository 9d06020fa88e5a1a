#pragma once
// The common form of the texts of an account: {prefix}{key id}.{base64url of bytes}. The prefix states the kind, and
// occurs in no session token and no ticket, whose texts have no '_' before the '.'. Pure functions.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tribune::contracts {

struct KeyedText {
  std::string_view key_id;  // within the text
  std::string bytes;
};

/// nullopt for a text with another prefix, of more than `max_characters`, without a key id, or whose rest is not the
/// canonical base64url: one text per value. The work is bounded by `max_characters`.
std::optional<KeyedText> parse_keyed_text(std::string_view text, std::string_view prefix, std::size_t max_characters);

std::string write_keyed_text(std::string_view prefix, std::string_view key_id, std::string_view bytes);

/// The maximum length for `bytes` bytes.
constexpr std::size_t max_keyed_text_characters(std::string_view prefix, std::size_t bytes) {
  return prefix.size() + 16 + 1 + (bytes * 8 + 5) / 6;
}

}  // namespace tribune::contracts
