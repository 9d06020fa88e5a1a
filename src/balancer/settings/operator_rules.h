#pragma once
// The rules that identify an operator at the front listener, which also serves viewers: a request with the operator
// token, or a request from an operator network that comes neither through an unknown proxy nor from a page of another
// site. A request without the token that may be a browser's is confirmed by the operator first, unless the browser says
// that the operator or a page of this site caused it. Values; const methods from any thread.

#include <string>
#include <vector>

#include "base/ip_address.h"
#include "config/settings.h"
#include "http/message.h"
#include "runtime/own_site.h"

namespace tribune::balancer {

struct OperatorRules {
  std::string token;  // empty: no token is accepted
  base::PrefixList networks;
  base::PrefixList trusted_proxies;  // of the front listener
  runtime::HostNames hosts =
      runtime::HostNames::with_any_address({});  // the host names of the front listener for operators without a token

  /// Why the request is not an operator's, as a literal for the log; empty when it is one.
  std::string_view refusal(const http::Request&) const;

  /// Of a GET that is not refused: whether a page of another site may have caused it.
  bool needs_confirmation(const http::Request&) const;

 private:
  bool has_token(const http::Request&) const;
};

/// The rules of the two balancer settings and the sections front and admin.
OperatorRules operator_rules(const std::string& token, const std::vector<std::string>& networks,
                             const config::Settings&);

}  // namespace tribune::balancer
