#pragma once
// Evaluates the head of one response to a fill: whether it is usable, which object it describes, and which failure it
// is otherwise. FillRunner has the fill's state. Pure functions.

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

/// The failure for a failed fetch.
FillFailure failure_of(const base::Error&);
FillFailure failure_of_status(int status);

/// The origin's status in another node's response; nullopt when the response does not have it.
std::optional<int> origin_status_of(const http::Headers&);
/// The failure for another node's response without the origin's status.
FillFailure failure_of_node(std::string_view name, int status);
/// Adds the fields that another node reads in addition to a problem document.
void add_verdict(http::Headers&, const FillFailure&);

/// Whether a server may answer so because of who asks, as when a node's address is not on its list: 401, 403, 451.
bool is_refusal(int status);
/// Whether a listed segment with this status may soon exist.
bool is_about_to_exist(int status);
bool is_strong(std::string_view etag);

/// The head of the object in the response, without the terms, which are used only when the retention rule uses them.
ObjectHead head_of(const http::Headers&);

/// The fields that revalidate the stale object. ETags that this node made mean nothing to an origin.
http::Headers conditions_of(const ObjectHead& previous, bool for_node);

/// The reason why the body of a 200 must not be stored or forwarded, whatever its length; empty when it may be.
std::string_view unusable_body(const net::FetchHead&);

/// What the first bytes of a 200 show about a body that should be media.
enum class BodyKind { media, more_bytes_needed, empty, html_page };
/// Whether body_kind() must see bytes before the body may be forwarded: other heads show that there is media, or at
/// least nothing recognisable.
bool must_see_bytes(const net::FetchHead&);
/// Encrypted media looks random, so unknown bytes are media. Recognised are only an HTML page, by its Content-Type and
/// its first bytes (as in MIME Sniffing section 7.1), and an empty body, unless it is a subtitle segment: packagers
/// write empty ones where nobody speaks. `is_end`: no bytes follow.
BodyKind body_kind(const net::FetchHead&, std::string_view first_bytes, bool is_end);

/// Whether the sender supports ranges and identifies the file's version.
bool offers_parts(const net::FetchHead&);

/// Whether it is exactly the range `wanted` of the known version of the file.
bool is_part_of(const SlicedFile&, http::ByteRange wanted, const net::FetchHead&);

/// The part of an interrupted body that has been received.
struct Received {
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> length;  // announced length of the whole body
  std::string_view etag;
};
/// A 206 that continues the body where it was interrupted.
bool continues_body(const Received&, const net::FetchHead&);
/// A 200 that starts again and may be the same body. Its ETag decides when the same candidate sent the first
/// response: another candidate may tag the same bytes differently.
bool may_repeat(const Received&, bool same_candidate, const net::FetchHead&);

}  // namespace tribune::cache_node
