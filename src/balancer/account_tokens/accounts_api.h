#pragma once
// The api that has the accounts, as this balancer reaches and trusts it: requests are signed with the event's keys, and
// answers with a key of event.account_keys.

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/signing.h"
#include "contracts/account_token.h"
#include "contracts/event.h"
#include "net/client/http_client.h"

namespace tribune::balancer {

/// Immutable.
struct AccountsApi {
  std::string url;              // event.accounts_url, or that of this process; empty: it is not asked
  bool is_own_process = false;  // its answers are signed with the event's keys: this process has no other
  contracts::AccountTokenKeys account_keys;
  std::shared_ptr<const base::KeyRing> keys;
};

/// The event must be valid by event_section(); the keys are its own. `own_url` is that of this process's first listener
/// if it has the role api; otherwise empty.
std::shared_ptr<const AccountsApi> accounts_api(const contracts::Event&, std::shared_ptr<const base::KeyRing>,
                                                std::string own_url);

/// A signed request for the target (path and query); without a body a GET, otherwise a POST of JSON. The caller sets
/// the deadlines and the maximum size of the answer.
net::FetchRequest request_to(const AccountsApi&, std::string_view target, std::string body, base::WallTime now);

}  // namespace tribune::balancer
