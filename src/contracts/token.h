#pragma once
// A session token: the element `~{token}` of playlist paths. Self-contained, so that it stays valid after a restart of
// the balancer. Values and pure functions.
//
//   {key id}.{base64url of: version and links mode, opened, session, mark of the first node, owner, MAC}
//   (signed_payload.h)

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/signing.h"
#include "contracts/event.h"
#include "contracts/owner.h"

namespace tribune::contracts {

using SessionId = std::uint64_t;

struct Token {
  std::string channel;
  SessionId session = 0;
  std::int64_t opened = 0;                // unix seconds, to 2106
  LinksMode links = LinksMode::redirect;  // resolved at opening, never `automatic`
  std::uint32_t first_node = 0;           // node_mark() of the session's first node; 0: none, or of a former version
  Owner owner{};                          // empty without an account, which makes the text shorter
  bool operator==(const Token&) const = default;
};

inline constexpr std::size_t kMaxTokenCharacters = 161;

/// 24 bits of a node's id, never 0; 0 for none.
std::uint32_t node_mark(std::string_view id);

/// At most kMaxTokenCharacters of base64url and '.', 60 without an account; the channel is signed and not contained.
/// Empty when the ring cannot sign or the value cannot be written.
std::string write_token(const base::KeyRing&, const Token&, base::WallTime now);

/// The age of the token is not checked, as for tickets. Errors: forbidden for a forged, damaged or other channel's
/// token, or one from the future by more than `skew`.
base::Result<Token> read_token(const base::KeyRing&, std::string_view channel, std::string_view text,
                               base::WallTime now, std::chrono::milliseconds skew);

/// As read_token(), but also accepts a token after the end of its key and one from the future. For callers that know
/// from another source that the token is in use.
base::Result<Token> read_token_out_of_time(const base::KeyRing&, std::string_view channel, std::string_view text);

/// The text of a session id in logs: 16 hex digits.
std::string session_name(SessionId);

}  // namespace tribune::contracts
