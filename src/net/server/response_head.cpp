#include "net/server/response_head.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/date.h"

namespace tribune::net {
namespace {

void append_number(std::string& text, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  text.append(digits, end);
}

enum class OwnField { no, date, server, cors, framing };

/// Whether the server sets this field itself, regardless of the value that a handler or an origin gave.
OwnField ownership(std::string_view name) {
  const auto is = [name](std::string_view other) { return http::equals_ignoring_case(name, other); };
  switch (name.size()) {
    case 4: return is("date") ? OwnField::date : OwnField::no;
    case 6: return is("server") ? OwnField::server : OwnField::no;
    case 7: return is("trailer") || is("upgrade") ? OwnField::framing : OwnField::no;
    case 10: return is("connection") || is("keep-alive") ? OwnField::framing : OwnField::no;
    case 14: return is("content-length") ? OwnField::framing : OwnField::no;
    case 16: return is("proxy-connection") ? OwnField::framing : OwnField::no;
    case 17: return is("transfer-encoding") ? OwnField::framing : OwnField::no;
    case 27: return is("access-control-allow-origin") ? OwnField::cors : OwnField::no;
    case 29: return is("access-control-expose-headers") ? OwnField::cors : OwnField::no;
    default: return OwnField::no;
  }
}

/// A line end in a value would let its author add fields or a second response.
bool is_safe(const http::Header& field) {
  const auto breaks = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  return !field.name.empty() &&
         std::none_of(field.name.begin(), field.name.end(), [&](char c) { return breaks(c) || c == ':'; }) &&
         std::none_of(field.value.begin(), field.value.end(), breaks);
}

}  // namespace

std::string_view ResponseHead::date() {
  const auto now = clock_.wall_now();
  if (const auto second = base::unix_seconds(now); second != date_second_) {
    date_second_ = second;
    date_ = http::format_date(now);
  }
  return date_;
}

const std::string& ResponseHead::write_interim(int status, const http::Headers& headers) {
  text_ = "HTTP/1.1 ";
  append_number(text_, static_cast<std::uint64_t>(std::clamp(status, 102, 199)));
  text_.append(" ").append(http::reason_phrase(status)).append("\r\n");
  for (const auto& field : headers.all())
    if (ownership(field.name) != OwnField::framing && is_safe(field))
      text_.append(field.name).append(": ").append(field.value).append("\r\n");
  text_ += "\r\n";
  return text_;
}

const std::string& ResponseHead::write(int status, const http::Headers& headers, const Framing& framing) {
  text_.clear();
  text_ += "HTTP/1.1 ";
  append_number(text_, static_cast<std::uint64_t>(std::clamp(status, 200, 599)));
  text_ += ' ';
  text_ += http::reason_phrase(status);
  text_ += "\r\n";
  bool has_date = false, has_server = false;
  for (const auto& field : headers.all()) {
    const auto own = ownership(field.name);
    if (own == OwnField::framing || (own == OwnField::cors && adds_cors_fields_) || !is_safe(field)) continue;
    has_date = has_date || own == OwnField::date;
    has_server = has_server || own == OwnField::server;
    text_ += field.name;
    text_ += ": ";
    text_ += field.value;
    text_ += "\r\n";
  }
  if (!has_date) text_.append("Date: ").append(date()).append("\r\n");
  if (!has_server) text_.append("Server: ").append(kServerName).append("\r\n");
  if (adds_cors_fields_) text_ += kCorsFields;
  if (framing.kind == Framing::Kind::length) {
    text_ += "Content-Length: ";
    append_number(text_, framing.length);
    text_ += "\r\n";
  } else if (framing.kind == Framing::Kind::chunked) {
    text_ += "Transfer-Encoding: chunked\r\n";
  }
  if (framing.close)
    text_ += "Connection: close\r\n";
  else if (framing.keep_alive)
    text_ += "Connection: keep-alive\r\n";
  text_ += "\r\n";
  return text_;
}

}  // namespace tribune::net
