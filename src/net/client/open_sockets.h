#pragma once
// Finds the sockets that libcurl opened by their addresses: libcurl reports the addresses of the connection that a
// request uses, but not its descriptor. Internal to net/.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tribune::net {

/// Owned by one worker.
class OpenSockets {
 public:
  void add(int fd) { sockets_[fd] = {}; }
  void remove(int fd) { sockets_.erase(fd); }
  /// The connected socket with these addresses, or -1. Addresses are text, IPv6 without brackets.
  int find(std::string_view remote, int remote_port, int local_port);

 private:
  struct Endpoints {
    std::string remote;
    int remote_port = 0;
    int local_port = 0;
  };
  /// False while the socket is not connected.
  static bool read_endpoints(int fd, Endpoints&);

  std::unordered_map<int, Endpoints> sockets_;
};

}  // namespace tribune::net
