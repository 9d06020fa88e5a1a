#pragma once
// The reasons for which the server rejects a request before a handler receives it. Each reason has a name for the log
// and the metrics, a status and a problem document. Pure functions.

#include <cstdint>
#include <string_view>

#include "http/message.h"

namespace tribune::net {

enum class RejectReason : std::uint8_t {
  none,
  // The request line (RFC 9112 section 3)
  control_byte,
  bare_line_feed,
  bare_carriage_return,
  request_line_invalid,
  method_unknown,
  target_invalid,
  target_too_long,
  version_invalid,
  version_unsupported,
  // The fields (RFC 9112 section 5)
  head_too_large,
  too_many_fields,
  field_name_invalid,
  space_before_colon,
  folded_field,
  host_missing,
  host_repeated,
  host_invalid,
  foreign_authority,
  expectation_unknown,
  // The framing (RFC 9112 sections 6 and 7)
  length_invalid,
  length_repeated,
  length_with_coding,
  coding_invalid,
  coding_unknown,
  coding_in_http_1_0,
  body_not_allowed,
  body_too_large,
  chunk_size_invalid,
  chunk_end_missing,
  chunk_extension_too_long,
  chunk_extension_invalid,
  // The connection, its limits and its deadlines
  path_invalid,
  proxy_header_invalid,
  head_timeout,
  body_timeout,
  too_many_connections,
  too_many_from_address,
  framing_disagreement,
  count_,
};

std::string_view to_string(RejectReason);
int status_of(RejectReason);
http::Response refusal_response(RejectReason);

}  // namespace tribune::net
