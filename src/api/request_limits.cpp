#include "api/request_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/ip_address.h"

namespace tribune::api {
namespace {

std::string key_of_address(std::string_view address) {
  const auto parsed = base::parse_ip(address);
  const auto unit = parsed ? parsed->counted() : base::IpAddress{};
  return {reinterpret_cast<const char*>(unit.bytes.data()), unit.bytes.size()};
}

std::string key_of_account(std::uint64_t account) { return {reinterpret_cast<const char*>(&account), sizeof account}; }

}  // namespace

void RequestLimits::apply(const RequestLimitSettings& settings) {
  settings_.publish(std::make_shared<const RequestLimitSettings>(settings));
}

RequestLimits::Quota RequestLimits::count_address(std::string_view address, base::SteadyTime now) {
  return count(requests_, key_of_address(address), {"address", settings_.get()->max_requests_per_address}, now);
}

RequestLimits::Quota RequestLimits::count_account(std::uint64_t account, base::SteadyTime now) {
  return count(requests_, key_of_account(account), {"account", settings_.get()->max_requests_per_account}, now);
}

RequestLimits::Quota RequestLimits::count_registration(std::string_view address, base::SteadyTime now) {
  const auto limit = settings_.get()->max_registrations_per_address;
  return count(registrations_, key_of_address(address), {"registration", limit, std::chrono::hours(1)}, now);
}

RequestLimits::Quota RequestLimits::count_reset_request_of_address(std::string_view address, base::SteadyTime now) {
  const auto limit = settings_.get()->max_reset_requests_per_address;
  return count(reset_addresses_, key_of_address(address), {"reset-address", limit, std::chrono::hours(1)}, now);
}

RequestLimits::Quota RequestLimits::count_reset_request_of_login(std::string_view login_key, base::SteadyTime now) {
  const auto limit = settings_.get()->max_reset_requests_per_login;
  return count(reset_logins_, login_key, {"reset-login", limit, std::chrono::hours(1)}, now);
}

RequestLimits::Quota RequestLimits::count_voucher_of_account(std::uint64_t account, base::SteadyTime now) {
  const auto limit = settings_.get()->max_voucher_attempts_per_account;
  return count(vouchers_, key_of_account(account), {"voucher", limit, std::chrono::hours(1)}, now);
}

RequestLimits::Quota RequestLimits::count(Table& table, std::string_view key, Quota quota, base::SteadyTime now) const {
  const auto hashed = hash_(key);
  const std::chrono::nanoseconds window = quota.window;
  const auto step = window / quota.limit;  // the time in which one request of the quota comes back
  auto& shard = table.of(hashed[1]);
  const std::lock_guard lock(shard.mutex);
  auto& full_at = shard.full_at.try_emplace(hashed, now).first;
  const auto begin = std::max(full_at, now);
  const auto excess = begin + step - now - window;
  if (excess > std::chrono::nanoseconds(0))
    quota.retry_after = std::chrono::ceil<std::chrono::seconds>(excess);
  else
    full_at = begin + step;
  quota.left = std::max<std::int64_t>(0, (window - (full_at - now)) / step);
  quota.full_after = std::chrono::ceil<std::chrono::seconds>(full_at - now);
  if (shard.full_at.size() > kMaxKeys / Table::size()) shard.full_at.erase(shard.full_at.oldest()->first);
  return quota;
}

void RequestLimits::add_fields(http::Headers& headers, const Quota& quota) {
  headers.set("RateLimit-Policy", fmt::format("\"{}\";q={};w={}", quota.policy, quota.limit, quota.window.count()));
  headers.set("RateLimit", fmt::format("\"{}\";r={};t={}", quota.policy, quota.left, quota.full_after.count()));
}

}  // namespace tribune::api
