#pragma once
// The accounts of this role: opens the store and the keys, and owns the service and its handlers.

#include <memory>
#include <vector>

#include "accounts/account_service.h"
#include "api/account_admin.h"
#include "api/account_handlers.h"
#include "api/api_settings.h"
#include "api/reset_code_hook.h"
#include "api/revocation_feed.h"
#include "base/json.h"
#include "base/result.h"
#include "runtime/role.h"

namespace tribune::api {

/// Any thread for the handlers; the rest on the main thread, apart from health() and describe(). Destroyed after the
/// workers' loops have ended.
class ApiAccounts {
 public:
  /// Opens or creates what is in accounts.state_dir. Blocks. Errors: those of shop::open_embedded_stores(),
  /// account_key_seeds() and reset_hook_target().
  static base::Result<std::unique_ptr<ApiAccounts>> open(const ApiSettings&, std::chrono::milliseconds clock_skew,
                                                         runtime::Services&);
  ~ApiAccounts() { service_.reset(); }  // its callbacks use the hook, the handlers and the feed
  ApiAccounts(const ApiAccounts&) = delete;
  ApiAccounts& operator=(const ApiAccounts&) = delete;

  std::vector<runtime::Route> routes();
  std::vector<runtime::Route> admin_routes() { return admin_.routes(); }
  /// `target` is reset_hook_target() of the settings.
  void apply(const ApiSettings&, std::shared_ptr<const ResetHookTarget> target);
  /// The event's keys, with which other processes sign their requests.
  void set_keys(std::shared_ptr<const base::KeyRing> keys) { feed_.set_keys(std::move(keys)); }
  void drain() { feed_.drain(); }
  /// To be called every second, on any thread.
  void tick() { service_->tick(); }
  base::Status health() const { return service_->health(); }
  /// Adds "accounts": {keys: [{id, public_key}], reset_hook?}.
  void describe(base::json::Writer&) const;

 private:
  ApiAccounts(std::unique_ptr<accounts::AccountService>, std::unique_ptr<AccountCredentials>,
              std::chrono::milliseconds clock_skew, runtime::Services&);

  std::unique_ptr<accounts::AccountService> service_;
  ResetCodeHook reset_code_hook_;
  AccountHandlers handlers_;
  AccountAdmin admin_;
  RevocationFeed feed_;
};

}  // namespace tribune::api
