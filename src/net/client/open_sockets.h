#pragma once
// The sockets that libcurl opened, found again by their two ends: libcurl says on which connection a request goes out,
// but not on which descriptor. Internal to net/.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tribune::net {

/// Owned by one worker.
class OpenSockets {
 public:
  void add(int fd) { ends_[fd] = {}; }
  void remove(int fd) { ends_.erase(fd); }
  /// The connected socket with these ends, or -1. Addresses as text, IPv6 without brackets.
  int find(std::string_view remote, int remote_port, int local_port);

 private:
  struct Ends {
    std::string remote;
    int remote_port = 0;
    int local_port = 0;
  };
  /// False while the socket is not connected.
  static bool learn(int fd, Ends&);

  std::unordered_map<int, Ends> ends_;
};

}  // namespace tribune::net
