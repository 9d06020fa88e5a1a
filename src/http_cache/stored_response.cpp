#include "http_cache/stored_response.h"

#include <algorithm>
#include <utility>

#include "http/date.h"
#include "http/vary.h"

namespace tribune::http_cache {
namespace {

constexpr std::size_t kMaxSlices = 64;  // of a combined part; each request with a range may add one

void apply_range(SlicedAnswer& answer, const StoredResponse& stored, const http::Request& request) {
  const std::uint64_t length = stored.part ? stored.whole_length : stored.body.size();
  const auto decision = http::decide_range(request.headers.first("Range"), length);
  if (const auto* range = std::get_if<http::ByteRange>(&decision)) {
    answer.head.status = 206;
    answer.head.headers.set("Content-Range", http::content_range(*range, length));
    answer.body = stored.body.part(range->first - (stored.part ? stored.part->first : 0), range->length());
  } else if (std::holds_alternative<http::NotSatisfiable>(decision)) {
    answer.head.status = 416;
    answer.head.headers.set("Content-Range", "bytes */" + std::to_string(length));
    answer.body = {};
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

bool covers(const StoredResponse& stored, const http::Request& request) {
  if (!stored.part) return true;
  if (request.method != http::Method::get) return false;  // ranges are defined for GET only
  if (!http::if_range_holds(request.headers, validators_of(stored.head.headers))) return false;
  const auto decision = http::decide_range(request.headers.first("Range"), stored.whole_length);
  const auto* range = std::get_if<http::ByteRange>(&decision);
  return range && range->first >= stored.part->first && range->last <= stored.part->last;
}

StoredResponse stored_head(http::StoredHead head, const http::Headers& request) {
  StoredResponse stored;
  stored.vary = head.headers.joined("Vary").value_or("");
  stored.variant = http::variant_key(head.headers, request);
  stored.language = http::language_of_variant(head.headers);
  stored.head = std::move(head);
  return stored;
}

SlicedAnswer answer_from(const StoredResponse& stored, const http::Request& request, base::WallTime now) {
  SlicedAnswer answer;
  auto& head = answer.head;
  head.status = stored.head.status;
  head.headers = stored.head.headers;
  head.headers.set("Age", std::to_string(http::current_age(stored.head, now).count()));
  answer.body = stored.body;
  if (stored.head.status != 200) return answer;
  const auto validators = validators_of(stored.head.headers);
  switch (evaluate(request.headers, stored, validators)) {
    case http::Precondition::not_modified:
      head.status = 304;
      for (const auto* name : {"Content-Encoding", "Content-Language", "Content-Type"}) head.headers.remove(name);
      answer.body = {};
      return answer;
    case http::Precondition::failed:
      head.status = 412;
      answer.body = {};
      return answer;
    case http::Precondition::proceed: break;
  }
  if (request.method == http::Method::get && request.headers.first("Range") &&
      http::if_range_holds(request.headers, validators))
    apply_range(answer, stored, request);
  return answer;
}

StoredResponsePtr combined(const StoredResponsePtr& older, StoredResponsePtr newer, std::uint64_t max_bytes) {
  if (!older || !older->part || !newer->part || older->whole_length != newer->whole_length) return newer;
  const auto etag = newer->head.headers.first("ETag").value_or("");
  if (!http::etags_match_strongly(etag, older->head.headers.first("ETag").value_or(""))) return newer;
  const bool older_first = older->part->first <= newer->part->first;
  const auto& left = older_first ? *older : *newer;
  const auto& right = older_first ? *newer : *older;
  auto longer = std::make_shared<StoredResponse>(*newer);
  if (older->part->length() > newer->part->length()) {
    longer->body = older->body;
    longer->part = older->part;
  }
  if (right.part->first > left.part->last + 1) return longer;
  auto both = std::make_shared<StoredResponse>(*newer);
  both->body = left.body;
  if (right.part->last > left.part->last) {
    const auto shared = left.part->last + 1 - right.part->first;
    const auto rest = right.body.part(shared, right.part->length() - shared);
    for (const auto& slice : rest.slices()) both->body.append(slice);
  }
  both->part = http::ByteRange{left.part->first, std::max(left.part->last, right.part->last)};
  if (both->body.held_bytes() > max_bytes || both->body.slices().size() > kMaxSlices) return longer;
  if (both->part->length() == both->whole_length) both->part.reset();
  return both;
}

}  // namespace tribune::http_cache
