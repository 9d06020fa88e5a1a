#include "http/message.h"

#include <algorithm>
#include <array>

#include "http/uri_bytes.h"

namespace tribune::http {
namespace {

constexpr std::array<std::pair<Method, std::string_view>, 7> kMethods{{{Method::get, "GET"},
                                                                       {Method::head, "HEAD"},
                                                                       {Method::options, "OPTIONS"},
                                                                       {Method::post, "POST"},
                                                                       {Method::put, "PUT"},
                                                                       {Method::patch, "PATCH"},
                                                                       {Method::del, "DELETE"}}};

}  // namespace

std::string_view to_string(Method method) {
  for (const auto& [known, name] : kMethods) {
    if (known == method) return name;
  }
  return "OTHER";
}

Method method_of(std::string_view token) {
  for (const auto& [known, name] : kMethods) {
    if (name == token) return known;
  }
  return Method::other;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

void Headers::add(std::string_view name, std::string_view value) {
  fields_.push_back({std::string(name), std::string(value)});
}

void Headers::set(std::string_view name, std::string_view value) {
  const auto is_named = [&](const Header& field) { return equals_ignoring_case(field.name, name); };
  const auto found = std::find_if(fields_.begin(), fields_.end(), is_named);
  if (found == fields_.end()) return add(name, value);
  // WHY: copied first: name and value may be views into the removed fields.
  Header kept{std::string(name), std::string(value)};
  fields_.erase(std::remove_if(std::next(found), fields_.end(),
                               [&](const Header& field) { return equals_ignoring_case(field.name, kept.name); }),
                fields_.end());
  *found = std::move(kept);
}

void Headers::remove(std::string_view name) {
  const std::string gone(name);
  std::erase_if(fields_, [&](const Header& field) { return equals_ignoring_case(field.name, gone); });
}

std::optional<std::string_view> Headers::first(std::string_view name) const {
  for (const auto& field : fields_) {
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::optional<std::string> Headers::joined(std::string_view name) const {
  std::optional<std::string> all;
  for (const auto& field : fields_) {
    if (!equals_ignoring_case(field.name, name)) continue;
    if (all) {
      all->append(", ").append(field.value);
    } else {
      all = field.value;
    }
  }
  return all;
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      fields_.begin(), fields_.end(), [&](const Header& field) { return equals_ignoring_case(field.name, name); }));
}

std::uint64_t length_of(const Body& body) {
  struct Measure {
    std::uint64_t operator()(std::monostate) const { return 0; }
    std::uint64_t operator()(const std::string& own) const { return own.size(); }
    std::uint64_t operator()(const base::BytesSlice& slice) const { return slice.length; }
    std::uint64_t operator()(const base::FileSlice& slice) const { return slice.length; }
  };
  return std::visit(Measure{}, body);
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

}  // namespace tribune::http
