#pragma once
// Appends bytes and bodies to libevent's output buffer of a connection. Files and large shared bytes are referenced,
// not copied. All functions throw std::bad_alloc when memory is exhausted. Functions without state.

#include <event2/buffer.h>

#include <cstdint>
#include <string_view>

#include "base/memory.h"
#include "http/message.h"

namespace tribune::net {

/// sendfile(2) and evbuffer count in less than 2 GiB.
inline constexpr std::uint64_t kMaxFileSegment = 1ull << 30;

/// Throws std::bad_alloc where libevent returns an error for exhausted memory.
inline void append_bytes(evbuffer* out, std::string_view bytes) {
  if (evbuffer_add(out, bytes.data(), bytes.size()) != 0) base::out_of_memory();
}

/// Appends the body without its first `skip` bytes.
void append_body(evbuffer* out, http::Body&& body, std::uint64_t skip);

}  // namespace tribune::net
