#pragma once
// The owner of a session or ticket, as tokens and tickets contain it: the account as a hash that does not reveal its
// name, and the device by the name that its owner gave it, so that a rejection can name the devices that are watching.
// Values and pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tribune::contracts {

/// The device of an account that may watch a paid channel, as the api found it when the session or ticket was issued.
struct EntitledDevice {
  std::uint64_t account = 0;  // ids of the api, not 0
  std::uint64_t device = 0;
  std::int64_t until = 0;  // unix seconds, to 2106; 0: without end
  bool operator==(const EntitledDevice&) const = default;
};

struct Owner {
  std::string account;  // kAccountMarkBytes raw bytes, the same for the same account everywhere; empty: no account, and
                        // then no device
  std::string device;   // at most kMaxDeviceBytes, without NUL at its end; empty: not named
  std::optional<EntitledDevice> entitled = {};  // nullopt without an account, and for a free channel
  bool operator==(const Owner&) const = default;
};

inline constexpr std::size_t kAccountMarkBytes = 8;
inline constexpr std::size_t kMaxDeviceBytes = 48;

/// From an account's name of any length and a device's name, which is cut to whole UTF-8 characters when it is too
/// long.
Owner owner_of(std::string_view account, std::string_view device);

}  // namespace tribune::contracts
