#include "http/structured_field.h"

#include "http/uri_bytes.h"

namespace tribune::http {

namespace {

bool is_token(std::string_view text) {
  if (text.empty() || (!is_alpha(text.front()) && text.front() != '*')) return false;
  for (const char c : text) {
    if (!is_alpha(c) && !is_digit(c) && std::string_view("!#$%&'*+-.^_`|~:/").find(c) == std::string_view::npos)
      return false;
  }
  return true;
}

}  // namespace

std::string string_item(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += is_control(c) || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
  }
  return out += '"';
}

std::string token_or_string(std::string_view text) { return is_token(text) ? std::string(text) : string_item(text); }

}  // namespace tribune::http
