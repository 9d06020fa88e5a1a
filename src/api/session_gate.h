#pragma once
// What a request passes before the handlers of accounts and of the shop: the limits of its address or account, and for
// a logged-in device the check of its access token.

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <tl/expected.hpp>

#include "accounts/account_service.h"
#include "api/account_credentials.h"
#include "api/request_limits.h"
#include "base/clock.h"
#include "contracts/account_token.h"
#include "runtime/role.h"

namespace tribune::api {

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class SessionGate {
 public:
  using Exchange = std::unique_ptr<net::Exchange>;
  using Claims = contracts::AccountClaims;
  using OpenHandler = std::function<void(runtime::Worker&, Exchange)>;
  /// Of a request of a logged-in device.
  using SessionHandler = std::function<void(runtime::Worker&, Exchange, const Claims&, const http::PathParameters&)>;

  SessionGate(accounts::AccountService&, std::unique_ptr<AccountCredentials>, const base::Clock&,
              std::chrono::milliseconds clock_skew);

  runtime::Route open_route(http::Method, std::string_view pattern, OpenHandler);
  runtime::Route session_route(http::Method, std::string_view pattern, SessionHandler);
  /// The claims of the request, which is counted for its account; or the response that refuses it.
  tl::expected<std::shared_ptr<const Claims>, http::Response> pass(const runtime::Worker&, net::Exchange&);

  RequestLimits& limits() { return limits_; }
  const AccountCredentials& credentials() const { return *credentials_; }

 private:
  accounts::AccountService& service_;
  const std::unique_ptr<AccountCredentials> credentials_;
  const base::Clock& clock_;
  const std::chrono::milliseconds clock_skew_;
  RequestLimits limits_;
};

}  // namespace tribune::api
