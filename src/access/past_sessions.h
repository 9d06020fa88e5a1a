#pragma once
// Ended sessions whose tokens are still valid, and lapsed sessions that may resume although their tokens have expired.
//
// An entry's states
//   ended    the session was stopped, or another device of the account replaced it: its token is void   (add_ended)
//   lapsed   the session watched for so long that its token has expired since, and was not renewed in time: the token
//            opens it again until the entry expires                                                     (add_lapsed)
//   removed  it watches again, its time is over, or, at the bound, its time would have ended first
//                                                                        (remove, sweep, add_ended, add_lapsed)

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "access/sessions.h"
#include "base/metrics.h"
#include "store/store.h"

namespace tribune::access {

/// The bound on entries, unless more sessions may watch. Beyond it the entries that end first are removed, and counted
/// (tribune_access_past_sessions_dropped_total). An entry takes about 100 bytes.
inline constexpr std::size_t kMostPastSessions = 500'000;

/// Times are unix seconds. Owned by its Admission, under whose lock it is used.
class PastSessions {
 public:
  explicit PastSessions(base::Metrics&, std::size_t most = kMostPastSessions);

  /// Restores the entries of a former process; later changes are written asynchronously. Damaged records are dropped.
  base::Status load(store::Store&, std::int64_t now);

  void add_ended(SessionId, std::int64_t until);
  void add_lapsed(SessionId, std::int64_t until);
  /// Removes the entry of a session that watches again.
  void remove(SessionId);

  bool is_ended(SessionId) const;
  bool is_lapsed(SessionId, std::int64_t now) const;

  /// Removes entries whose time is over, at most 5,000. Call it once a second.
  void sweep(std::int64_t now);
  std::size_t size() const { return entries_.size(); }

 private:
  enum class Kind : std::uint8_t { ended, lapsed };
  struct Entry {
    Kind kind;
    std::int64_t until;
  };
  bool add(SessionId, Entry);
  void write(SessionId, const Entry&);
  void remove_first();
  void publish_size();

  const std::size_t most_;
  std::unordered_map<SessionId, Entry> entries_;
  std::set<std::pair<std::int64_t, SessionId>> by_end_;
  store::Store* store_ = nullptr;
  base::Gauge known_;
  base::Counter dropped_;
};

/// The table of the balancer's store that PastSessions writes.
inline constexpr std::string_view kPastTable = "access_past";

/// The key of a session in tables: its id as 8 bytes, big-endian.
std::string table_key(SessionId);
/// 0 for a text that is no key.
SessionId session_from_key(std::string_view key);

}  // namespace tribune::access
