#include <fmt/format.h>

#include <cmath>

#include "base/json.h"

namespace tribune::base::json {

namespace {

/// The length of the well-formed UTF-8 sequence at `at`, or 0.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lead = byte(at);
  std::size_t length = lead < 0x80                    ? 1
                       : lead >= 0xC2 && lead <= 0xDF ? 2
                       : (lead & 0xF0) == 0xE0        ? 3
                       : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                      : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  if (lead == 0xE0 && byte(at + 1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && byte(at + 1) > 0x9F) return 0;  // surrogates
  if (lead == 0xF0 && byte(at + 1) < 0x90) return 0;
  if (lead == 0xF4 && byte(at + 1) > 0x8F) return 0;
  return length;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 8);
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const auto length = utf8_length(text, i);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else if (length == 0) {
      out += "\\ufffd";  // a byte that is not UTF-8 would make the whole text invalid
    } else {
      out.append(text, i, length);
    }
    i += length == 0 ? 1 : length;
  }
  return out;
}

void Writer::before_value() {
  if (need_comma_) text_ += ',';
  need_comma_ = true;
}

Writer& Writer::begin_object() {
  before_value();
  text_ += '{';
  need_comma_ = false;
  return *this;
}

Writer& Writer::end_object() {
  text_ += '}';
  need_comma_ = true;
  return *this;
}

Writer& Writer::begin_array() {
  before_value();
  text_ += '[';
  need_comma_ = false;
  return *this;
}

Writer& Writer::end_array() {
  text_ += ']';
  need_comma_ = true;
  return *this;
}

Writer& Writer::key(std::string_view name) {
  before_value();
  text_ += '"';
  text_ += escape(name);
  text_ += "\":";
  need_comma_ = false;
  return *this;
}

Writer& Writer::value(std::string_view text) {
  before_value();
  text_ += '"';
  text_ += escape(text);
  text_ += '"';
  return *this;
}

Writer& Writer::value(bool b) {
  before_value();
  text_ += b ? "true" : "false";
  return *this;
}

Writer& Writer::value(std::int64_t i) {
  before_value();
  text_ += fmt::format("{}", i);
  return *this;
}

Writer& Writer::value(std::uint64_t u) {
  before_value();
  text_ += fmt::format("{}", u);
  return *this;
}

Writer& Writer::value(double d) {
  before_value();
  text_ += std::isfinite(d) ? fmt::format("{}", d) : std::string("null");  // JSON does not have infinities
  return *this;
}

Writer& Writer::null() {
  before_value();
  text_ += "null";
  return *this;
}

}  // namespace tribune::base::json
