#pragma once
// How many requests an address and an account may make (GCRA: a token bucket that stores one time). The responses say
// what is left in RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers).

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/published.h"
#include "base/recent_map.h"
#include "base/sharded.h"
#include "http/message.h"

namespace tribune::api {

/// Requests within a minute, and registrations and requests for one-time codes within an hour; they may come at once.
struct RequestLimitSettings {
  std::int64_t max_requests_per_address = 3'000;
  std::int64_t max_requests_per_account = 300;
  std::int64_t max_registrations_per_address = 300;
  std::int64_t max_reset_requests_per_address = 300;
  std::int64_t max_reset_requests_per_login = 5;
  std::int64_t max_voucher_attempts_per_account = 30;
};

/// Any thread; locks inside. Bounded: of more than kMaxKeys keys in a table, those that were seen longest ago are
/// forgotten. Each kind of key has a table.
class RequestLimits {
 public:
  static constexpr std::size_t kMaxKeys = 262'144;

  /// The state of a limit after a request.
  struct Quota {
    std::string_view policy;  // "address", "account", "registration", "reset-address", "reset-login" or "voucher"
    std::int64_t limit = 0;
    std::chrono::seconds window{60};  // of the limit
    std::int64_t left = 0;
    std::chrono::seconds full_after{0};                    // until nothing of the quota is used
    std::optional<std::chrono::seconds> retry_after = {};  // the request exceeds the limit
  };

  void apply(const RequestLimitSettings& settings);
  Quota count_address(std::string_view address, base::SteadyTime now);
  Quota count_account(std::uint64_t account, base::SteadyTime now);
  Quota count_registration(std::string_view address, base::SteadyTime now);
  /// A request for a one-time code, first by its address. One that this refuses is not counted for the login.
  Quota count_reset_request_of_address(std::string_view address, base::SteadyTime now);
  Quota count_reset_request_of_login(std::string_view login_key, base::SteadyTime now);

  /// A code that an account redeems, right or wrong.
  Quota count_voucher_of_account(std::uint64_t account, base::SteadyTime now);

  /// Adds RateLimit and RateLimit-Policy.
  static void add_fields(http::Headers&, const Quota&);

 private:
  struct Shard {
    std::mutex mutex;
    base::RecentMap<base::KeyedHash::Value, base::SteadyTime, base::KeyedHashPlace> full_at;
  };
  using Table = base::Sharded<Shard>;
  /// `quota` has the policy, the limit and the window.
  Quota count(Table&, std::string_view key, Quota quota, base::SteadyTime now) const;

  const base::KeyedHash hash_;
  base::Published<RequestLimitSettings> settings_{std::make_shared<const RequestLimitSettings>()};
  Table requests_;
  // WHY apart: these quotas take an hour to be full again, and requests are many more.
  Table registrations_, reset_addresses_, reset_logins_, vouchers_;
};

}  // namespace tribune::api
