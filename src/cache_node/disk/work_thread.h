#pragma once
// A thread that does queued work in order, for what must not happen on a loop.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace tribune::cache_node {

/// Any thread; locks inside. Its destructor finishes what is queued.
class WorkThread {
 public:
  WorkThread();
  ~WorkThread();
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  void add(std::function<void()> work);
  std::size_t queued() const;
  /// Whether the destructor waits: long work should cut itself short.
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
