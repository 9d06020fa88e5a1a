#include "net/client/open_sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

namespace tribune::net {
namespace {

int port_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::string text_of(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = address.ss_family == AF_INET6
                          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr)
                          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  return ::inet_ntop(address.ss_family, bytes, text.data(), text.size()) != nullptr ? text.data() : "";
}

}  // namespace

bool OpenSockets::read_endpoints(int fd, Endpoints& ends) {
  if (ends.local_port != 0) return true;
  sockaddr_storage local{}, remote{};
  socklen_t local_length = sizeof local, remote_length = sizeof remote;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&remote), &remote_length) != 0) return false;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_length) != 0) return false;
  ends = {text_of(remote), port_of(remote), port_of(local)};
  return true;
}

int OpenSockets::find(std::string_view remote, int remote_port, int local_port) {
  for (auto& [fd, ends] : sockets_) {
    if (read_endpoints(fd, ends) && ends.local_port == local_port && ends.remote_port == remote_port &&
        ends.remote == remote)
      return fd;
  }
  return -1;
}

}  // namespace tribune::net
