#pragma once
// The id of a request, which appears in the access log, in the response, and in the requests that a plain cache sends
// to its origin. The id of a trusted proxy is kept when it is well-formed; otherwise the server generates one.

#include <cstdint>
#include <string>
#include <string_view>

#include "http/message.h"

namespace tribune::net {

inline constexpr std::string_view kRequestIdField = "X-Request-Id";

/// 1 to 64 of A-Z a-z 0-9 . _ - : characters that are safe in a log and in a field.
bool is_request_id(std::string_view text);

/// Generates ids of 16 hexadecimal digits, which other generators are unlikely to repeat. Owned by one worker.
class RequestIds {
 public:
  RequestIds();
  std::string next();

 private:
  std::uint64_t state_;
};

/// Gives the request exactly one X-Request-Id: its own if `is_trusted` and well-formed, else a new one.
void settle_request_id(http::Request&, bool is_trusted, RequestIds&);

}  // namespace tribune::net
