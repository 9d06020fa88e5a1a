#pragma once
// The values of this library: an account, a device on which it is logged in, and the rules for logins and passwords.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace tribune::accounts {

/// Random and never 0. The text form is 16 hex digits.
using AccountId = std::uint64_t;
using DeviceId = std::uint64_t;

std::string to_text(std::uint64_t id);
/// nullopt for a text that to_text() does not write, and for 0.
std::optional<std::uint64_t> parse_id(std::string_view text);

enum class AccountState {
  active,
  awaiting_approval,  // registered while registrations are moderated
  declined,           // by an operator, instead of an approval
  blocked,            // by an operator
};

std::string_view to_string(AccountState);
std::optional<AccountState> parse_account_state(std::string_view text);

struct Account {
  AccountId id = 0;
  std::string login;  // as it was registered; login_key() identifies it
  AccountState state = AccountState::active;
  std::string reason;                  // an operator's, for `declined` and `blocked`
  std::string password_hash;           // base/password_hash.h
  std::uint32_t password_version = 1;  // grows with each change of the password, not with a renewed hash
  base::WallTime created{};
  bool operator==(const Account&) const = default;
};

/// A login of an account on one device, and the family of refresh tokens that continues it. Only the newest generation
/// of the family, and for a grace period the one before it, is accepted.
struct Device {
  DeviceId id = 0;
  AccountId account = 0;
  std::string name;              // as the app names it, "Pixel 9"
  std::uint32_t generation = 1;  // of the newest refresh token
  base::WallTime created{};
  base::WallTime refreshed{};  // when the newest refresh token was issued
  bool operator==(const Device&) const = default;
};

/// A device that a client has proven to be one on which the account was logged in before.
struct KnownDevice {
  AccountId account = 0;  // not 0
  DeviceId device = 0;    // not 0
  bool operator==(const KnownDevice&) const = default;
};

/// A login has 3 to 128 of a-z A-Z 0-9 . _ + @ -, so that a name, a mail address or a telephone number is one. Letters
/// of other scripts are rejected, because many look like others.
inline constexpr std::size_t kMinLoginBytes = 3, kMaxLoginBytes = 128;
/// Whether the text is a login.
bool is_login(std::string_view text);
/// The text by which a login is found: two logins that differ in the case of letters are the same.
std::string login_key(std::string_view login);

/// A password is any UTF-8 text of at most this size; the minimum length is a setting.
inline constexpr std::size_t kMaxPasswordBytes = 1'024;

inline constexpr std::size_t kMaxDeviceNameBytes = 64;
/// The largest value of the setting max_devices.
inline constexpr std::size_t kMaxDevicesPerAccount = 100;
inline constexpr std::size_t kMaxReasonBytes = 512;

}  // namespace tribune::accounts
