#include "net/server/reject_reason.h"

#include <array>
#include <cstddef>

#include "http/problem.h"

namespace tribune::net {
namespace {

struct RejectReasonRow {
  RejectReason reason;
  std::string_view word;
  const http::ProblemType* type;
  std::string_view detail;
};

using namespace http::problems;

const std::array<RejectReasonRow, static_cast<std::size_t>(RejectReason::count_)> kEntries{{
    {RejectReason::none, "none", &internal, ""},
    {RejectReason::control_byte, "control_byte", &bad_request, "The request head contains a control character."},
    {RejectReason::bare_line_feed, "bare_line_feed", &bad_request, "A line ends in LF without CR."},
    {RejectReason::bare_carriage_return, "bare_carriage_return", &bad_request, "A CR is not followed by LF."},
    {RejectReason::request_line_invalid, "request_line_invalid", &bad_request,
     "The request line is not 'method target version'."},
    {RejectReason::method_unknown, "method_unknown", &not_implemented, "The server does not implement this method."},
    {RejectReason::target_invalid, "target_invalid", &bad_request, "The request target is not valid."},
    {RejectReason::target_too_long, "target_too_long", &target_too_long,
     "The request target is longer than the limit of this server."},
    {RejectReason::version_invalid, "version_invalid", &bad_request, "The HTTP version is malformed."},
    {RejectReason::version_unsupported, "version_unsupported", &version_unsupported,
     "Only HTTP/1.0 and HTTP/1.1 are supported."},
    {RejectReason::head_too_large, "head_too_large", &head_too_large,
     "The request head is larger than the limit of this server."},
    {RejectReason::too_many_fields, "too_many_fields", &head_too_large,
     "The request head has more fields than the limit of this server."},
    {RejectReason::field_name_invalid, "field_name_invalid", &bad_request, "A field name is empty or not a token."},
    {RejectReason::space_before_colon, "space_before_colon", &bad_request, "A field name is followed by white space."},
    {RejectReason::folded_field, "folded_field", &bad_request, "A field uses obsolete line folding."},
    {RejectReason::host_missing, "host_missing", &bad_request, "The Host field is missing."},
    {RejectReason::host_repeated, "host_repeated", &bad_request, "There is more than one Host field."},
    {RejectReason::host_invalid, "host_invalid", &bad_request, "The Host field is not a host with an optional port."},
    {RejectReason::foreign_authority, "foreign_authority", &bad_request,
     "The authority of the request target differs from the Host field."},
    {RejectReason::expectation_unknown, "expectation_unknown", &expectation_failed,
     "The only supported expectation is 100-continue."},
    {RejectReason::length_invalid, "length_invalid", &bad_request, "Content-Length is not a decimal number."},
    {RejectReason::length_repeated, "length_repeated", &bad_request, "There is more than one Content-Length."},
    {RejectReason::length_with_coding, "length_with_coding", &bad_request,
     "The request has both Content-Length and Transfer-Encoding."},
    {RejectReason::coding_invalid, "coding_invalid", &bad_request,
     "Transfer-Encoding does not end in exactly one chunked coding."},
    {RejectReason::coding_unknown, "coding_unknown", &not_implemented,
     "Only the chunked transfer coding is supported."},
    {RejectReason::coding_in_http_1_0, "coding_in_http_1_0", &bad_request,
     "HTTP/1.0 does not support transfer codings."},
    {RejectReason::body_not_allowed, "body_not_allowed", &bad_request,
     "A request with this method must not have a body."},
    {RejectReason::body_too_large, "body_too_large", &body_too_large,
     "The request body is larger than the limit of this server."},
    {RejectReason::chunk_size_invalid, "chunk_size_invalid", &bad_request, "A chunk size is malformed."},
    {RejectReason::chunk_end_missing, "chunk_end_missing", &bad_request, "A chunk is not followed by CRLF."},
    {RejectReason::chunk_extension_too_long, "chunk_extension_too_long", &bad_request,
     "The chunk extensions are too long."},
    {RejectReason::chunk_extension_invalid, "chunk_extension_invalid", &bad_request, "A chunk extension is malformed."},
    {RejectReason::path_invalid, "path_invalid", &bad_request, "The path has no canonical form."},
    {RejectReason::proxy_header_invalid, "proxy_header_invalid", &bad_request,
     "The PROXY header is missing or malformed."},
    {RejectReason::head_timeout, "head_timeout", &request_timeout,
     "The request head did not arrive before the timeout."},
    {RejectReason::body_timeout, "body_timeout", &request_timeout,
     "The request body did not arrive before the timeout."},
    {RejectReason::too_many_connections, "too_many_connections", &overloaded,
     "The server has reached its connection limit."},
    {RejectReason::too_many_from_address, "too_many_from_address", &too_many_requests,
     "Too many connections from one client address."},
    {RejectReason::framing_disagreement, "framing_disagreement", &bad_request, "The request could not be framed."},
}};

const RejectReasonRow& entry(RejectReason reason) { return kEntries[static_cast<std::size_t>(reason)]; }

}  // namespace

std::string_view to_string(RejectReason reason) { return entry(reason).word; }
int status_of(RejectReason reason) { return entry(reason).type->status; }
http::Response refusal_response(RejectReason reason) {
  return http::problem(*entry(reason).type, entry(reason).detail);
}

}  // namespace tribune::net
