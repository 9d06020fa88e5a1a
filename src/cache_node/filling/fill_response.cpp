#include "cache_node/filling/fill_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "contracts/canonical.h"
#include "contracts/order.h"
#include "contracts/peer_mark.h"
#include "http/date.h"
#include "http/problem.h"

namespace tribune::cache_node {

namespace {
namespace problems = http::problems;

constexpr std::size_t kMaxBlankBytes = 512;  // before the first tag of a page

bool has_type(const http::Headers& headers, std::string_view wanted) {
  const auto type = headers.first("Content-Type").value_or("");
  return http::equals_ignoring_case(base::trimmed(type.substr(0, type.find(';'))), wanted);
}

bool is_html_type(const http::Headers& headers) {
  return has_type(headers, "text/html") || has_type(headers, "application/xhtml+xml");
}

bool is_encoded(const http::Headers& headers) {
  const auto coding = headers.joined("Content-Encoding");
  return coding && !coding->empty() && !http::equals_ignoring_case(*coding, "identity");
}
}  // namespace

FillFailure failure_of(const base::Error& error) {
  const auto failure = [&](const http::ProblemType& problem, const char* detail, std::string_view reason) {
    return FillFailure{.problem = &problem, .detail = detail, .reason = reason, .cause = error.text};
  };
  switch (error.kind) {
    case base::ErrorKind::timeout:
      return failure(problems::origin_timeout, "the origin did not answer in time", "origin_timeout");
    case base::ErrorKind::refused:
    case base::ErrorKind::unavailable:
      return failure(problems::origin_unavailable, "the origin cannot be reached", "origin_unavailable");
    case base::ErrorKind::forbidden:
      return failure(problems::origin_broken,
                     "the address of the origin, or the target of its redirect, is not allowed", "origin_forbidden");
    default: return failure(problems::origin_broken, "the response of the origin is unusable", "origin_broken");
  }
}

FillFailure failure_of_status(int status) {
  FillFailure failure{&problems::origin_broken, fmt::format("the origin responded with status {}", status),
                      "origin_refused"};
  failure.status = status;
  if (failure.is_gone()) {
    failure.problem = &problems::not_found;
    failure.reason = "origin_not_found";
  } else if (status >= 500) {
    failure.problem = status == 503 ? &problems::origin_unavailable : &problems::origin_broken;
    failure.reason = "origin_error";
  }
  return failure;
}

std::optional<int> origin_status_of(const http::Headers& headers) {
  const auto status = contracts::read_decimal(headers.first(contracts::kOriginStatusHeader).value_or(""));
  if (!status || *status < 100 || *status > 999) return std::nullopt;
  return static_cast<int>(*status);
}

FillFailure failure_of_node(std::string_view name, int status) {
  FillFailure failure{&problems::origin_unavailable, "no other node could deliver the object", "no_origin"};
  failure.cause = fmt::format("{} responded with status {} and without the status of the origin", name, status);
  return failure;
}

void add_verdict(http::Headers& headers, const FillFailure& failure) {
  headers.add(contracts::kVerdictHeader, failure.reason);
  if (failure.status != 0) headers.add(contracts::kOriginStatusHeader, fmt::format("{}", failure.status));
}

bool is_refusal(int status) { return status == 401 || status == 403 || status == 451; }

bool is_about_to_exist(int status) { return status == 404 || status == 403 || status == 425 || status >= 500; }

bool is_strong(std::string_view etag) { return etag.size() >= 2 && etag.front() == '"'; }

ObjectHead head_of(const http::Headers& headers) {
  ObjectHead head;
  head.content_type = headers.first("Content-Type").value_or("application/octet-stream");
  head.etag = headers.first("ETag").value_or("");
  head.tags =
      contracts::tags_of(headers.joined("Surrogate-Key").value_or(""), headers.joined("Cache-Tag").value_or(""));
  if (const auto modified = headers.first("Last-Modified"))
    if (const auto time = http::parse_date(*modified)) head.last_modified = base::unix_seconds(*time);
  return head;
}

http::Headers conditions_of(const ObjectHead& previous, bool for_node) {
  if (!previous.etag.empty() && (for_node || !previous.etag.starts_with("\"t-")))
    return {{"If-None-Match", previous.etag}};
  if (previous.last_modified < 0 || for_node) return {};
  return {{"If-Modified-Since", http::format_date(base::WallTime(std::chrono::seconds(previous.last_modified)))}};
}

std::string_view unusable_body(const net::FetchHead& head) {
  if (head.ends_with_connection)
    return "the response of the origin has neither Content-Length nor chunked encoding, so a truncated body would go "
           "undetected";
  if (is_encoded(head.headers)) return "the origin sent a Content-Encoding that the request does not accept";
  return {};
}

bool must_see_bytes(const net::FetchHead& head) {
  return head.content_length.value_or(0) == 0 || is_html_type(head.headers);
}

BodyKind body_kind(const net::FetchHead& head, std::string_view first_bytes, bool is_end) {
  constexpr std::array<std::string_view, 9> kPageBeginnings{"<!doctype html", "<html", "<head",  "<body", "<title",
                                                            "<script",        "<meta", "<style", "<!--"};
  if (first_bytes.empty() && !is_end) return BodyKind::more_bytes_needed;
  if (first_bytes.empty()) return has_type(head.headers, "text/vtt") ? BodyKind::media : BodyKind::empty;
  if (!is_html_type(head.headers)) return BodyKind::media;
  auto text = first_bytes;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n\f"), text.size()));
  bool may_begin_page = text.empty();
  for (const auto beginning : kPageBeginnings) {
    const auto both = std::min(beginning.size(), text.size());
    if (!http::equals_ignoring_case(text.substr(0, both), beginning.substr(0, both))) continue;
    if (both == beginning.size()) return BodyKind::html_page;
    may_begin_page = true;
  }
  return may_begin_page && !is_end && first_bytes.size() < kMaxBlankBytes ? BodyKind::more_bytes_needed
                                                                          : BodyKind::media;
}

bool offers_parts(const net::FetchHead& head) {
  if (!http::equals_ignoring_case(head.headers.first("Accept-Ranges").value_or(""), "bytes")) return false;
  if (const auto etag = head.headers.first("ETag")) return is_strong(*etag);
  // A date is a strong validator when the file could not have changed twice in its second (RFC 9110 section 8.8.2.2).
  const auto modified = http::parse_date(head.headers.first("Last-Modified").value_or(""));
  const auto date = http::parse_date(head.headers.first("Date").value_or(""));
  return modified && date && *date - *modified > std::chrono::seconds(1);
}

bool is_part_of(const SlicedFile& file, http::ByteRange wanted, const net::FetchHead& head) {
  const auto range = http::parse_content_range(head.headers.first("Content-Range").value_or(""));
  if (head.status != 206 || !unusable_body(head).empty() || !range) return false;
  if (range->range != wanted || range->whole_length != file.size) return false;
  if (head.content_length && *head.content_length != range->range.length()) return false;
  const auto now = head_of(head.headers);
  return file.head.etag.empty() ? now.last_modified < 0 || now.last_modified == file.head.last_modified
                                : now.etag == file.head.etag;
}

bool continues_body(const Received& here, const net::FetchHead& head) {
  const auto etag = head.headers.first("ETag").value_or("");
  const auto range = head.headers.first("Content-Range").value_or("");
  if (!range.starts_with(fmt::format("bytes {}-", here.bytes)) || (!etag.empty() && etag != here.etag)) return false;
  if (!here.length) return true;
  const auto missing = *here.length - here.bytes;
  return range.ends_with(fmt::format("/{}", *here.length)) && head.content_length.value_or(missing) == missing;
}

bool may_repeat(const Received& here, bool same_candidate, const net::FetchHead& head) {
  const auto etag = head.headers.first("ETag").value_or("");
  if (same_candidate && !etag.empty() && !here.etag.empty() && etag != here.etag) return false;
  return !here.length || !head.content_length || *head.content_length == *here.length;
}

}  // namespace tribune::cache_node
