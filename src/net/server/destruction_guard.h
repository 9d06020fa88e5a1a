#pragma once
// Detects that an object was destroyed during a call that one of its own functions made. Owned by one worker. The flag
// is a member of the object; guards live on the stack, in the frames of the functions that continue after such a call.
//
// States of a guard
//   watching   the object exists                                    (constructor)
//   destroyed  the object was destroyed; its members must not be used  (the flag's destructor)

#include <utility>

namespace tribune::net {

class DestructionGuard;

class DestructionFlag {
 public:
  DestructionFlag() = default;
  /// Marks every guard that is still on the stack.
  ~DestructionFlag();
  DestructionFlag(const DestructionFlag&) = delete;
  DestructionFlag& operator=(const DestructionFlag&) = delete;

 private:
  friend class DestructionGuard;
  DestructionGuard* innermost_ = nullptr;
};

class DestructionGuard {
 public:
  explicit DestructionGuard(DestructionFlag& flag) : flag_(flag), outer_(std::exchange(flag.innermost_, this)) {}
  ~DestructionGuard() {
    if (!is_destroyed_) flag_.innermost_ = outer_;
  }
  DestructionGuard(const DestructionGuard&) = delete;
  DestructionGuard& operator=(const DestructionGuard&) = delete;

  /// Whether the object was destroyed since this guard was created.
  bool is_destroyed() const { return is_destroyed_; }

 private:
  friend class DestructionFlag;
  DestructionFlag& flag_;
  DestructionGuard* outer_;
  bool is_destroyed_ = false;
};

inline DestructionFlag::~DestructionFlag() {
  for (auto* guard = innermost_; guard != nullptr; guard = guard->outer_) guard->is_destroyed_ = true;
}

}  // namespace tribune::net
