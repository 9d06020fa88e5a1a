#pragma once
// The endpoints of operators for the catalogue, on the admin listener.

#include <memory>
#include <string>
#include <vector>

#include "api/catalogue_pages.h"
#include "runtime/role.h"
#include "shop/shop_service.h"

namespace tribune::api {

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class CatalogueAdmin {
 public:
  CatalogueAdmin(shop::ShopService& shop, const CataloguePages& pages) : shop_(shop), pages_(pages) {}

  std::vector<runtime::Route> routes();

 private:
  using Exchange = std::unique_ptr<net::Exchange>;

  void show(Exchange);
  void import(runtime::Worker&, Exchange, bool keeps_channels);
  void put_product(runtime::Worker&, Exchange, const std::string& id);
  void put_channel(runtime::Worker&, Exchange, const std::string& id);
  void change(runtime::Worker&, Exchange, shop::CatalogueChange);

  shop::ShopService& shop_;
  const CataloguePages& pages_;
};

}  // namespace tribune::api
