#include "http/structured_field.h"

#include <algorithm>
#include <optional>

#include "http/uri_bytes.h"

namespace tribune::http {
namespace {

using Type = DictionaryMember::Type;

constexpr bool is_lower_alpha(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_key_character(char c) {
  return is_lower_alpha(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}
constexpr bool is_token_character(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~:/").find(c) != std::string_view::npos;
}
constexpr bool is_base64_character(char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '='; }
constexpr bool begins_token(char c) { return is_alpha(c) || c == '*'; }

struct BareItem {
  Type type;
  std::string_view value;
};

/// Removes elements of the grammar from the front of a text. A mismatch may already have removed a part.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {}
  std::string_view rest() const { return rest_; }
  bool at(char c) const { return rest_.starts_with(c); }
  void skip(std::string_view bytes) { rest_.remove_prefix(std::min(rest_.find_first_not_of(bytes), rest_.size())); }
  bool take(char c) {
    if (!at(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  template <class Fits>
  std::string_view take_while(Fits fits) {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), fits);
    const auto taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::optional<std::string_view> key() {
    if (rest_.empty() || !(is_lower_alpha(rest_.front()) || rest_.front() == '*')) return std::nullopt;
    return take_while(is_key_character);
  }

  std::optional<BareItem> item_or_inner_list() {
    auto item = at('(') ? inner_list() : bare_item();
    return item && parameters() ? item : std::nullopt;
  }

  bool parameters() {
    while (take(';')) {
      skip(" ");
      if (!key() || (take('=') && !bare_item())) return false;
    }
    return true;
  }

 private:
  std::optional<BareItem> inner_list() {
    const auto begin = rest_;
    take('(');
    for (;;) {
      skip(" ");
      if (take(')')) return BareItem{Type::inner_list, begin.substr(0, begin.size() - rest_.size())};
      if (!bare_item() || !parameters() || !(at(' ') || at(')'))) return std::nullopt;
    }
  }

  std::optional<BareItem> bare_item() {
    if (rest_.empty()) return std::nullopt;
    const char c = rest_.front();
    if (c == '-' || is_digit(c)) return number();
    if (c == '"') return string();
    if (c == ':') return bytes();
    if (c == '?') return boolean();
    if (c == '@') return date();
    if (c == '%') return display_string();
    if (begins_token(c)) return BareItem{Type::token, take_while(is_token_character)};
    return std::nullopt;
  }

  std::optional<BareItem> number() {
    const auto begin = rest_;
    take('-');
    const auto whole = take_while(is_digit);
    if (whole.empty() || whole.size() > 15) return std::nullopt;
    auto type = Type::integer;
    if (take('.')) {
      const auto fraction = take_while(is_digit);
      if (whole.size() > 12 || fraction.empty() || fraction.size() > 3) return std::nullopt;
      type = Type::decimal;
    }
    return BareItem{type, begin.substr(0, begin.size() - rest_.size())};
  }

  std::optional<BareItem> string() {
    take('"');
    const auto begin = rest_;
    bool is_string = true;
    while (!rest_.empty()) {
      const auto value = begin.substr(0, begin.size() - rest_.size());
      if (take('"')) return BareItem{is_string ? Type::string : Type::malformed, value};
      const bool is_escape = take('\\');
      if (rest_.empty()) return std::nullopt;
      is_string = is_string && (is_escape ? at('"') || at('\\') : rest_.front() >= 0x20 && rest_.front() <= 0x7e);
      rest_.remove_prefix(1);
    }
    return std::nullopt;
  }

  std::optional<BareItem> bytes() {
    take(':');
    const auto value = take_while(is_base64_character);
    return take(':') ? std::optional(BareItem{Type::bytes, value}) : std::nullopt;
  }

  std::optional<BareItem> boolean() {
    take('?');
    if (!at('0') && !at('1')) return std::nullopt;
    const auto value = rest_.substr(0, 1);
    rest_.remove_prefix(1);
    return BareItem{Type::boolean, value};
  }

  std::optional<BareItem> date() {
    take('@');
    const auto seconds = rest_.empty() ? std::nullopt : number();
    if (!seconds || seconds->type != Type::integer) return std::nullopt;
    return BareItem{Type::date, seconds->value};
  }

  std::optional<BareItem> display_string() {
    take('%');
    if (!take('"')) return std::nullopt;
    const auto begin = rest_;
    std::string decoded;
    while (!rest_.empty()) {
      const auto value = begin.substr(0, begin.size() - rest_.size());
      if (take('"')) return is_utf8(decoded) ? std::optional(BareItem{Type::display_string, value}) : std::nullopt;
      const char c = rest_.front();
      if (c < 0x20 || c > 0x7e) return std::nullopt;
      const auto byte = c == '%' ? escaped_byte(rest_, 0) : c;
      if (!byte || (c == '%' && (is_upper_hex(rest_[1]) || is_upper_hex(rest_[2])))) return std::nullopt;
      decoded += *byte;
      rest_.remove_prefix(c == '%' ? 3 : 1);
    }
    return std::nullopt;
  }

  static bool is_upper_hex(char c) { return c >= 'A' && c <= 'F'; }

  std::string_view rest_;
};

bool is_token(std::string_view text) {
  return !text.empty() && begins_token(text.front()) && std::all_of(text.begin(), text.end(), is_token_character);
}

}  // namespace

DictionaryReader::DictionaryReader(std::string_view text) : rest_(text) {
  rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
}

bool DictionaryReader::next(DictionaryMember& member) {
  if (rest_.empty()) return false;
  Lexer lexer(rest_);
  member = {};
  member.key = lexer.key().value_or("");
  bool is_well_formed = !member.key.empty();
  if (!lexer.rest().empty() && std::string_view("=;, \t").find(lexer.rest().front()) == std::string_view::npos) {
    is_well_formed = false;
    lexer.take_while([](char c) { return c != '=' && c != ','; });
    member.key = rest_.substr(0, rest_.size() - lexer.rest().size());
  }
  member.has_value = lexer.take('=');
  const auto written = lexer.rest();
  std::optional<BareItem> item;
  if (member.has_value)
    item = lexer.item_or_inner_list();
  else if (lexer.parameters())
    item = BareItem{Type::boolean, "1"};
  lexer.skip(" \t");
  if (item && (lexer.rest().empty() || lexer.at(','))) {
    member.type = is_well_formed ? item->type : Type::malformed;
    member.value = item->value;
    rest_ = lexer.rest();
  } else {
    // Where a string is damaged, the end of its member is not known.
    member.type = Type::malformed;
    const bool is_string = written.starts_with('"');
    member.value = is_string ? std::string_view() : written.substr(0, written.find(','));
    rest_ = is_string ? std::string_view() : written.substr(member.value.size());
  }
  is_valid_ = is_valid_ && member.type != Type::malformed;
  if (rest_.empty()) return true;
  lexer = Lexer(rest_.substr(1));
  lexer.skip(" \t");
  rest_ = lexer.rest();
  if (rest_.empty()) is_valid_ = false;  // a comma at the end
  return true;
}

std::string string_item(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += is_control(c) || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
  }
  return out += '"';
}

std::string token_or_string(std::string_view text) { return is_token(text) ? std::string(text) : string_item(text); }

StructuredFieldWriter& StructuredFieldWriter::flag(std::string_view key) {
  if (!out_.empty()) out_ += separator_;
  out_ += key;
  return *this;
}

StructuredFieldWriter& StructuredFieldWriter::integer(std::string_view key, std::int64_t value) {
  return token(key, std::to_string(value));
}

StructuredFieldWriter& StructuredFieldWriter::token(std::string_view key, std::string_view value) {
  flag(key);
  out_.append("=").append(value);
  return *this;
}

StructuredFieldWriter& StructuredFieldWriter::string(std::string_view key, std::string_view value) {
  return token(key, string_item(value));
}

StructuredFieldWriter& StructuredFieldWriter::token_or_string(std::string_view key, std::string_view value) {
  return token(key, http::token_or_string(value));
}

}  // namespace tribune::http
