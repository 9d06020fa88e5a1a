#pragma once
// Parses the PROXY header, version 1 or 2, that a trusted proxy sends before the first byte of a connection. Pure
// functions.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/client_address.h"

namespace tribune::net {

/// The longest header that is accepted. Version 1 has at most 107 bytes; a longer header of version 2 is invalid.
inline constexpr std::size_t kMaxProxyHeaderBytes = 16 + 2048;

struct ProxyHeader {
  enum class State { incomplete, invalid, complete };
  State state = State::invalid;
  std::size_t length = 0;           // of the header in bytes, when complete
  std::optional<IpAddress> client;  // nullopt for LOCAL and UNKNOWN: the peer is the client
  std::uint16_t client_port = 0;
};

/// Reads the header that must begin at the first byte. Any prefix of a valid header is incomplete.
ProxyHeader read_proxy_header(std::string_view bytes);

}  // namespace tribune::net
