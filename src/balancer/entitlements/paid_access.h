#pragma once
// Whether a session may watch its channel: the rule that every URL of a paid channel obeys. A free channel is not
// looked up.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "balancer/entitlements/entitlement_checker.h"
#include "balancer/entitlements/session_entitlements.h"
#include "contracts/event.h"
#include "contracts/owner.h"
#include "http/message.h"

namespace tribune::balancer {

/// Any thread. The parts outlive it.
class PaidAccess {
 public:
  /// `on_ended` is called in the first check that refuses a session whose entitlement has ended.
  PaidAccess(SessionEntitlements& sessions, const EntitlementChecker& checker,
             std::function<void(access::SessionId)> on_ended)
      : sessions_(sessions), checker_(checker), on_ended_(std::move(on_ended)) {}

  struct Verdict {
    /// The problem purchase-required, for a session that was opened without the entitlement, or entitlement-ended;
    /// nullopt: the session may watch.
    std::optional<http::Response> refusal;
    bool is_ending = false;  // its playlists have an end now
  };
  Verdict check(const contracts::Channel& channel, access::SessionId session, const contracts::Owner& owner) {
    return channel.access == contracts::ChannelAccess::free ? Verdict{} : check_paid(channel, session, owner);
  }

  /// 403 with "products", the ids of those that open the channel.
  http::Response purchase_required(std::string_view channel) const;

  SessionEntitlements& sessions() { return sessions_; }

 private:
  Verdict check_paid(const contracts::Channel&, access::SessionId, const contracts::Owner&);

  SessionEntitlements& sessions_;
  const EntitlementChecker& checker_;
  const std::function<void(access::SessionId)> on_ended_;
};

}  // namespace tribune::balancer
