#pragma once
// Whose session or ticket it is, as passes carry it: an account, by a mark from which nobody reads its name, and the
// device, by the name that its owner gave it, so that a refusal can name the devices that watch. Values and pure
// functions.

#include <string>
#include <string_view>

namespace tribune::contracts {

struct Owner {
  std::string account;  // kAccountMarkBytes raw bytes, the same for the same account anywhere; empty: nobody's, as the
                        // device is then
  std::string device;   // at most kMaxDeviceBytes, without NUL at its end; empty: not named
  bool operator==(const Owner&) const = default;
};

inline constexpr std::size_t kAccountMarkBytes = 8;
inline constexpr std::size_t kMaxDeviceBytes = 48;

/// Of an account's name, whatever its length, and of a device's, cut to whole characters of UTF-8 when it is longer
/// than may be.
Owner owner_of(std::string_view account, std::string_view device);

}  // namespace tribune::contracts
