#pragma once
// The section "api.accounts" of a configuration.

#include <chrono>
#include <cstdint>
#include <string>

#include "config/section.h"

namespace tribune::accounts {

/// What happens to a registration.
enum class RegistrationMode {
  open,       // the account can be used at once
  closed,     // only operators create accounts
  moderated,  // an operator accepts or declines it
};

inline constexpr std::chrono::milliseconds kMaxAccessLifetime{std::chrono::hours{1}};

/// The service that sends one-time codes for forgotten passwords to viewers.
struct ResetHookSettings {
  std::string url;         // empty: only operators issue codes
  std::string token_file;  // with the bearer token of the requests
  std::chrono::milliseconds timeout{std::chrono::seconds{5}};
  bool operator==(const ResetHookSettings&) const = default;
};

/// Values; immutable once read.
struct AccountSettings {
  std::string state_dir;  // empty: there are no accounts
  std::uint64_t max_store_bytes = 4ull << 30;
  RegistrationMode registration = RegistrationMode::open;
  std::int64_t min_password_length = 8;  // in bytes
  std::int64_t max_devices = 20;         // of an account
  std::chrono::milliseconds access_lifetime{std::chrono::minutes{10}};
  std::chrono::milliseconds refresh_lifetime{std::chrono::hours{180 * 24}};
  std::chrono::milliseconds refresh_grace{std::chrono::seconds{60}};
  std::chrono::milliseconds reset_code_lifetime{std::chrono::hours{1}};
  std::uint64_t hash_memory_bytes = 19ull << 20;
  std::int64_t hash_passes = 2;
  std::int64_t hash_threads = 1;
  std::int64_t max_waiting_logins = 128;
  std::int64_t max_failed_logins = 10;  // of a login from unknown devices, and of each known device
  std::int64_t max_failed_logins_per_address = 100;
  std::chrono::milliseconds failed_login_window{std::chrono::minutes{10}};
  ResetHookSettings reset_hook;
};

const config::Section<AccountSettings>& account_section();

}  // namespace tribune::accounts
