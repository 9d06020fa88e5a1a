#pragma once
// The endpoints of accounts: register, log in, refresh, session, devices, password, export, deletion. They parse a
// request, call the account service, and write its answer.

#include <memory>
#include <vector>

#include "accounts/account_service.h"
#include "api/deferred_reply.h"
#include "api/reset_code_hook.h"
#include "api/session_gate.h"
#include "base/clock.h"
#include "runtime/role.h"
#include "shop/shop_service.h"

namespace tribune::api {

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class AccountHandlers {
 public:
  AccountHandlers(accounts::AccountService&, shop::ShopService&, SessionGate&, ResetCodeHook&, const base::Clock&);

  std::vector<runtime::Route> routes();

 private:
  using Exchange = std::unique_ptr<net::Exchange>;
  /// A request of a logged-in device.
  using SessionHandler = void (AccountHandlers::*)(runtime::Worker&, Exchange, const contracts::AccountClaims&,
                                                   const http::PathParameters&);
  using OpenHandler = void (AccountHandlers::*)(runtime::Worker&, Exchange);

  void register_account(runtime::Worker&, Exchange);
  void log_in(runtime::Worker&, Exchange);
  void refresh(runtime::Worker&, Exchange);
  void forgot_password(runtime::Worker&, Exchange);
  void reset_password(runtime::Worker&, Exchange);
  void session(runtime::Worker&, Exchange, const contracts::AccountClaims&, const http::PathParameters&);
  void account(runtime::Worker&, Exchange, const contracts::AccountClaims&, const http::PathParameters&);
  void export_account(runtime::Worker&, Exchange, const contracts::AccountClaims&, const http::PathParameters&);
  void erase_account(runtime::Worker&, Exchange, const contracts::AccountClaims&, const http::PathParameters&);
  void change_password(runtime::Worker&, Exchange, const contracts::AccountClaims&, const http::PathParameters&);
  void devices(runtime::Worker&, Exchange, const contracts::AccountClaims&, const http::PathParameters&);
  void end_device(runtime::Worker&, Exchange, const contracts::AccountClaims&, const http::PathParameters&);
  void log_out(runtime::Worker&, Exchange, const contracts::AccountClaims&, const http::PathParameters&);

  accounts::Answered<accounts::LoggedIn> reply_with_tokens(DeferredReply);

  accounts::AccountService& service_;
  shop::ShopService& shop_;
  SessionGate& gate_;
  ResetCodeHook& reset_code_hook_;
  const base::Clock& clock_;
};

}  // namespace tribune::api
