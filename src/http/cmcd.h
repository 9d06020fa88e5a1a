#pragma once
// The state that a player reports with a request: Common Media Client Data (CTA-5004, version 1), in the query key
// CMCD or in the headers CMCD-Request, CMCD-Object, CMCD-Status and CMCD-Session. Pure functions; malformed and
// out-of-range members are ignored and never an error. CMCD is not part of any cache key and does not cause fetches.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace tribune::http {

struct Cmcd {
  std::string session;                           // sid; at most 64 characters
  bool starved = false;                          // bs: the buffer was empty since the last request
  std::optional<std::uint32_t> buffer_ms;        // bl; up to an hour
  std::optional<std::uint32_t> bitrate_kbps;     // br, of the object; up to 1 Gbit/s
  std::optional<std::uint32_t> throughput_kbps;  // mtp, as measured; up to 100 Gbit/s
  bool names_next = false;                       // nor

  bool empty() const {
    return session.empty() && !starved && !buffer_ms && !bitrate_kbps && !throughput_kbps && !names_next;
  }
};

/// The number of members that are read from one text; further ones are ignored.
inline constexpr int kMaxCmcdMembers = 64;

/// Reads the members of a text such as `bl=21300,bs,sid="6e2fb550"`.
void parse_cmcd(std::string_view text, Cmcd&);

/// nullopt when the request has none. The query takes precedence over the headers.
std::optional<Cmcd> read_cmcd(const Headers&, std::string_view query);

}  // namespace tribune::http
