#pragma once
// Structured fields (RFC 9651): a reader of dictionaries, and a writer of items, parameters and dictionaries. Pure
// functions and values.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace tribune::http {

/// A member of a dictionary. Views into the text that was read.
struct DictionaryMember {
  /// `malformed`: key, value or parameters do not obey the grammar.
  enum class Type { integer, decimal, string, token, bytes, boolean, date, display_string, inner_list, malformed };
  std::string_view key;
  Type type = Type::boolean;
  /// The value as it was written: a string without its quotes and with its escapes, a boolean as "0" or "1" ("1" when
  /// the member has no value), an inner list with its parentheses. Parameters are checked and left out. A malformed
  /// value extends to the next comma; it is empty when it is a string that does not end.
  std::string_view value;
  bool has_value = false;  // written with "="
};

/// Reads a dictionary (section 4.2.2) without allocating. A caller that must ignore a field that is not valid as a
/// whole asks is_valid() at the end; a caller that accepts the valid part reads on after a malformed member.
class DictionaryReader {
 public:
  explicit DictionaryReader(std::string_view text);
  /// False at the end. A repeated key is returned each time; the last one counts (section 3.2).
  bool next(DictionaryMember&);
  /// Whether everything read so far obeys the grammar.
  bool is_valid() const { return is_valid_; }

 private:
  std::string_view rest_;
  bool is_valid_ = true;
};

/// A string (section 4.1.6), with its quotes. Bytes that a string cannot contain become '?'.
std::string string_item(std::string_view text);

/// A token (section 4.1.7) where the text is one, otherwise a string.
std::string token_or_string(std::string_view text);

/// Writes the parameters of an item, or the members of a dictionary. Keys are the caller's to get right.
class StructuredFieldWriter {
 public:
  static StructuredFieldWriter dictionary() { return {"", ","}; }
  /// `item` as string_item() or token_or_string() returns it. `separator` is ";", or "; " as RFC 9211 shows it.
  static StructuredFieldWriter parameters_of(std::string item, std::string_view separator = ";") {
    return {std::move(item), separator};
  }
  StructuredFieldWriter& flag(std::string_view key);  // a boolean that is true
  StructuredFieldWriter& integer(std::string_view key, std::int64_t value);
  StructuredFieldWriter& token(std::string_view key, std::string_view value);  // the value must be a token
  StructuredFieldWriter& string(std::string_view key, std::string_view value);
  StructuredFieldWriter& token_or_string(std::string_view key, std::string_view value);
  std::string take() { return std::move(out_); }

 private:
  StructuredFieldWriter(std::string item, std::string_view separator) : out_(std::move(item)), separator_(separator) {}
  std::string out_;
  std::string_view separator_;
};

}  // namespace tribune::http
