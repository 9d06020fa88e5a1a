#pragma once
// A thread that runs queued work in order, for work that must not block a loop.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace tribune::cache_node {

/// Any thread; locks inside. Its destructor finishes the queued work.
class WorkThread {
 public:
  WorkThread();
  ~WorkThread();
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  void add(std::function<void()> work);
  std::size_t queued() const;
  /// Whether the destructor is waiting: long work should end early.
  bool is_stopping() const;

 private:
  void run();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tribune::cache_node
