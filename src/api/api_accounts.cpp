#include "api/api_accounts.h"

#include <future>

#include "base/encoding.h"
#include "shop/embedded_stores.h"

namespace tribune::api {
namespace {

base::Result<bool> has_no_accounts(accounts::AccountStore& store) {
  std::promise<base::Result<bool>> answer;
  store.list("", 1, {}, [&](base::Result<accounts::AccountPage> page) {
    if (!page) return answer.set_value(tl::unexpected(page.error()));
    answer.set_value(page->accounts.empty());
  });
  return answer.get_future().get();
}

}  // namespace

base::Result<std::unique_ptr<ApiAccounts>> ApiAccounts::open(const ApiSettings& settings,
                                                             std::chrono::milliseconds clock_skew,
                                                             CataloguePages& pages, runtime::Services& services) {
  const auto& own = settings.accounts;
  auto target = reset_hook_target(own.reset_hook);
  if (!target) return tl::unexpected(target.error());
  auto stores = shop::open_embedded_stores(own.state_dir, own.max_store_bytes, services.log);
  if (!stores) return tl::unexpected(stores.error());
  const auto is_empty = has_no_accounts(*stores->accounts);
  if (!is_empty) return tl::unexpected(is_empty.error());
  const auto seeds = account_key_seeds(own.state_dir, *is_empty);
  if (!seeds) return tl::unexpected(seeds.error());
  auto credentials = AccountCredentials::make(*seeds, services.workers.size());
  if (!credentials) return tl::unexpected(credentials.error());
  auto service = std::make_unique<accounts::AccountService>(own, std::move(stores->accounts), services.clock,
                                                            services.log, services.metrics);
  if (auto started = service->start(); !started) return tl::unexpected(started.error());
  auto shop = std::make_unique<shop::ShopService>(settings.shop, std::move(stores->shop), services.clock, services.log,
                                                  services.metrics);
  const auto started = shop->start([&pages](auto catalogue) { pages.set_catalogue(std::move(catalogue)); });
  if (!started) return tl::unexpected(started.error());
  std::unique_ptr<ApiAccounts> made(
      new ApiAccounts(std::move(service), std::move(shop), std::move(*credentials), clock_skew, pages, services));
  made->gate_.limits().apply(settings.limits);
  made->reset_code_hook_.set_target(std::move(*target));
  return made;
}

ApiAccounts::ApiAccounts(std::unique_ptr<accounts::AccountService> service, std::unique_ptr<shop::ShopService> shop,
                         std::unique_ptr<AccountCredentials> credentials, std::chrono::milliseconds clock_skew,
                         const CataloguePages& pages, runtime::Services& services)
    : service_(std::move(service)),
      shop_(std::move(shop)),
      gate_(*service_, std::move(credentials), services.clock, clock_skew),
      reset_code_hook_(*service_, services),
      handlers_(*service_, *shop_, gate_, reset_code_hook_, services.clock),
      shop_handlers_(*service_, *shop_, gate_, pages, services.clock),
      admin_(*service_),
      catalogue_admin_(*shop_, pages),
      sales_admin_(*service_, *shop_),
      feed_(service_->revocation_log(), gate_.credentials().signer(), clock_skew, services),
      viewers_(*service_, *shop_, gate_, pages, clock_skew, services) {}

ApiAccounts::~ApiAccounts() {
  // The callbacks of the accounts use the shop, and those of both use the hook, the handlers and the feed. The store
  // ends with the accounts' service, after all callbacks.
  service_->finish();
  shop_.reset();
  service_.reset();
}

std::vector<runtime::Route> ApiAccounts::routes() {
  auto routes = handlers_.routes();
  for (auto& route : shop_handlers_.routes()) routes.push_back(std::move(route));
  routes.push_back(feed_.route());
  routes.push_back(viewers_.route());
  return routes;
}

std::vector<runtime::Route> ApiAccounts::admin_routes() {
  auto routes = admin_.routes();
  for (auto& route : catalogue_admin_.routes()) routes.push_back(std::move(route));
  for (auto& route : sales_admin_.routes()) routes.push_back(std::move(route));
  return routes;
}

void ApiAccounts::tick() {
  service_->tick();
  shop_->tick();
}

void ApiAccounts::apply(const ApiSettings& settings, std::shared_ptr<const ResetHookTarget> target) {
  service_->apply(settings.accounts);
  shop_->apply(settings.shop);
  reset_code_hook_.set_target(std::move(target));
  gate_.limits().apply(settings.limits);
}

void ApiAccounts::describe(base::json::Writer& w) const {
  w.key("accounts").begin_object().key("keys").begin_array();
  for (const auto& key : gate_.credentials().public_keys())
    w.begin_object().member("id", key.id).member("public_key", base::to_base64url(key.public_key)).end_object();
  w.end_array();
  reset_code_hook_.describe(w);
  w.end_object();
}

}  // namespace tribune::api
