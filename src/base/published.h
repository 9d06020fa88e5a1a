#pragma once
// A value that many threads read and few replace. Readers keep the version that they loaded; a change publishes a new
// version.

#include <memory>
#include <mutex>
#include <utility>

namespace tribune::base {

/// Any thread; locks inside, for the copy of one pointer.
template <class T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> first) : value_(std::move(first)) {}

  std::shared_ptr<const T> get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

  void publish(std::shared_ptr<const T> next) {
    {
      const std::lock_guard lock(mutex_);
      value_.swap(next);
    }
    // The old value may be destroyed here, outside the lock.
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
};

}  // namespace tribune::base
