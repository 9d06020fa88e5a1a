#include "balancer/entitlements/paid_access.h"

#include "http/problem.h"

namespace tribune::balancer {
namespace {

std::string_view detail_of(EntitlementEnd why) {
  switch (why) {
    case EntitlementEnd::expired: return "the time for which the channel was bought is over";
    case EntitlementEnd::withdrawn: return "the account does not own the channel any more";
    case EntitlementEnd::logged_out: return "the device or its account was logged out";
  }
  return "";
}

void write_products(base::json::Writer& w, const std::vector<std::string>& products) {
  w.key("products").begin_array();
  for (const auto& product : products) w.value(product);
  w.end_array();
}

}  // namespace

http::Response PaidAccess::purchase_required(std::string_view channel) const {
  return http::problem(http::problems::purchase_required,
                       "the channel is watched by accounts that own it: buy one of the products, and open a session "
                       "with POST /api/v1/access and the access token",
                       [&](base::json::Writer& w) { write_products(w, checker_.products(channel)); });
}

PaidAccess::Verdict PaidAccess::check_paid(const contracts::Channel& channel, access::SessionId session,
                                           const contracts::Owner& owner) {
  using Standing = SessionEntitlements::Standing;
  if (!owner.entitled) return {purchase_required(channel.id)};
  const auto status = sessions_.check(session, channel.id, *owner.entitled);
  if (status.standing == Standing::entitled) return {};
  if (status.standing == Standing::ending) return {std::nullopt, true};
  if (status.has_just_ended) on_ended_(session);
  return {http::problem(http::problems::entitlement_ended, detail_of(status.why), [&](base::json::Writer& w) {
    w.member("reason", to_string(status.why));
    write_products(w, checker_.products(channel.id));
  })};
}

}  // namespace tribune::balancer
