#pragma once
// The sessions of paid channels: until when the account of each may watch, as the api said when the session was opened
// and says again in each check.
//
// States of a session
//   unknown    check() of a session that this process did not open: it watches by its token, and is checked at once
//   entitled   the api has said so                                                       (open, apply)
//   expired    its time is over: it is checked at once, and ends `await_renewal` later, unless it was renewed   (check)
//   ending     it may not watch any more: its playlists have an end                      (apply, check)
//   ended      all its requests are refused: `ending_time` after `ending`; an unknown session at once   (apply, check)
//
// What the api has refused is remembered by account, device and channel, so that further tokens of the same viewer,
// which it may have kept in reserve, are refused without being served until their own check.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/sessions.h"
#include "balancer/settings/paid_channel_settings.h"
#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/recent_map.h"
#include "base/sharded.h"
#include "contracts/entitlement_check.h"
#include "contracts/owner.h"

namespace tribune::balancer {

/// Why a session may not watch a paid channel any more.
enum class EntitlementEnd {
  expired,     // the time that was bought is over
  withdrawn,   // it was refunded, or the product opens the channel no longer
  logged_out,  // the device, or its account
};
/// A literal, as in the problem `entitlement-ended`.
std::string_view to_string(EntitlementEnd);

/// Any thread; locks inside, held for about a microsecond. A session costs some 150 bytes.
class SessionEntitlements {
 public:
  enum class Standing { entitled, ending, ended };
  struct Status {
    Standing standing = Standing::entitled;
    EntitlementEnd why{};
    bool has_just_ended = false;  // this call is the first that returns `ended`
  };
  struct DueCheck {
    access::SessionId session = 0;
    contracts::CheckedViewer viewer;
  };

  SessionEntitlements(const base::Clock&, base::Log&, base::Metrics&);

  void configure(const PaidChannelSettings&);

  /// A session whose entitlement the api has just found, whatever was known of it before.
  void open(access::SessionId, std::string_view channel, const contracts::EntitledDevice&);
  /// For each request of a session whose token names the device.
  Status check(access::SessionId, std::string_view channel, const contracts::EntitledDevice&);
  void release(access::SessionId);

  /// The sessions that the api is to be asked about at once, and those whose turn it is. The second one is to be called
  /// once a second, on one thread.
  std::vector<DueCheck> urgent();
  std::vector<DueCheck> due();
  /// What the api said about a session that one of these returned.
  void apply(access::SessionId, const contracts::ViewerVerdict&);

  std::size_t size() const;

 private:
  struct Entry {
    contracts::EntitledDevice device;
    std::string channel;
    base::SteadyTime checked_at{}, seen_at{};
    std::optional<base::SteadyTime> expired_at, ending_at;
    EntitlementEnd why{};
    bool is_urgent = false;     // it is in urgent_
    bool is_confirmed = false;  // the api has said that it may watch
    bool has_ended = false;     // check() has returned `ended`
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<access::SessionId, Entry> entries;
  };

  /// Of an account, a device and a channel.
  base::KeyedHash::Value viewer_key(const contracts::EntitledDevice&, std::string_view channel) const;
  std::optional<EntitlementEnd> refused(const contracts::EntitledDevice&, std::string_view channel);
  void remember(const contracts::EntitledDevice&, std::string_view channel, std::optional<EntitlementEnd>);
  bool is_over(const Entry&) const;
  void note_expiry(access::SessionId, Entry&, base::SteadyTime now);
  void ask_soon(access::SessionId, Entry&);
  void begin_ending(access::SessionId, Entry&, EntitlementEnd, base::SteadyTime now);
  void collect(Shard&, base::SteadyTime now, std::vector<DueCheck>&);

  const base::Clock& clock_;
  base::Log& log_;
  base::Counter expired_, withdrawn_, logged_out_;
  std::atomic<std::chrono::milliseconds> check_period_, await_renewal_, ending_time_;
  base::Sharded<Shard> shards_;
  std::size_t next_shard_ = 0;  // used by due()
  std::mutex urgent_mutex_;     // guards urgent_; taken with a shard's lock held
  std::vector<access::SessionId> urgent_;
  const base::KeyedHash hash_;
  std::mutex refused_mutex_;  // guards refused_; taken with a shard's lock held
  base::RecentMap<base::KeyedHash::Value, EntitlementEnd, base::KeyedHashPlace> refused_;
};

}  // namespace tribune::balancer
