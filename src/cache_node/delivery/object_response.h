#pragma once
// The response to a request for an object whose head and length are known: status, part, and fields. Pure functions
// (RFC 9110 sections 13 and 14, RFC 9211).

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache_node/objects/object.h"
#include "cache_node/policy/retention_rules.h"
#include "http/cache_status.h"
#include "http/message.h"
#include "http/range.h"

namespace tribune::cache_node {

/// Input for the response's fields in addition to the object's own head.
struct AnswerFacts {
  std::string_view node;
  http::CacheStatus cache;
  std::int64_t age = 0;        // seconds since the object was complete; -1: it is not complete yet
  std::int64_t link_life = 0;  // seconds until the link expires
  Retention retention;
  bool for_node = false;  // another node sent the request: it gets the origin's fields only
  std::string vary;       // the request fields that select the object's variant
};

struct Choice {
  int status = 200;          // 200, 206, 304, 412 or 416
  http::ByteRange part;      // of the body, for 200 with bytes and 206
  std::uint64_t length = 0;  // bytes to send
};

/// Handles GET and HEAD.
Choice choose(const http::Request&, const ObjectHead&, std::uint64_t length);

/// The response without its body. `length`: of the whole object.
http::Response answer(const Choice&, const ObjectHead&, std::uint64_t length, const AnswerFacts&);

/// The head of a whole body whose length is not known yet.
http::Response answer_of_unknown_length(const ObjectHead&, const AnswerFacts&);

/// The response to another node while the fill has no first byte: that node asks its next candidate, and may ask this
/// node again.
http::Response answer_while_waiting();

/// Whether the response depends on the length.
bool needs_length(const http::Request&, const ObjectHead&);

}  // namespace tribune::cache_node
