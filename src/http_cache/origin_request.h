#pragma once
// A client's request as the plain cache sends it to the origin: the forwarded fields, the target, and the key of the
// stored response. The key contains the scheme, the host and the target, which is all that the origin learns apart from
// the request's fields; Vary selects by those. Pure functions.

#include <string>
#include <string_view>

#include "http/message.h"
#include "http_cache/http_cache_settings.h"
#include "net/server/exchange.h"

namespace tribune::http_cache {

/// Values; immutable once made.
struct OriginRequest {
  http::Request request;  // with the fields that the origin receives, except Via; the host is normalized
  std::string key;        // "http://host/path?query"
  std::string target;     // "/path?query"
  bool is_host_served = true;
  bool may_be_forwarded = true;  // false: Max-Forwards of OPTIONS is 0
};

OriginRequest to_origin_request(http::Request, const net::Arrival&, const HttpCacheSettings&);

/// The key of a target at this scheme and host.
std::string key_at(std::string_view scheme, std::string_view host, std::string_view target);

/// Whether the setting `hosts` may contain the text.
bool is_host_entry(std::string_view);
/// Whether the setting `pass_fields` may contain the name.
bool may_be_passed(std::string_view field_name);

}  // namespace tribune::http_cache
