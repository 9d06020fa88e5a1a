#include "cache_node/proxy/proxy_answer.h"

#include <algorithm>

#include "http/date.h"

namespace tribune::cache_node {
namespace {

void place(http::Response& answer, const ProxyEntry& entry, std::uint64_t first, std::uint64_t length) {
  answer.body = base::BytesSlice{entry.body, static_cast<std::size_t>(first), static_cast<std::size_t>(length)};
}

void apply_range(http::Response& answer, const ProxyEntry& entry, const http::Request& request) {
  const std::uint64_t length = entry.part ? entry.whole_length : entry.body->size();
  const auto decision = http::decide_range(request.headers.first("Range"), length);
  if (const auto* range = std::get_if<http::ByteRange>(&decision)) {
    answer.status = 206;
    answer.headers.set("Content-Range", http::content_range(*range, length));
    place(answer, entry, range->first - (entry.part ? entry.part->first : 0), range->length());
  } else if (std::holds_alternative<http::NotSatisfiable>(decision)) {
    answer.status = 416;
    answer.headers.set("Content-Range", "bytes */" + std::to_string(length));
    answer.body = std::monostate{};
  }
}

/// RFC 9111 section 4.3.2: where nothing says when the thing changed, If-Modified-Since is judged by when the answer
/// was made.
http::Precondition judge(const http::Headers& request, const ProxyEntry& entry, http::Validators validators) {
  if (!validators.last_modified && !request.first("If-Unmodified-Since"))
    validators.last_modified = http::parse_date(entry.head.headers.first("Date").value_or(""));
  return http::evaluate(request, validators);
}

}  // namespace

http::Validators validators_of(const http::Headers& headers) {
  http::Validators validators;
  validators.etag = headers.first("ETag").value_or("");
  if (const auto modified = headers.first("Last-Modified")) validators.last_modified = http::parse_date(*modified);
  return validators;
}

bool covers(const ProxyEntry& entry, const http::Headers& request) {
  if (!entry.part) return true;
  if (!http::if_range_holds(request, validators_of(entry.head.headers))) return false;
  const auto decision = http::decide_range(request.first("Range"), entry.whole_length);
  const auto* range = std::get_if<http::ByteRange>(&decision);
  return range && range->first >= entry.part->first && range->last <= entry.part->last;
}

http::Response answer_from(const ProxyEntry& entry, const http::Request& request, base::WallTime now) {
  http::Response answer;
  answer.status = entry.head.status;
  answer.headers = entry.head.headers;
  answer.headers.set("Age", std::to_string(http::current_age(entry.head, now).count()));
  place(answer, entry, 0, entry.body->size());
  if (entry.head.status != 200) return answer;
  const auto validators = validators_of(entry.head.headers);
  switch (judge(request.headers, entry, validators)) {
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
    apply_range(answer, entry, request);
  return answer;
}

ProxyEntryPtr combined(const ProxyEntryPtr& older, ProxyEntryPtr newer) {
  if (!older || !older->part || !newer->part || older->whole_length != newer->whole_length) return newer;
  const auto etag = newer->head.headers.first("ETag").value_or("");
  if (!http::etags_match_strongly(etag, older->head.headers.first("ETag").value_or(""))) return newer;
  const bool older_first = older->part->first <= newer->part->first;
  const auto& left = older_first ? *older : *newer;
  const auto& right = older_first ? *newer : *older;
  if (right.part->first > left.part->last + 1) return newer;
  auto whole = std::make_shared<ProxyEntry>(*newer);
  auto body = *left.body;
  if (right.part->last > left.part->last)
    body.append(*right.body, static_cast<std::size_t>(left.part->last + 1 - right.part->first));
  whole->body = base::share(std::move(body));
  whole->part = http::ByteRange{left.part->first, std::max(left.part->last, right.part->last)};
  if (whole->part->length() == whole->whole_length) whole->part.reset();
  return whole;
}

}  // namespace tribune::cache_node
