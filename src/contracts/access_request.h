#pragma once
// The request of the api role to the balancer, when an app wants to watch, asks which caches to ping, or reports which
// caches it reaches: POST /internal/v1/access, JSON, signed as heartbeats are. The response is forwarded to the app
// unchanged. Values and pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "contracts/owner.h"

namespace tribune::contracts {

struct AccessRequest {
  enum class Action { open, stop, leave, report, caches };

  Action action = Action::open;
  std::string channel;  // of `open`, `caches`, and a `report` of POST /api/v1/caches/pings
  std::string pass;     // a ticket to `open` with, or empty; a session token or ticket to `stop`, `leave` or `report`
  std::string client;   // the app's address
  std::string user_agent;     // decides which kind of links the player gets
  std::string cache;          // the cache that the app found by pinging, or empty
  std::string gone;           // for `report`: the cache that the client can no longer reach, or empty
  std::string receipts;       // for `report`: receipts of caches that it reaches, as in receipt= of a playlist request
  std::string playback_base;  // "https://balancer", the beginning of playback URLs; empty: they are paths
  bool reaches_none = false;  // for `report`: no cache answered the client's pings
  // Set for requests that the api has authenticated; otherwise empty:
  std::string account;
  std::string device;
  std::string lane;
  std::optional<EntitledDevice> entitled;  // for `open`: the account owns the channel
  bool operator==(const AccessRequest&) const = default;
};

inline constexpr std::string_view kAccessPath = "/internal/v1/access";
/// The field of a response with the name of the session (session_name()) that the request opened or showed, for the
/// access logs of both processes. The app does not get it.
inline constexpr std::string_view kSessionNameHeader = "X-Tribune-Session";
/// The maximum size of a request.
inline constexpr std::size_t kMaxAccessRequestBytes = 16 * 1024;

std::string to_json(const AccessRequest&);
/// Errors: invalid_input for a text that is malformed or too long.
base::Result<AccessRequest> access_request_from_json(std::string_view text);

}  // namespace tribune::contracts
