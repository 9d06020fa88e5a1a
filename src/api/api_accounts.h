#pragma once
// The accounts and the shop of this role: opens the store and the keys, and owns the services and their handlers.

#include <memory>
#include <utility>
#include <vector>

#include "accounts/account_service.h"
#include "api/account_admin.h"
#include "api/account_handlers.h"
#include "api/api_settings.h"
#include "api/catalogue_admin.h"
#include "api/catalogue_pages.h"
#include "api/reset_code_hook.h"
#include "api/revocation_feed.h"
#include "api/sales_admin.h"
#include "api/session_gate.h"
#include "api/shop_handlers.h"
#include "api/viewer_entitlements.h"
#include "base/json.h"
#include "base/result.h"
#include "runtime/role.h"
#include "shop/shop_service.h"

namespace tribune::api {

/// Any thread for the handlers; the rest on the main thread, apart from health() and describe(). Destroyed after the
/// workers' loops have ended.
class ApiAccounts {
 public:
  /// Opens or creates what is in accounts.state_dir. Blocks. Errors: those of shop::open_embedded_stores(),
  /// account_key_seeds() and reset_hook_target().
  /// `pages` gets the catalogue, and must outlive this object.
  static base::Result<std::unique_ptr<ApiAccounts>> open(const ApiSettings&, std::chrono::milliseconds clock_skew,
                                                         CataloguePages& pages, runtime::Services&);
  ~ApiAccounts();
  ApiAccounts(const ApiAccounts&) = delete;
  ApiAccounts& operator=(const ApiAccounts&) = delete;

  std::vector<runtime::Route> routes();
  std::vector<runtime::Route> admin_routes();
  /// GET /api/v1/channels of a request with an Authorization field.
  void channels(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange) {
    shop_handlers_.channels(worker, std::move(exchange));
  }
  /// `target` is reset_hook_target() of the settings.
  void apply(const ApiSettings&, std::shared_ptr<const ResetHookTarget> target);
  /// The event's keys, with which other processes sign their requests.
  void set_keys(std::shared_ptr<const base::KeyRing> keys) {
    feed_.set_keys(keys);
    viewers_.set_keys(std::move(keys));
  }
  ViewerEntitlements& viewers() { return viewers_; }
  void drain() { feed_.drain(); }
  /// To be called every second, on any thread.
  void tick();
  base::Status health() const { return service_->health(); }
  /// Adds "accounts": {keys: [{id, public_key}], reset_hook?}.
  void describe(base::json::Writer&) const;

 private:
  ApiAccounts(std::unique_ptr<accounts::AccountService>, std::unique_ptr<shop::ShopService>,
              std::unique_ptr<AccountCredentials>, std::chrono::milliseconds clock_skew, const CataloguePages&,
              runtime::Services&);

  std::unique_ptr<accounts::AccountService> service_;
  std::unique_ptr<shop::ShopService> shop_;
  SessionGate gate_;
  ResetCodeHook reset_code_hook_;
  AccountHandlers handlers_;
  ShopHandlers shop_handlers_;
  AccountAdmin admin_;
  CatalogueAdmin catalogue_admin_;
  SalesAdmin sales_admin_;
  RevocationFeed feed_;
  ViewerEntitlements viewers_;
};

}  // namespace tribune::api
