#pragma once
// Requests and responses as values, independent of the HTTP version (RFC 9110).

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace tribune::http {

enum class Method { get, head, options, post, put, patch, del, other };

std::string_view to_string(Method);
Method method_of(std::string_view token);  // case-sensitive (RFC 9110 section 9.1)

struct Header {
  std::string name;
  std::string value;
};

/// Field lines in their order; names are case-insensitive (RFC 9110 section 5.1).
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<Header> fields) : fields_(fields) {}

  void add(std::string_view name, std::string_view value);
  /// Replaces every field line of that name by one.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  /// The first field line's value.
  std::optional<std::string_view> first(std::string_view name) const;
  /// All field lines of the name, joined by ", " (RFC 9110 section 5.3); nullopt when there is none.
  std::optional<std::string> joined(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  const std::vector<Header>& all() const { return fields_; }
  bool empty() const { return fields_.empty(); }

 private:
  std::vector<Header> fields_;
};

bool equals_ignoring_case(std::string_view a, std::string_view b);

struct Request {
  Method method = Method::get;
  std::string other_method;  // the method's token where `method` is other
  std::string path;          // percent-encoded as sent, checked and normalised (uri.h), begins with '/'
  std::string query;         // without '?', as sent
  std::string host;          // Host or :authority
  Headers headers;
  std::string body;    // bounded by the server
  std::string client;  // the client's address without port; behind trusted proxies, the address that they name
  std::uint16_t client_port = 0;
  bool secure = false;  // arrived over TLS, here or at a trusted proxy
};

/// The body of a response: empty, own bytes, bytes shared with other responses, or part of an open file.
using Body = std::variant<std::monostate, std::string, base::BytesSlice, base::FileSlice>;

std::uint64_t length_of(const Body&);

struct Response {
  int status = 200;
  Headers headers;  // without framing fields; the server adds Content-Length, Date, Connection
  Body body;
};

/// The reason phrase for a status (RFC 9110 section 15), "Unknown" otherwise.
std::string_view reason_phrase(int status);

}  // namespace tribune::http
