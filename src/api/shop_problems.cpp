#include "api/shop_problems.h"

#include <fmt/format.h>

#include "api/account_problems.h"
#include "api/localized.h"
#include "api/page_query.h"
#include "api/shop_documents.h"

namespace tribune::api {
namespace {

using shop::ShopFailure;
using shop::ShopRefusal;
namespace problems = http::problems;

/// What a refusal is told as.
struct ShopProblem {
  const http::ProblemType& type;
  Localized detail;
};

ShopProblem problem_of_product(const shop::RefusedOrder& order) {
  switch (order.why) {
    case ShopRefusal::product_unknown:
      return {problems::product_unknown, {"no product on sale has this id", "такого товара в продаже нет"}};
    case ShopRefusal::option_unknown:
      return {problems::option_invalid,
              {"name one of the product's options, or none if it has none",
               "укажите один из вариантов товара или не указывайте, если их нет"}};
    case ShopRefusal::quantity:
      return {problems::quantity_invalid,
              {"this quantity of the product cannot be bought at once", "столько за один раз купить нельзя"}};
    case ShopRefusal::price_changed:
      return {problems::price_changed,
              {"the price has changed to " + to_text(order.price), "цена изменилась: " + to_text(order.price)}};
    case ShopRefusal::sold_out:
      return {problems::sold_out, order.left == 0 ? Localized{"it is sold out", "распродано"}
                                                  : Localized{fmt::format("only {} left", order.left),
                                                              fmt::format("осталось {}", order.left)}};
    default: return {problems::already_owned, {"the account has it already", "это уже куплено"}};
  }
}

ShopProblem problem_of_order(const shop::RefusedOrder& order) {
  switch (order.why) {
    case ShopRefusal::balance_insufficient:
      return {problems::balance_insufficient,
              {to_text(order.price) + " is missing", "не хватает " + to_text(order.price)}};
    case ShopRefusal::balance_limit:
      return {problems::balance_limit, {"the balance would be too large", "баланс станет слишком большим"}};
    case ShopRefusal::limit_reached:
      return {problems::purchase_limit,
              {fmt::format("an account has at most {} unpaid purchases and {} passes and channels",
                           shop::kMaxPendingPurchases, shop::kMaxEntitlements),
               fmt::format("не больше {} неоплаченных покупок и {} абонементов и каналов на учётную запись",
                           shop::kMaxPendingPurchases, shop::kMaxEntitlements)}};
    case ShopRefusal::key_reused:
      return {
          problems::idempotency_key_reused,
          {"the Idempotency-Key was used for another request", "Idempotency-Key уже использован для другого запроса"}};
    case ShopRefusal::purchase_unknown:
      return {problems::purchase_unknown, {"no purchase has this id", "такой покупки нет"}};
    case ShopRefusal::wrong_state:
      return {problems::purchase_state,
              {fmt::format("the purchase is {}", to_string(order.state)),
               fmt::format("состояние покупки: {}", to_string(order.state))}};
    case ShopRefusal::voucher_unknown:
      return {problems::voucher_unknown,
              {"the code is wrong, or no longer valid", "код неверный или больше не действует"}};
    case ShopRefusal::voucher_used:
      return {problems::voucher_used, {"the voucher was redeemed before", "ваучер уже использован"}};
    default: return problem_of_product(order);
  }
}

/// The members that tell a program what the detail tells people.
void write_order_members(base::json::Writer& w, const shop::RefusedOrder& order) {
  switch (order.why) {
    case ShopRefusal::price_changed: write_money(w.key("price"), order.price); break;
    case ShopRefusal::balance_insufficient: write_money(w.key("missing"), order.price); break;
    case ShopRefusal::sold_out: w.member("left", order.left); break;
    case ShopRefusal::wrong_state: w.member("state", to_string(order.state)); break;
    default: break;
  }
}

ShopProblem problem_of_failure(const shop::ShopError& error) {
  switch (error.what) {
    case ShopFailure::method_unknown:
      return {problems::payment_method_unknown,
              {"this payment method is not offered", "такой способ оплаты не предлагается"}};
    case ShopFailure::in_progress:
      return {problems::idempotency_key_in_use,
              {"the first request with this Idempotency-Key is not answered yet",
               "первый запрос с этим Idempotency-Key ещё выполняется"}};
    case ShopFailure::conflict: return {problems::conflict, {error.text, "каталог изменён другим запросом"}};
    case ShopFailure::too_large: return {problems::bad_request, {error.text, "в каталоге слишком много записей"}};
    case ShopFailure::invalid: return {problems::bad_request, {error.text, "недопустимая сумма или валюта"}};
    case ShopFailure::wrong_cursor: return {problems::bad_request, wrong_cursor()};
    case ShopFailure::not_found: return {problems::not_found, {"it does not exist", "этого нет"}};
    default: return {problems::overloaded, {"the shop cannot be used at present", "магазин сейчас недоступен"}};
  }
}

}  // namespace

http::Response shop_problem(const http::Request& request, const shop::ShopError& error) {
  if (error.what == ShopFailure::refused && error.order.why == ShopRefusal::account_unknown)
    return problem_of(request, {accounts::Refusal::logged_out, "", {}});  // a 401 has more headers
  if (error.what == ShopFailure::refused) {
    const auto told = problem_of_order(error.order);
    return problem(request, told.type, told.detail,
                   [&](base::json::Writer& w) { write_order_members(w, error.order); });
  }
  const auto told = problem_of_failure(error);
  return error.retry_after.count() > 0 ? problem_with_retry(request, told.type, told.detail, error.retry_after)
                                       : problem(request, told.type, told.detail);
}

}  // namespace tribune::api
