#pragma once
// The revocations that this process knows, in the order in which it learnt of them, so that other processes can follow
// them.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "accounts/account_store.h"

namespace tribune::accounts {

/// Any thread; locks inside. Bounded by the devices that end within the lifetime of an access token.
class RevocationLog {
 public:
  /// A part of the log. `revocations` are those after the number that was asked for, up to `number`.
  struct Page {
    std::uint64_t number = 0;
    bool is_last = true;
    std::vector<Revocation> revocations;
  };

  RevocationLog();

  /// 16 random hex digits. The numbers of one run are not those of another.
  const std::string& run() const { return run_; }
  /// To be set before other threads add. Called after each later add() with something in it, on its thread.
  void on_growth(std::function<void()> call) { on_growth_ = std::move(call); }

  void add(const std::vector<Revocation>&);
  /// At most `most` revocations with greater numbers than `number` of this run, which begin with 1. The first page
  /// again, for a number that this run did not give.
  Page after(std::uint64_t number, std::size_t most) const;
  /// Removes the oldest ones up to this time, at most kMostForgotten of them, so that a call is short.
  void forget(base::WallTime until);
  static constexpr std::size_t kMostForgotten = 10'000;

 private:
  const std::string run_;
  std::function<void()> on_growth_;
  mutable std::mutex mutex_;            // guards the rest
  std::uint64_t forgotten_ = 0;         // the number of the last one that was removed
  std::deque<Revocation> revocations_;  // the one at i has the number forgotten_ + 1 + i
};

}  // namespace tribune::accounts
