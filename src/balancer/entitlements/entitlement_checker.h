#pragma once
// Asks the api every second whether the sessions of paid channels may still watch (contracts/entitlement_check.h), and
// which products open each paid channel. It accepts only answers that are signed with one of event.account_keys, or by
// this process.
//
// States
//   off        no channel is paid, or neither event.accounts_url nor this process names an api (configure)
//   checking   the last check was answered                                         (take)
//   behind     a check failed: what is known stays, and checks go on               (fail)

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/account_tokens/accounts_api.h"
#include "balancer/entitlements/session_entitlements.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/published.h"
#include "contracts/entitlement_check.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// configure(), products() and describe() from any thread; the checks run on one worker. Destroyed after that worker's
/// loop has ended.
class EntitlementChecker {
 public:
  EntitlementChecker(const base::Clock&, base::Log&, base::Metrics&, SessionEntitlements&);

  /// Without paid channels it is off.
  void configure(std::shared_ptr<const AccountsApi>, bool has_paid_channels);
  /// Begins to check. To be called once, on the worker's loop.
  void start(runtime::Worker&);

  /// The products that open the channel; none before the api was asked.
  std::vector<std::string> products(std::string_view channel) const;
  /// Adds "entitlements": {url, sessions, age_ms?} while it is not off. age_ms: since the last check that was answered.
  void describe(base::json::Writer&) const;

 private:
  using Offers = std::map<std::string, std::vector<std::string>, std::less<>>;

  void tick();
  void ask();
  void take(const AccountsApi&, base::Result<net::WholeAnswer>);
  base::Status verify(const AccountsApi&, const net::WholeAnswer&) const;
  void apply(const AccountsApi&, contracts::EntitlementAnswer);
  void fail(const AccountsApi&, const std::string& why);
  std::optional<std::chrono::milliseconds> age() const;

  const base::Clock& clock_;
  base::Log& log_;
  SessionEntitlements& sessions_;
  base::Counter answered_, failed_;
  base::Gauge age_seconds_;
  base::Published<AccountsApi> api_;  // with an empty url it is off
  base::Published<Offers> offers_;
  mutable std::mutex mutex_;                     // guards the next member
  std::optional<base::SteadyTime> answered_at_;  // when the last check was made that was answered

  // Used on the worker's loop only.
  runtime::Worker* worker_ = nullptr;
  std::vector<SessionEntitlements::DueCheck> due_;  // not answered yet
  std::vector<access::SessionId> asked_;            // in the order of check_.viewers
  contracts::EntitlementCheck check_;               // being answered
  base::SteadyTime asked_at_{};
  std::optional<base::SteadyTime> offers_at_;  // when the offers were asked for that are known
  std::string failure_;                        // of the last check; empty: it was answered
  std::unique_ptr<net::Fetch> fetch_;          // null: no check is being answered
  net::Timer ticking_;
};

}  // namespace tribune::balancer
