#pragma once
// What must be known of sessions that are over, beyond what their tokens say.
//
// An entry
//   ended   the session was stopped, or another device took its place: its token opens nothing, until the token has
//   expired   (end) away    the session watched for so long that its token has expired since, and was released because
//   nobody renewed it: the token
//           opens it again until the entry ends (away)
//   gone    its time is over, or, at the bound, its time would have ended first (sweep, end, away)

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

/// More are not remembered, where no more may watch either: those that end first are forgotten, and counted
/// (tribune_access_past_sessions_dropped_total). About 100 bytes each.
inline constexpr std::size_t kMostPastSessions = 500'000;

/// Times are unix seconds. Owned by its Admission, under whose lock it is used.
class PastSessions {
 public:
  explicit PastSessions(base::Metrics&, std::size_t most = kMostPastSessions);

  /// Takes up what a former process wrote; from then on changes are written behind. Damaged records are dropped.
  base::Status load(store::Store&, std::int64_t now);

  void end(SessionId, std::int64_t until);
  void away(SessionId, std::int64_t until);
  /// It watches again.
  void come_back(SessionId);

  bool is_ended(SessionId) const;
  bool is_away(SessionId, std::int64_t now) const;

  /// Forgets what is over, a few thousand entries at most. Once a second.
  void sweep(std::int64_t now);
  std::size_t size() const { return entries_.size(); }

 private:
  enum class Kind : std::uint8_t { ended, away };
  struct Entry {
    Kind kind;
    std::int64_t until;
  };
  bool add(SessionId, Entry);
  void write(SessionId, const Entry&);
  void forget_first();
  void count();

  const std::size_t most_;
  std::unordered_map<SessionId, Entry> entries_;
  std::set<std::pair<std::int64_t, SessionId>> by_end_;
  store::Store* store_ = nullptr;
  base::Gauge known_;
  base::Counter dropped_;
};

/// The table of the balancer's store that PastSessions writes.
inline constexpr std::string_view kPastTable = "access_past";

/// The key of a session in tables: 8 bytes, the highest first.
std::string table_key(SessionId);
/// 0 for a text that is none.
SessionId session_from_key(std::string_view key);

}  // namespace tribune::access
