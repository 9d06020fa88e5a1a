#pragma once
// The owner of a session or ticket, as tokens and tickets contain it: the account as a hash that does not reveal its
// name, and the device by the name that its owner gave it, so that a rejection can name the devices that are watching.
// Values and pure functions.

#include <string>
#include <string_view>

namespace tribune::contracts {

struct Owner {
  std::string account;  // kAccountMarkBytes raw bytes, the same for the same account everywhere; empty: no account, and
                        // then no device
  std::string device;   // at most kMaxDeviceBytes, without NUL at its end; empty: not named
  bool operator==(const Owner&) const = default;
};

inline constexpr std::size_t kAccountMarkBytes = 8;
inline constexpr std::size_t kMaxDeviceBytes = 48;

/// From an account's name of any length and a device's name, which is cut to whole UTF-8 characters when it is too
/// long.
Owner owner_of(std::string_view account, std::string_view device);

}  // namespace tribune::contracts
