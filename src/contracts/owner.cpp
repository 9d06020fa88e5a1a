#include "contracts/owner.h"

#include "base/signing.h"

namespace tribune::contracts {
namespace {

bool goes_on(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }  // a byte inside a UTF-8 character

}  // namespace

Owner owner_of(std::string_view account, std::string_view device) {
  if (account.empty()) return {};
  if (device.size() > kMaxDeviceBytes) {
    auto length = kMaxDeviceBytes;
    while (length > 0 && goes_on(device[length])) --length;
    device = device.substr(0, length);
  }
  while (!device.empty() && device.back() == '\0') device.remove_suffix(1);
  return {base::sha256("tribune-account:" + std::string(account)).substr(0, kAccountMarkBytes), std::string(device)};
}

}  // namespace tribune::contracts
