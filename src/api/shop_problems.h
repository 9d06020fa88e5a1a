#pragma once
// Refusals of the shop as problems (RFC 9457), in the client's language.

#include "http/message.h"
#include "shop/shop_service.h"

namespace tribune::api {

http::Response shop_problem(const http::Request&, const shop::ShopError&);

}  // namespace tribune::api
