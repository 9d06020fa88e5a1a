#include "cache_node/disk/work_thread.h"

#include <new>

#include "base/memory.h"

namespace tribune::cache_node {

WorkThread::WorkThread() : thread_([this] { run(); }) {}

WorkThread::~WorkThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void WorkThread::add(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  work_.push_back(std::move(work));
  wake_.notify_one();  // under the lock: once the work has run, the owner may destroy this object
}

std::size_t WorkThread::queued() const {
  const std::lock_guard lock(mutex_);
  return work_.size();
}

bool WorkThread::is_stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void WorkThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !work_.empty(); });
    if (work_.empty()) return;
    const auto work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    try {
      work();
    } catch (const std::bad_alloc&) {
      base::Memory::of_process().gave_up_work();
    }
    lock.lock();
  }
}

}  // namespace tribune::cache_node
