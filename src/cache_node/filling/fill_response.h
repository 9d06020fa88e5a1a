#pragma once
// What the head of one answer to a fill says: whether it can be used, what it makes of the object, and what it is to a
// viewer when it cannot. The fill's state is the runner's (fill_runner.h). Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cache_node/objects/fill.h"
#include "cache_node/objects/object.h"
#include "cache_node/objects/sliced_files.h"
#include "http/message.h"
#include "http/range.h"
#include "net/client/http_client.h"

namespace tribune::cache_node {

/// What a failed fetch is to a viewer.
FillFailure failure_of(const base::Error&);
FillFailure failure_of_status(int status);

/// The origin's own status in another node's answer; nothing when the node does not say what the origin said.
std::optional<int> origin_status_of(const http::Headers&);
/// What another node's answer is that says nothing of the origin.
FillFailure failure_of_node(std::string_view name, int status);
/// What another node hears beside a problem document.
void add_verdict(http::Headers&, const FillFailure&);

/// A segment that is listed may be there in a moment.
bool is_about_to_exist(int status);
bool is_strong(std::string_view etag);

/// Of the object that the answer brings; without the terms, which count only where the origin is asked about them.
ObjectHead head_of(const http::Headers&);

/// By which a place may say that the stale object is still right. Tags that are our own say nothing to an origin.
http::Headers conditions_of(const ObjectHead& previous, bool for_node);

/// Why the body of a 200 is nothing to keep or hand on, whatever its length; empty when it is.
std::string_view unusable_body(const net::FetchHead&);

/// Whether its sender hands out parts of the file and says which version they are of.
bool offers_parts(const net::FetchHead&);

/// Exactly `wanted`, of the version that the file is known by.
bool is_part_of(const SlicedFile&, http::ByteRange wanted, const net::FetchHead&);

/// What is here already of a body that broke off.
struct Received {
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> length;  // of the whole, as announced
  std::string_view etag;
};
/// A 206 that goes on where the body broke.
bool continues_body(const Received&, const net::FetchHead&);
/// A 200 that begins anew and may be the same body. Its tag decides when it is `same_candidate` that sent the first
/// one: another place may tag the same bytes otherwise.
bool may_repeat(const Received&, bool same_candidate, const net::FetchHead&);

}  // namespace tribune::cache_node
