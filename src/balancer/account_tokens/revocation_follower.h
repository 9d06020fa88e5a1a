#pragma once
// Learns from the api which devices of accounts have ended, so that this process refuses their access tokens within
// seconds. It polls the api (contracts/revocation_feed.h) and accepts only answers that are signed with one of
// event.account_keys.
//
// States
//   off        event.accounts_url is empty                                         (configure)
//   following  the last poll was answered: all revocations up to then are known    (learn)
//   behind     a poll failed; what is known stays, and polls go on                 (fail)

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "accounts/revoked_devices.h"
#include "balancer/account_tokens/accounts_api.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/published.h"
#include "contracts/revocation_feed.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// configure(), is_revoked() and describe() from any thread; the polls run on one worker. Destroyed after that worker's
/// loop has ended.
class RevocationFollower {
 public:
  RevocationFollower(const base::Clock&, base::Log&, base::Metrics&);

  /// It does not follow the api of this process, which refuses the tokens itself.
  void configure(std::shared_ptr<const AccountsApi>);
  /// Begins to poll. To be called once, on the worker's loop.
  void start(runtime::Worker&);

  /// Whether access tokens of this device are refused.
  bool is_revoked(std::uint64_t device) const { return revoked_.contains(device); }
  /// Adds "revocations": {url, devices, age_ms?} while it is not off. age_ms: how old the knowledge is; absent before
  /// the first answer.
  void describe(base::json::Writer&) const;

 private:
  void poll();
  void learn(const AccountsApi&, const std::string& nonce, base::Result<net::WholeAnswer>);
  void fail(const AccountsApi&, const std::string& why);
  void poll_after(std::chrono::milliseconds);
  std::optional<std::chrono::milliseconds> age() const;

  const base::Clock& clock_;
  base::Log& log_;
  base::Counter answered_, failed_;
  base::Gauge age_seconds_;
  base::Published<AccountsApi> feed_;
  accounts::RevokedDevices revoked_;
  mutable std::mutex mutex_;                     // guards the next member
  std::optional<base::SteadyTime> known_up_to_;  // when the poll began that was answered with the last page

  // Used on the worker's loop only.
  runtime::Worker* worker_ = nullptr;
  std::string run_;
  std::uint64_t number_ = 0;
  base::SteadyTime asked_at_{};
  std::string failure_;  // of the last poll; empty: it was answered
  std::unique_ptr<net::Fetch> fetch_;
  net::Timer next_, cleaning_;
};

}  // namespace tribune::balancer
