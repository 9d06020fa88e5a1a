#pragma once
// What a client asks, as the plain cache asks the origin for it: the fields that go on, the target, and the key under
// which the answer is kept. The key holds the scheme, the host and the target, so whatever the origin is told beside a
// field of the request is part of it; the fields are what Vary chooses by. Pure functions.

#include <string>
#include <string_view>

#include "cache_node/proxy/proxy_settings.h"
#include "http/message.h"
#include "net/server/exchange.h"

namespace tribune::cache_node {

/// Values; immutable once made.
struct ProxyQuestion {
  http::Request request;  // its fields are those that the origin gets, but for Via; the host in its one spelling
  std::string key;        // "http://host/path?query"
  std::string target;     // "/path?query"
  bool is_host_served = true;
  bool may_go_on = true;  // false: Max-Forwards of OPTIONS is used up
};

ProxyQuestion question_of(http::Request, const net::Arrival&, const ProxySettings&);

/// The same target at the other scheme.
std::string key_at(std::string_view scheme, std::string_view host, std::string_view target);

/// For the settings: whether the text may stand in `hosts`, in `pass_fields`.
bool is_host_entry(std::string_view);
bool may_be_passed(std::string_view field_name);

}  // namespace tribune::cache_node
