#include "http/targeted_cache_control.h"

#include <algorithm>
#include <string>

#include "http/uri_bytes.h"

namespace tribune::http {
namespace {

/// Checks a dictionary against the grammar of RFC 8941 section 4.2.2 and tells each member that Cache-Control knows.
/// Parameters and inner lists are checked and passed over.
class DictionaryReader {
 public:
  explicit DictionaryReader(std::string_view text) : rest_(text) {}

  enum class Type { integer, decimal, string, token, bytes, boolean, list };
  struct Member {
    std::string key;
    Type type = Type::boolean;
    std::string value;  // of integers, strings and tokens; "1" or "0" of booleans
  };

  /// False at the first byte that the grammar does not allow. `on_member` sees members in their order.
  template <class OnMember>
  bool read(OnMember on_member) {
    skip(" ");
    while (!rest_.empty()) {
      Member member;
      if (!key(member.key)) return false;
      if (taken('=')) {
        if (!item_or_list(member)) return false;
      } else {
        member.value = "1";
        if (!parameters()) return false;
      }
      on_member(member);
      skip(" \t");
      if (rest_.empty()) return true;
      if (!taken(',')) return false;
      skip(" \t");
      if (rest_.empty()) return false;  // a trailing comma
    }
    return true;
  }

 private:
  void skip(std::string_view bytes) { rest_.remove_prefix(std::min(rest_.find_first_not_of(bytes), rest_.size())); }
  bool at(char c) const { return !rest_.empty() && rest_.front() == c; }
  bool taken(char c) {
    if (!at(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  template <class Fits>
  std::string take_while(Fits fits) {
    std::string text;
    while (!rest_.empty() && fits(rest_.front())) {
      text += rest_.front();
      rest_.remove_prefix(1);
    }
    return text;
  }

  bool key(std::string& out) {
    const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
    if (rest_.empty() || !(is_lower(rest_.front()) || rest_.front() == '*')) return false;
    out =
        take_while([&](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*'; });
    return true;
  }

  bool item_or_list(Member& member) { return at('(') ? inner_list(member) : bare_item(member) && parameters(); }

  bool inner_list(Member& member) {
    member.type = Type::list;
    taken('(');
    for (;;) {
      skip(" ");
      if (taken(')')) return parameters();
      Member inner;
      if (!bare_item(inner) || !parameters()) return false;
      if (!at(' ') && !at(')')) return false;
    }
  }

  bool parameters() {
    while (taken(';')) {
      skip(" ");
      std::string name;
      if (!key(name)) return false;
      Member value;
      if (taken('=') && !bare_item(value)) return false;
    }
    return true;
  }

  bool bare_item(Member& member) {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    if (c == '-' || is_digit(c)) return number(member);
    if (c == '"') return string(member);
    if (c == ':') return bytes(member);
    if (c == '?') return boolean(member);
    if (!is_alpha(c) && c != '*') return false;
    member.type = Type::token;
    member.value = take_while([](char b) {
      return is_alpha(b) || is_digit(b) || std::string_view("!#$%&'*+-.^_`|~:/").find(b) != std::string_view::npos;
    });
    return true;
  }

  bool number(Member& member) {
    const bool negative = taken('-');
    const auto whole = take_while(is_digit);
    if (whole.empty() || whole.size() > 15) return false;
    member.type = Type::integer;
    member.value = (negative ? "-" : "") + whole;
    if (!taken('.')) return true;
    const auto fraction = take_while(is_digit);
    member.type = Type::decimal;
    return whole.size() <= 12 && !fraction.empty() && fraction.size() <= 3;
  }

  bool string(Member& member) {
    member.type = Type::string;
    taken('"');
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c == '\\') {
        if (!at('"') && !at('\\')) return false;
        c = rest_.front();
        rest_.remove_prefix(1);
      } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E) {
        return false;
      }
      member.value += c;
    }
    return false;
  }

  bool bytes(Member& member) {
    member.type = Type::bytes;
    taken(':');
    take_while([](char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '='; });
    return taken(':');
  }

  bool boolean(Member& member) {
    taken('?');
    if (!at('0') && !at('1')) return false;
    member.value = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
};

bool takes_seconds(std::string_view directive) {
  return directive == "max-age" || directive == "s-maxage" || directive == "stale-while-revalidate" ||
         directive == "stale-if-error";
}

}  // namespace

std::optional<CacheControl> parse_targeted_cache_control(std::string_view value) {
  using Type = DictionaryReader::Type;
  std::string plain;  // the same directives as Cache-Control writes them
  bool typed_well = true;
  DictionaryReader reader(value);
  const bool valid = reader.read([&](const DictionaryReader::Member& member) {
    const bool switched_off = member.type == Type::boolean && member.value == "0";
    if (takes_seconds(member.key)) {
      typed_well = typed_well && member.type == Type::integer;
      plain += "," + member.key + "=" + member.value;
    } else if (!switched_off) {
      plain += "," + member.key;
    }
  });
  if (!valid || !typed_well || plain.empty()) return std::nullopt;
  return parse_cache_control(plain);
}

}  // namespace tribune::http
