#include "balancer/account_tokens/accounts_api.h"

#include <utility>

#include "contracts/signed_body.h"
#include "http/uri.h"

namespace tribune::balancer {

std::shared_ptr<const AccountsApi> accounts_api(const contracts::Event& event,
                                                std::shared_ptr<const base::KeyRing> keys, std::string own_url) {
  const bool is_own_process = event.accounts_url.empty();
  auto account_keys = contracts::account_token_keys(event);
  return std::make_shared<const AccountsApi>(
      AccountsApi{is_own_process ? std::move(own_url) : event.accounts_url, is_own_process,
                  account_keys ? std::move(*account_keys) : contracts::AccountTokenKeys(), std::move(keys)});
}

net::FetchRequest request_to(const AccountsApi& api, std::string_view target, std::string body, base::WallTime now) {
  net::FetchRequest request;
  request.method = body.empty() ? http::Method::get : http::Method::post;
  request.url = api.url + std::string(target);
  const auto context = (body.empty() ? "GET " : "POST ") + std::string(target);
  request.headers.add(contracts::kSignatureHeader, contracts::sign_body(*api.keys, context, body, now));
  if (!body.empty()) request.headers.add("Content-Type", "application/json");
  request.body = std::move(body);
  const auto uri = http::parse_uri(api.url);
  request.destinations = {{uri ? uri->origin() : api.url}, true};
  return request;
}

}  // namespace tribune::balancer
