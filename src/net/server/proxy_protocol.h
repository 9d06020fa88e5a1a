#pragma once
// The PROXY header, versions 1 and 2, that a trusted proxy puts before the first byte of a connection. Pure functions.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/client_address.h"

namespace tribune::net {

/// No header is longer: version 1 has at most 107 bytes, a version 2 header with more than this is refused.
inline constexpr std::size_t kMaxProxyHeaderBytes = 16 + 2048;

struct ProxyHeader {
  enum class State { incomplete, invalid, complete };
  State state = State::invalid;
  std::size_t length = 0;           // of the header in bytes, when complete
  std::optional<IpAddress> client;  // nothing for LOCAL and UNKNOWN: the peer speaks for itself
  std::uint16_t client_port = 0;
};

/// Reads the header that must begin at the first byte. Any prefix of a valid header is incomplete.
ProxyHeader read_proxy_header(std::string_view bytes);

}  // namespace tribune::net
