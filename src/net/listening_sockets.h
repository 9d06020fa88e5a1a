#pragma once
// The open sockets of this process's HTTP clients. With them a listener distinguishes the process's own requests (such
// as a node's heartbeats to a balancer in the same process) from those of other programs on the machine. Internal to
// net/.

#include <mutex>
#include <unordered_set>

namespace tribune::net {

// WHY: one registry for the process, because the client that connects and the server that accepts may belong to
// different workers and have no reference to each other.
/// Any thread; locks inside.
class ListeningSockets {
 public:
  static ListeningSockets& of_process();

  void add(int fd);
  /// Must be called before the descriptor is closed.
  void remove(int fd);
  /// Whether the other end of this accepted connection is one of them. Searches linearly: it is called at most once per
  /// connection, and only for trusted addresses.
  bool has_other_end_of(int accepted) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_set<int> open_;  // guarded by mutex_
};

}  // namespace tribune::net
