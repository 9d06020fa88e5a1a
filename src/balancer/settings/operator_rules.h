#pragma once
// Who is an operator at the front listener, where everybody else is a viewer: who shows the operator token, or who asks
// from an operator's network and is neither behind an unknown proxy nor sent by a page of another site. Values; const
// methods from any thread.

#include <string>
#include <vector>

#include "base/ip_address.h"
#include "config/settings.h"
#include "http/message.h"
#include "runtime/own_site.h"

namespace tribune::balancer {

struct OperatorRules {
  std::string token;  // empty: no token makes an operator
  base::PrefixList networks;
  base::PrefixList trusted_proxies;  // of the front listener
  runtime::HostNames hosts =
      runtime::HostNames::with_any_address({});  // by which operators without a token address the front listener

  /// Why the request is no operator's, for the log: a literal. Empty when it is.
  std::string_view refusal(const http::Request&) const;
};

/// From the two settings of the balancer and the sections front and admin.
OperatorRules operator_rules(const std::string& token, const std::vector<std::string>& networks,
                             const config::Settings&);

}  // namespace tribune::balancer
