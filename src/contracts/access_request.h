#pragma once
// What the api asks the balancer when an app wants to watch, or says which caches it reaches: POST /internal/v1/access,
// JSON, signed as heartbeats are. The answer is what the app gets, word for word. Values and pure functions.

#include <string>
#include <string_view>

#include "base/result.h"

namespace tribune::contracts {

struct AccessRequest {
  enum class Action { open, stop, leave, report };

  Action action = Action::open;
  std::string channel;  // of `open`
  std::string pass;     // a ticket to `open` with, or empty; a session token or ticket to `stop`, `leave` or `report`
  std::string client;   // the app's address
  std::string user_agent;     // it decides what links the player gets
  std::string cache;          // the cache that the app found by pinging, or empty
  std::string gone;           // of `report`: the cache that the client cannot reach any more, or empty
  std::string receipts;       // of `report`: receipts of caches that it reaches, as in receipt= of a playlist request
  std::string playback_base;  // "https://balancer", what playback URLs begin with; empty: they are paths
  // Of who is known to the api; empty for everybody else:
  std::string account;
  std::string device;
  std::string lane;
  bool operator==(const AccessRequest&) const = default;
};

inline constexpr std::string_view kAccessPath = "/internal/v1/access";
/// No request is longer.
inline constexpr std::size_t kMaxAccessRequestBytes = 16 * 1024;

std::string to_json(const AccessRequest&);
/// Errors: invalid_input for what is malformed or too long.
base::Result<AccessRequest> access_request_from_json(std::string_view text);

}  // namespace tribune::contracts
