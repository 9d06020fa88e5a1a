#pragma once
// The id of a request: in the line of the log, in the answer, and in what a plain cache asks its origin. One that a
// trusted proxy gave is kept, when it is well-formed; otherwise it is made here.

#include <cstdint>
#include <string>
#include <string_view>

#include "http/message.h"

namespace tribune::net {

inline constexpr std::string_view kRequestIdField = "X-Request-Id";

/// 1 to 64 of A-Z a-z 0-9 . _ - : what may stand in a log and in a field without a second look.
bool is_request_id(std::string_view text);

/// Makes ids: 16 hexadecimal digits that no other source of ids is likely to make. Owned by one worker.
class RequestIds {
 public:
  RequestIds();
  std::string next();

 private:
  std::uint64_t state_;
};

/// The request has exactly one X-Request-Id from then on: the one that it brought, if `believed` and well-formed, else
/// a new one.
void settle_request_id(http::Request&, bool believed, RequestIds&);

}  // namespace tribune::net
