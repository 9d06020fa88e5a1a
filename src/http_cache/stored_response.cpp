#include "http_cache/stored_response.h"

#include <algorithm>

#include "http/date.h"

namespace tribune::http_cache {
namespace {

void set_body(http::Response& answer, const StoredResponse& stored, std::uint64_t first, std::uint64_t length) {
  answer.body = base::BytesSlice{stored.body, static_cast<std::size_t>(first), static_cast<std::size_t>(length)};
}

void apply_range(http::Response& answer, const StoredResponse& stored, const http::Request& request) {
  const std::uint64_t length = stored.part ? stored.whole_length : stored.body->size();
  const auto decision = http::decide_range(request.headers.first("Range"), length);
  if (const auto* range = std::get_if<http::ByteRange>(&decision)) {
    answer.status = 206;
    answer.headers.set("Content-Range", http::content_range(*range, length));
    set_body(answer, stored, range->first - (stored.part ? stored.part->first : 0), range->length());
  } else if (std::holds_alternative<http::NotSatisfiable>(decision)) {
    answer.status = 416;
    answer.headers.set("Content-Range", "bytes */" + std::to_string(length));
    answer.body = std::monostate{};
  }
}

/// Without Last-Modified, If-Modified-Since is compared with Date (RFC 9111 section 4.3.2).
http::Precondition evaluate(const http::Headers& request, const StoredResponse& stored, http::Validators validators) {
  if (!validators.last_modified && !request.first("If-Unmodified-Since"))
    validators.last_modified = http::parse_date(stored.head.headers.first("Date").value_or(""));
  return http::evaluate(request, validators);
}

}  // namespace

http::Validators validators_of(const http::Headers& headers) {
  http::Validators validators;
  validators.etag = headers.first("ETag").value_or("");
  if (const auto modified = headers.first("Last-Modified")) validators.last_modified = http::parse_date(*modified);
  return validators;
}

bool covers(const StoredResponse& stored, const http::Headers& request) {
  if (!stored.part) return true;
  if (!http::if_range_holds(request, validators_of(stored.head.headers))) return false;
  const auto decision = http::decide_range(request.first("Range"), stored.whole_length);
  const auto* range = std::get_if<http::ByteRange>(&decision);
  return range && range->first >= stored.part->first && range->last <= stored.part->last;
}

http::Response answer_from(const StoredResponse& stored, const http::Request& request, base::WallTime now) {
  http::Response answer;
  answer.status = stored.head.status;
  answer.headers = stored.head.headers;
  answer.headers.set("Age", std::to_string(http::current_age(stored.head, now).count()));
  set_body(answer, stored, 0, stored.body->size());
  if (stored.head.status != 200) return answer;
  const auto validators = validators_of(stored.head.headers);
  switch (evaluate(request.headers, stored, validators)) {
    case http::Precondition::not_modified:
      answer.status = 304;
      for (const auto* name : {"Content-Encoding", "Content-Language", "Content-Type"}) answer.headers.remove(name);
      answer.body = std::monostate{};
      return answer;
    case http::Precondition::failed:
      answer.status = 412;
      answer.body = std::monostate{};
      return answer;
    case http::Precondition::proceed: break;
  }
  if (request.method == http::Method::get && request.headers.first("Range") &&
      http::if_range_holds(request.headers, validators))
    apply_range(answer, stored, request);
  return answer;
}

StoredResponsePtr combined(const StoredResponsePtr& older, StoredResponsePtr newer) {
  if (!older || !older->part || !newer->part || older->whole_length != newer->whole_length) return newer;
  const auto etag = newer->head.headers.first("ETag").value_or("");
  if (!http::etags_match_strongly(etag, older->head.headers.first("ETag").value_or(""))) return newer;
  const bool older_first = older->part->first <= newer->part->first;
  const auto& left = older_first ? *older : *newer;
  const auto& right = older_first ? *newer : *older;
  if (right.part->first > left.part->last + 1) return newer;
  auto whole = std::make_shared<StoredResponse>(*newer);
  auto body = *left.body;
  if (right.part->last > left.part->last)
    body.append(*right.body, static_cast<std::size_t>(left.part->last + 1 - right.part->first));
  whole->body = base::share(std::move(body));
  whole->part = http::ByteRange{left.part->first, std::max(left.part->last, right.part->last)};
  if (whole->part->length() == whole->whole_length) whole->part.reset();
  return whole;
}

}  // namespace tribune::http_cache
