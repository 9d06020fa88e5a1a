#pragma once
// Divides the RAM that the process may fill with stored bodies among the components that store them.

#include <cstdint>
#include <mutex>
#include <optional>

#include "base/memory.h"

namespace tribune::base {

/// The number of bytes that stored bodies may use now: three quarters of the memory that is left beyond the margin. The
/// rest is for connections and heap fragmentation. nullopt without a bound.
std::optional<std::uint64_t> memory_allowance(const std::optional<MemoryUse>&);

/// Any thread; locks inside.
class MemoryBudget {
 public:
  /// nullopt means that there is no bound.
  explicit MemoryBudget(std::optional<std::uint64_t> bytes) : bytes_(bytes) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  /// The budget of the process: the memory_allowance() at the first call.
  static MemoryBudget& of_process();

  /// The part of one component, which its destruction returns to the budget. Owned by one thread; the budget outlives
  /// it.
  class Part {
   public:
    explicit Part(MemoryBudget& budget) : budget_(budget) {}
    ~Part();
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    /// Sets the number of bytes that the component's settings ask for. The granted bytes do not change until grant().
    void ask(std::uint64_t bytes);
    /// The bytes that the component may use from now on, nullopt without a bound. If the components ask for more than
    /// the budget, each gets a share in proportion to its request, but never bytes that are granted to another
    /// component: those are free only after that component has called grant() again. For proportional shares all
    /// components call ask() before the first one calls grant().
    std::optional<std::uint64_t> grant();

   private:
    MemoryBudget& budget_;
    std::uint64_t asked_ = 0;    // guarded by the budget's mutex
    std::uint64_t granted_ = 0;  // guarded by the budget's mutex
  };

 private:
  const std::optional<std::uint64_t> bytes_;
  std::mutex mutex_;
  std::uint64_t asked_ = 0;    // the sum over all parts; guarded by mutex_
  std::uint64_t granted_ = 0;  // the sum over all parts; guarded by mutex_
};

}  // namespace tribune::base
