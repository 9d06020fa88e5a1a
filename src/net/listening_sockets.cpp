#include "net/listening_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

#include "net/client_address.h"

namespace tribune::net {
namespace {

struct End {
  IpAddress address;
  std::uint16_t port = 0;
  bool operator==(const End&) const = default;
};

using NameCall = int (*)(int, sockaddr*, socklen_t*);

std::optional<End> end_of(int fd, NameCall call) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (call(fd, address, &length) != 0) return std::nullopt;
  const auto ip = ip_of(address);
  if (!ip) return std::nullopt;
  return End{*ip, port_of(address)};
}

}  // namespace

ListeningSockets& ListeningSockets::of_process() {
  static ListeningSockets sockets;
  return sockets;
}

void ListeningSockets::add(int fd) {
  const std::lock_guard lock(mutex_);
  open_.insert(fd);
}

void ListeningSockets::remove(int fd) {
  const std::lock_guard lock(mutex_);
  open_.erase(fd);
}

bool ListeningSockets::has_other_end_of(int accepted) const {
  const auto here = end_of(accepted, ::getsockname), there = end_of(accepted, ::getpeername);
  if (!here || !there) return false;
  const std::lock_guard lock(mutex_);
  return std::any_of(open_.begin(), open_.end(),
                     [&](int fd) { return end_of(fd, ::getsockname) == there && end_of(fd, ::getpeername) == here; });
}

}  // namespace tribune::net
