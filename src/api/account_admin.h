#pragma once
// The accounts at the admin listener, for `tribune ctl accounts` and other tools of operators:
//   GET  /accounts?from=&limit=&state=            POST /accounts {login, password, show_password?}
//   GET  /accounts/{login}                        POST /accounts/{login}/reset-password
//   POST /accounts/{login}/accept, /decline {reason?}, /block {reason?}, /unblock
// `limit` is a whole number from 1 to 1000, by default 1000.

#include <vector>

#include "accounts/account_service.h"
#include "api/deferred_reply.h"
#include "base/clock.h"
#include "runtime/role.h"

namespace tribune::api {

/// Any thread; each request stays on its worker.
class AccountAdmin {
 public:
  explicit AccountAdmin(accounts::AccountService& service) : service_(service) {}

  std::vector<runtime::Route> routes();

 private:
  using Exchange = std::unique_ptr<net::Exchange>;

  void list(runtime::Worker&, Exchange);
  void create(runtime::Worker&, Exchange);
  void show(runtime::Worker&, Exchange, std::string_view login);
  void issue_reset_code(runtime::Worker&, Exchange, std::string_view login);
  runtime::Route state_route(std::string_view pattern, std::vector<accounts::AccountState> from,
                             accounts::AccountState to);

  accounts::AccountService& service_;
};

}  // namespace tribune::api
