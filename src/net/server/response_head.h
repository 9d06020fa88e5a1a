#pragma once
// Writes the head of an HTTP/1.1 response: the status line, the handler's fields, and the server's own fields (Date,
// Server, CORS, framing). Owned by one worker; its owner is ServerCore.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"

namespace tribune::net {

/// Fields that let every web player read every response, errors and 304 included.
inline constexpr std::string_view kCorsFields =
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: Age, Date, Content-Length, Content-Range, Content-Type, Cache-Status, "
    "CMSD-Dynamic, CMSD-Static, "
    "ETag, Last-Modified, Location, RateLimit, RateLimit-Policy, Retry-After, "
    "WWW-Authenticate, X-Request-Id\r\n";

inline constexpr std::string_view kServerName = "tribune";

struct Framing {
  enum class Kind { length, chunked, until_close, none };  // none: 204, 304
  Kind kind = Kind::length;
  std::uint64_t length = 0;
  bool close = false;       // Connection: close
  bool keep_alive = false;  // Connection: keep-alive, for HTTP/1.0
};

class ResponseHead {
 public:
  explicit ResponseHead(const base::Clock& clock, bool adds_cors_fields = true)
      : clock_(clock), adds_cors_fields_(adds_cors_fields) {}

  /// The reference is valid until the next call. Fields that would break the framing or the head are omitted.
  const std::string& write(int status, const http::Headers&, const Framing&);
  /// A 1xx head: the status line and the given fields. The reference is valid until the next call of either function.
  const std::string& write_interim(int status, const http::Headers&);

 private:
  std::string_view date();

  const base::Clock& clock_;
  const bool adds_cors_fields_;
  std::string text_;
  std::string date_;
  std::int64_t date_second_ = -1;
};

}  // namespace tribune::net
