#include "net/refusal.h"

#include <array>
#include <cstddef>

#include "http/problem.h"

namespace tribune::net {
namespace {

struct Entry {
  Refusal refusal;
  std::string_view word;
  const http::ProblemType* type;
  std::string_view detail;
};

using namespace http::problems;

const std::array<Entry, static_cast<std::size_t>(Refusal::count_)> kEntries{{
    {Refusal::none, "none", &internal, ""},
    {Refusal::control_byte, "control_byte", &bad_request, "The head holds a control byte."},
    {Refusal::bare_line_feed, "bare_line_feed", &bad_request, "A line ends in LF without CR."},
    {Refusal::bare_carriage_return, "bare_carriage_return", &bad_request, "A CR is not followed by LF."},
    {Refusal::request_line_invalid, "request_line_invalid", &bad_request, "The request line is not 'method target version'."},
    {Refusal::method_unknown, "method_unknown", &not_implemented, "This method is not served here."},
    {Refusal::target_invalid, "target_invalid", &bad_request, "The request target is not valid."},
    {Refusal::target_too_long, "target_too_long", &target_too_long, "The request target is longer than this server takes."},
    {Refusal::version_invalid, "version_invalid", &bad_request, "The HTTP version is malformed."},
    {Refusal::version_unsupported, "version_unsupported", &version_unsupported, "Only HTTP/1.0 and HTTP/1.1 are spoken here."},
    {Refusal::head_too_large, "head_too_large", &head_too_large, "The head is larger than this server takes."},
    {Refusal::too_many_fields, "too_many_fields", &head_too_large, "The head has more fields than this server takes."},
    {Refusal::field_name_invalid, "field_name_invalid", &bad_request, "A field name is empty or not a token."},
    {Refusal::space_before_colon, "space_before_colon", &bad_request, "A field name is followed by white space."},
    {Refusal::folded_field, "folded_field", &bad_request, "A field is folded over lines."},
    {Refusal::host_missing, "host_missing", &bad_request, "The Host field is missing."},
    {Refusal::host_repeated, "host_repeated", &bad_request, "There is more than one Host field."},
    {Refusal::host_invalid, "host_invalid", &bad_request, "The Host field is not a host with an optional port."},
    {Refusal::foreign_authority, "foreign_authority", &bad_request, "The target's authority is not the Host field's."},
    {Refusal::expectation_unknown, "expectation_unknown", &expectation_failed, "Only 100-continue can be expected."},
    {Refusal::length_invalid, "length_invalid", &bad_request, "Content-Length is not a decimal number."},
    {Refusal::length_repeated, "length_repeated", &bad_request, "There is more than one Content-Length."},
    {Refusal::length_with_coding, "length_with_coding", &bad_request, "Content-Length stands beside Transfer-Encoding."},
    {Refusal::coding_invalid, "coding_invalid", &bad_request, "Transfer-Encoding does not end in one chunked."},
    {Refusal::coding_unknown, "coding_unknown", &not_implemented, "Only the chunked transfer coding is understood."},
    {Refusal::coding_in_http_1_0, "coding_in_http_1_0", &bad_request, "HTTP/1.0 has no transfer codings."},
    {Refusal::body_not_allowed, "body_not_allowed", &bad_request, "A request with this method has no body here."},
    {Refusal::body_too_large, "body_too_large", &body_too_large, "The body is larger than this server takes."},
    {Refusal::chunk_size_invalid, "chunk_size_invalid", &bad_request, "A chunk size is malformed."},
    {Refusal::chunk_end_missing, "chunk_end_missing", &bad_request, "A chunk is not followed by CRLF."},
    {Refusal::chunk_extension_too_long, "chunk_extension_too_long", &bad_request, "The chunk extensions are too long."},
    {Refusal::chunk_extension_invalid, "chunk_extension_invalid", &bad_request, "A chunk extension is malformed."},
    {Refusal::path_invalid, "path_invalid", &bad_request, "The path has no canonical form."},
    {Refusal::proxy_header_invalid, "proxy_header_invalid", &bad_request, "The PROXY header is missing or malformed."},
    {Refusal::head_timeout, "head_timeout", &request_timeout, "The head did not arrive in time."},
    {Refusal::body_timeout, "body_timeout", &request_timeout, "The body did not arrive in time."},
    {Refusal::too_many_connections, "too_many_connections", &overloaded, "All connections are taken."},
    {Refusal::too_many_from_address, "too_many_from_address", &too_many_requests, "Too many connections from one address."},
    {Refusal::framing_disagreement, "framing_disagreement", &bad_request, "The request could not be framed."},
}};

const Entry& entry(Refusal refusal) { return kEntries[static_cast<std::size_t>(refusal)]; }

}  // namespace

std::string_view word(Refusal refusal) { return entry(refusal).word; }
int status_of(Refusal refusal) { return entry(refusal).type->status; }
http::Response refusal_response(Refusal refusal) { return http::problem(*entry(refusal).type, entry(refusal).detail); }

}  // namespace tribune::net
