// The forms of a URI's parts: canonical paths, percent coding, queries.
#include "http/uri.h"

#include <array>

#include "http/uri_bytes.h"

namespace tribune::http {
namespace {

auto invalid_text(std::string_view why) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client, std::string(why));
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// The length of the UTF-8 sequence at the front; 0 when it is invalid.
std::size_t utf8_sequence(std::string_view bytes) {
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(bytes[i])) return 0;
  }
  const auto second = static_cast<unsigned char>(bytes[1]);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool beyond = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  return overlong || beyond ? 0 : length;
}

/// The reason why a byte of a path, escaped or not, is rejected; nullopt when it is accepted.
std::optional<std::string_view> flaw_of_byte(char c, bool was_escaped) {
  if (is_control(c)) return "the path contains a control character";
  if (c == '\\') return "the path contains a backslash";
  if (was_escaped && c == '/') return "the path contains an encoded slash";
  if (!was_escaped && c == ' ') return "the path contains a space";
  if (!was_escaped && (c == '?' || c == '#')) return "the path contains a query or a fragment";
  return std::nullopt;
}

/// Bytes that a canonical path contains unescaped: unreserved ones, sub-delimiters, ':', '@' and '/'.
constexpr auto kPlainPathByte = [] {
  std::array<bool, 256> plain{};
  for (int i = 0; i < 128; ++i) plain[static_cast<std::size_t>(i)] = is_pchar(static_cast<char>(i)) || i == '/';
  return plain;
}();

/// Fast check whether the path is in canonical form, as most are. False for paths with escapes or doubtful segments,
/// which the full check handles.
bool is_plainly_canonical(std::string_view path) {
  char before = 'x';
  for (const char c : path) {
    if (!kPlainPathByte[static_cast<unsigned char>(c)]) return false;
    if (before == '/' && (c == '/' || c == '.')) return false;
    before = c;
  }
  return true;
}

struct Pair {
  std::string_view key;
  std::string_view value;
  std::string_view text;
};

/// Takes the next key=value off a query.
std::optional<Pair> next_pair(std::string_view& query) {
  if (query.data() == nullptr) return std::nullopt;
  const auto end = query.find('&');
  Pair pair;
  pair.text = query.substr(0, end);
  query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
  const auto equals = pair.text.find('=');
  pair.key = pair.text.substr(0, equals);
  if (equals != std::string_view::npos) pair.value = pair.text.substr(equals + 1);
  return pair;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto length = utf8_sequence(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

base::Result<std::string> canonical_path(std::string_view path) {
  if (!path.starts_with('/')) return invalid_text("the path does not begin with a slash");
  if (is_plainly_canonical(path)) return std::string(path);
  std::string canonical;
  std::string decoded;
  canonical.reserve(path.size());
  decoded.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    const bool was_escaped = c == '%';
    if (was_escaped) {
      const auto byte = escaped_byte(path, i);
      if (!byte) return invalid_text("the path contains a malformed percent encoding");
      c = *byte;
      i += 2;
    }
    if (const auto flaw = flaw_of_byte(c, was_escaped)) return invalid_text(*flaw);
    decoded += c;
    // A reserved character has different meanings escaped and unescaped, so each stays as it is.
    if (is_unreserved(c) || (!was_escaped && (is_pchar(c) || c == '/'))) {
      canonical += c;
    } else {
      append_escaped(canonical, c);
    }
  }
  if (!is_utf8(decoded)) return invalid_text("the path is not UTF-8");
  for (std::string_view rest = std::string_view(canonical).substr(1); !rest.empty();) {
    const auto slash = rest.find('/');
    const auto segment = rest.substr(0, slash);
    if (segment.empty()) return invalid_text("the path contains an empty segment");
    if (segment == "." || segment == "..") return invalid_text("the path contains a dot segment");
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  }
  return canonical;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto byte = escaped_byte(text, i);
    if (!byte) return std::nullopt;
    out += *byte;
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || keep.find(c) != std::string_view::npos) {
      out += c;
    } else {
      append_escaped(out, c);
    }
  }
  return out;
}

std::optional<std::string_view> query_value(std::string_view query, std::string_view key) {
  while (const auto pair = next_pair(query)) {
    if (pair->key == key) return pair->value;
  }
  return std::nullopt;
}

std::optional<std::string> query_decoded(std::string_view query, std::string_view key) {
  const auto raw = query_value(query, key);
  return raw ? percent_decode(*raw) : std::nullopt;
}

std::string query_without(std::string_view query, bool (*drop)(std::string_view key)) {
  std::string out;
  bool is_first = true;
  while (const auto pair = next_pair(query)) {
    if (drop(pair->key)) continue;
    if (!is_first) out += '&';
    is_first = false;
    out += pair->text;
  }
  return out;
}

}  // namespace tribune::http
