#pragma once
// GET /internal/v1/accounts/revocations: a long poll by which the other processes of the event learn which devices have
// ended (contracts/revocation_feed.h). The feed holds a poll until there is a further revocation, or until
// kRevocationHold is over.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "accounts/revocation_log.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/published.h"
#include "base/signing.h"
#include "contracts/account_token.h"
#include "contracts/revocation_feed.h"
#include "runtime/role.h"

namespace tribune::api {

/// Any thread; each poll stays on its worker. Destroyed after the workers' loops have ended.
class RevocationFeed {
 public:
  /// Polls that a worker holds; more are answered at once.
  static constexpr std::size_t kMaxHeldPerWorker = 1'000;

  /// The log and the signer outlive it. The log reports its growth to this object alone.
  RevocationFeed(accounts::RevocationLog&, const contracts::AccountTokenSigner&, std::chrono::milliseconds clock_skew,
                 runtime::Services&);

  runtime::Route route();
  /// The event's keys, with which the polls are signed. Before the first call every poll is refused.
  void set_keys(std::shared_ptr<const base::KeyRing> keys) { keys_.publish(std::move(keys)); }
  /// Answers all held polls; from now on polls are answered at once.
  void drain();

 private:
  struct HeldPoll {
    std::unique_ptr<net::Exchange> exchange;
    contracts::RevocationPoll poll;
    net::Timer timeout;
  };
  /// Used by one worker, apart from the flag.
  struct HeldPolls {
    std::uint64_t next = 0;
    std::unordered_map<std::uint64_t, HeldPoll> polls;
    std::atomic<bool> has_release{false};  // release_all() is queued on the worker's loop
  };

  void answer(runtime::Worker&, std::unique_ptr<net::Exchange>);
  base::Result<contracts::RevocationPoll> authenticated(const http::Request&) const;
  contracts::RevocationPage page_for(const contracts::RevocationPoll&) const;
  void hold(runtime::Worker&, std::unique_ptr<net::Exchange>, contracts::RevocationPoll);
  void reply(net::Exchange&, const contracts::RevocationPoll&, const contracts::RevocationPage&);
  void release(std::size_t worker, std::uint64_t key);
  void release_all(std::size_t worker);
  void release_on_all_workers();

  accounts::RevocationLog& log_;
  const contracts::AccountTokenSigner& signer_;
  const std::chrono::milliseconds clock_skew_;
  runtime::Services& services_;
  base::Counter answered_, refused_;
  base::Published<base::KeyRing> keys_{nullptr};
  std::atomic<bool> is_draining_{false};
  std::vector<std::unique_ptr<HeldPolls>> held_;  // one for each worker
};

}  // namespace tribune::api
