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
    {RejectReason::control_byte, "control_byte", &bad_request, "The head holds a control byte."},
    {RejectReason::bare_line_feed, "bare_line_feed", &bad_request, "A line ends in LF without CR."},
    {RejectReason::bare_carriage_return, "bare_carriage_return", &bad_request, "A CR is not followed by LF."},
    {RejectReason::request_line_invalid, "request_line_invalid", &bad_request,
     "The request line is not 'method target version'."},
    {RejectReason::method_unknown, "method_unknown", &not_implemented, "This method is not served here."},
    {RejectReason::target_invalid, "target_invalid", &bad_request, "The request target is not valid."},
    {RejectReason::target_too_long, "target_too_long", &target_too_long,
     "The request target is longer than this server takes."},
    {RejectReason::version_invalid, "version_invalid", &bad_request, "The HTTP version is malformed."},
    {RejectReason::version_unsupported, "version_unsupported", &version_unsupported,
     "Only HTTP/1.0 and HTTP/1.1 are spoken here."},
    {RejectReason::head_too_large, "head_too_large", &head_too_large, "The head is larger than this server takes."},
    {RejectReason::too_many_fields, "too_many_fields", &head_too_large,
     "The head has more fields than this server takes."},
    {RejectReason::field_name_invalid, "field_name_invalid", &bad_request, "A field name is empty or not a token."},
    {RejectReason::space_before_colon, "space_before_colon", &bad_request, "A field name is followed by white space."},
    {RejectReason::folded_field, "folded_field", &bad_request, "A field is folded over lines."},
    {RejectReason::host_missing, "host_missing", &bad_request, "The Host field is missing."},
    {RejectReason::host_repeated, "host_repeated", &bad_request, "There is more than one Host field."},
    {RejectReason::host_invalid, "host_invalid", &bad_request, "The Host field is not a host with an optional port."},
    {RejectReason::foreign_authority, "foreign_authority", &bad_request,
     "The target's authority is not the Host field's."},
    {RejectReason::expectation_unknown, "expectation_unknown", &expectation_failed,
     "Only 100-continue can be expected."},
    {RejectReason::length_invalid, "length_invalid", &bad_request, "Content-Length is not a decimal number."},
    {RejectReason::length_repeated, "length_repeated", &bad_request, "There is more than one Content-Length."},
    {RejectReason::length_with_coding, "length_with_coding", &bad_request,
     "Content-Length stands beside Transfer-Encoding."},
    {RejectReason::coding_invalid, "coding_invalid", &bad_request, "Transfer-Encoding does not end in one chunked."},
    {RejectReason::coding_unknown, "coding_unknown", &not_implemented,
     "Only the chunked transfer coding is understood."},
    {RejectReason::coding_in_http_1_0, "coding_in_http_1_0", &bad_request, "HTTP/1.0 has no transfer codings."},
    {RejectReason::body_not_allowed, "body_not_allowed", &bad_request, "A request with this method has no body here."},
    {RejectReason::body_too_large, "body_too_large", &body_too_large, "The body is larger than this server takes."},
    {RejectReason::chunk_size_invalid, "chunk_size_invalid", &bad_request, "A chunk size is malformed."},
    {RejectReason::chunk_end_missing, "chunk_end_missing", &bad_request, "A chunk is not followed by CRLF."},
    {RejectReason::chunk_extension_too_long, "chunk_extension_too_long", &bad_request,
     "The chunk extensions are too long."},
    {RejectReason::chunk_extension_invalid, "chunk_extension_invalid", &bad_request, "A chunk extension is malformed."},
    {RejectReason::path_invalid, "path_invalid", &bad_request, "The path has no canonical form."},
    {RejectReason::proxy_header_invalid, "proxy_header_invalid", &bad_request,
     "The PROXY header is missing or malformed."},
    {RejectReason::head_timeout, "head_timeout", &request_timeout, "The head did not arrive in time."},
    {RejectReason::body_timeout, "body_timeout", &request_timeout, "The body did not arrive in time."},
    {RejectReason::too_many_connections, "too_many_connections", &overloaded, "All connections are taken."},
    {RejectReason::too_many_from_address, "too_many_from_address", &too_many_requests,
     "Too many connections from one address."},
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
