#pragma once
// The sockets that this process's HTTP clients have open, so that a listener can tell the process's own requests (a
// node's heartbeats to the balancer beside it) from those of other programs on the machine. Internal to net/.

#include <mutex>
#include <unordered_set>

namespace tribune::net {

// WHY: one registry of the process: the client that connects and the server that accepts are of different workers, and
// know nothing of each other.
/// Any thread; locks inside.
class ListeningSockets {
 public:
  static ListeningSockets& of_process();

  void add(int fd);
  /// Before the descriptor is closed.
  void remove(int fd);
  /// Whether the other end of this accepted connection is one of them. Looks at each: it is asked once in the life of a
  /// connection, and only of trusted addresses.
  bool has_other_end_of(int accepted) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_set<int> open_;  // guarded by mutex_
};

}  // namespace tribune::net
