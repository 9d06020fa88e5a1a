#include "cache_node/delivery/object_response.h"

#include <fmt/format.h>

#include <algorithm>

#include "contracts/peer_mark.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/problem.h"

namespace tribune::cache_node {

namespace {

http::Validators validators_of(const ObjectHead& head) {
  http::Validators validators{head.etag, std::nullopt};
  if (head.last_modified >= 0) validators.last_modified = base::WallTime(std::chrono::seconds(head.last_modified));
  return validators;
}

/// Cache-Control and its variants: the origin's own when the retention rule uses them. Otherwise, without a rule, the
/// bytes of a link never change: they may be stored while the link is valid, counted from their age.
void add_freshness(http::Headers& headers, const ObjectHead& head, const AnswerFacts& facts, std::int64_t age) {
  const auto& retention = facts.retention;
  if (retention.asks_origin() && (facts.for_node || retention.by == Retention::By::origin || !head.terms.empty())) {
    if (!head.terms.cache_control.empty()) headers.add("Cache-Control", head.terms.cache_control);
    if (!head.terms.cdn_cache_control.empty()) headers.add("CDN-Cache-Control", head.terms.cdn_cache_control);
    return;
  }
  const auto life = std::max<std::int64_t>(facts.link_life, 0) + age;
  headers.add("Cache-Control",
              retention.by != Retention::By::time ? fmt::format("public, max-age={}, immutable", life)
              : retention.time.count() == 0
                  ? std::string("no-cache")
                  : fmt::format("public, max-age={}", std::min(life, std::int64_t{retention.time.count()})));
}

/// The fields that a 200, a 206 and a 304 share (RFC 9110 section 15.4.5).
void add_shared_fields(http::Headers& headers, const ObjectHead& head, const AnswerFacts& facts) {
  const auto age = std::max<std::int64_t>(facts.age, 0) + head.terms.age.count();
  add_freshness(headers, head, facts, age);
  if (facts.age >= 0 || age > 0) headers.add("Age", fmt::format("{}", age));
  headers.add("Cache-Status", http::cache_status(facts.node, facts.cache));
  if (!head.etag.empty()) headers.add("ETag", head.etag);
  if (!facts.vary.empty()) headers.add("Vary", facts.vary);
  if (facts.for_node && !head.tags.empty())
    headers.add(
        "Surrogate-Key",
        std::string_view(head.tags).substr(1));  // without them the other node's copy would survive a purge by tag
}

void add_body_fields(http::Headers& headers, const ObjectHead& head) {
  headers.add("Accept-Ranges", "bytes");
  headers.add("Content-Type", head.content_type);
  if (head.last_modified >= 0)
    headers.add("Last-Modified", http::format_date(base::WallTime(std::chrono::seconds(head.last_modified))));
}

}  // namespace

Choice choose(const http::Request& request, const ObjectHead& head, std::uint64_t length) {
  const auto validators = validators_of(head);
  Choice choice;
  switch (http::evaluate(request.headers, validators)) {
    case http::Precondition::not_modified: choice.status = 304; return choice;
    case http::Precondition::failed: choice.status = 412; return choice;
    case http::Precondition::proceed: break;
  }
  choice.length = length;
  if (length > 0) choice.part = {0, length - 1};
  const auto range = request.headers.first("Range");
  // Ranges are defined for GET only (RFC 9110 section 14.2).
  if (!range || request.method != http::Method::get || request.headers.count("Range") > 1 ||
      !http::if_range_holds(request.headers, validators))
    return choice;
  const auto decision = http::decide_range(range, length);
  if (const auto* part = std::get_if<http::ByteRange>(&decision)) {
    choice = {206, *part, part->length()};
  } else if (std::holds_alternative<http::NotSatisfiable>(decision)) {
    choice = {416, {}, 0};
  }
  return choice;
}

http::Response answer(const Choice& choice, const ObjectHead& head, std::uint64_t length, const AnswerFacts& facts) {
  http::Response response;
  if (choice.status == 416) {
    response = http::problem(http::problems::range_not_satisfiable, fmt::format("the object has {} bytes", length));
    response.headers.add("Content-Range", fmt::format("bytes */{}", length));
    response.headers.add("Cache-Status", http::cache_status(facts.node, facts.cache));
    return response;
  }
  response.status = choice.status;
  if (choice.status == 412) {
    response.headers.add("Cache-Control", "no-store");
    return response;
  }
  add_shared_fields(response.headers, head, facts);
  if (choice.status == 304) return response;
  add_body_fields(response.headers, head);
  if (choice.status == 206) response.headers.add("Content-Range", http::content_range(choice.part, length));
  return response;
}

http::Response answer_of_unknown_length(const ObjectHead& head, const AnswerFacts& facts) {
  http::Response response;
  add_shared_fields(response.headers, head, facts);
  add_body_fields(response.headers, head);
  return response;
}

http::Response answer_while_waiting() {
  auto response = http::problem(http::problems::node_unavailable, "this node is waiting for the origin");
  response.headers.add(contracts::kVerdictHeader, contracts::kVerdictWaiting);
  return response;
}

bool needs_length(const http::Request& request, const ObjectHead& head) {
  if (request.method == http::Method::head) return true;
  // Validators first: a 304 or 412 needs no length; an ETag that is only known at the end does.
  for (const char* name : {"If-Match", "If-None-Match", "If-Range", "If-Modified-Since", "If-Unmodified-Since"})
    if (request.headers.first(name)) return head.etag.empty() || request.headers.first("Range").has_value();
  const auto range = request.headers.first("Range");
  return range && *range != "bytes=0-";
}

}  // namespace tribune::cache_node
