#pragma once
// Memory limits of the process: the bound, the amount left, and the handling of failed allocations.
//
// Levels (set by look(), or by an allocation that failed)
//   plenty   at least the margin is left, or the process has no bound
//   scarce   less than the margin is left: new work is rejected and caches shrink, until enough is left or nothing more
//            can be freed
//   spent    less than a quarter of the margin is left, or the reserve was released: requests are rejected
// A failed allocation first releases the reserve, then waits up to 250 ms for memory that other threads free, then
// throws std::bad_alloc.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace tribune::base {

/// Values of MemoryUse::bound_by.
inline constexpr std::string_view kAddressBound = "RLIMIT_AS";
inline constexpr std::string_view kCgroupBound = "memory.max of the cgroup";

enum class MemoryLevel { plenty, scarce, spent };

/// One bound and the use of it.
struct MemoryUse {
  std::string_view bound_by;  // a literal
  std::uint64_t bound = 0;    // bytes
  std::uint64_t used = 0;     // bytes, without free memory inside the heap

  std::uint64_t left() const { return bound - (used < bound ? used : bound); }
  /// Subtracts bytes that are no longer used.
  void give_back(std::uint64_t bytes) { used -= bytes < used ? bytes : used; }
};

/// The margin of a bound: memory that requests which can be rejected do not use, in bytes.
std::uint64_t memory_margin(std::uint64_t bound);
/// Bytes that must be freed before the level is "plenty" again: up to one and a half margins.
std::uint64_t memory_missing(const MemoryUse&);
/// The level that follows `before`. Leaving "scarce" takes a quarter of the margin more than entering it (hysteresis).
MemoryLevel memory_level(MemoryLevel before, std::uint64_t left, std::uint64_t margin);

/// The effective margin. Memory that stays scarce for kSettled while new work is rejected cannot be freed: from then on
/// the margin is three quarters of the memory that is left, so that the process continues with the memory that it has.
/// Owned by one thread at a time.
class MemoryMargin {
 public:
  static constexpr std::chrono::milliseconds kSettled{10'000};

  /// The level that follows `before`, with `left` bytes left of a bound whose full margin is `whole`.
  MemoryLevel judge(MemoryLevel before, std::uint64_t left, std::uint64_t whole, std::int64_t now_ms);

 private:
  std::optional<std::int64_t> scarce_since_;  // without interruption
  std::uint64_t least_left_ = 0;              // since then
  std::uint64_t eased_ = 0;                   // the reduced margin; 0: the full margin is in force
};

/// Any thread; locks inside. WHY a singleton: the address space and the handler that operator new calls belong to the
/// process.
class Memory {
 public:
  static Memory& of_process();

  /// Installs the handler of failed allocations. Call it once, before the first thread starts.
  void take_over();

  MemoryLevel level() const { return level_.load(std::memory_order_relaxed); }
  /// Reads the bounds without allocating; nullopt when there are none. Takes some microseconds with a bound, and up to
  /// milliseconds near it.
  std::optional<MemoryUse> look();
  /// The same for callers that allocate often: reads at most once in 20 ms.
  void check_periodically();
  /// Allocations since the start that failed at the first attempt.
  std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }
  /// Counts a std::bad_alloc that a boundary to C code caught; the operation there was abandoned.
  void gave_up_work() { given_up_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t work_given_up() const { return given_up_.load(std::memory_order_relaxed); }

  /// Calls `look` with each reading of the memory monitor, on its thread, so that components with large stores evict
  /// when memory is scarce. Each subtracts the bytes that it evicts from the reading, and the next component evicts
  /// only the rest. Components are called in the order of registration, until the process ends, so `look` must hold
  /// only weak references to objects that end earlier.
  using OnLook = std::function<void(MemoryLevel, MemoryUse&)>;
  void on_look(OnLook look);
  void tell(const MemoryUse&);

  /// Handles a failed allocation; true when the allocation should be tried again. Takes no lock and does not allocate.
  bool give_way() noexcept;

 private:
  Memory() = default;
  void keep_reserve(std::uint64_t left);

  std::mutex mutex_;     // one reading at a time
  MemoryMargin margin_;  // guarded by mutex_
  std::mutex callbacks_mutex_;
  std::vector<OnLook> callbacks_;  // guarded by callbacks_mutex_
  std::atomic<MemoryLevel> level_{MemoryLevel::plenty};
  std::atomic<void*> reserve_{nullptr};
  // Steady milliseconds, which may begin at zero; the initial value lies long before that.
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min() / 2;
  std::atomic<std::int64_t> given_way_at_{kNever};
  std::atomic<std::int64_t> looked_at_{kNever};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> given_up_{0};
};

/// Throws std::bad_alloc, for allocations that fail outside of operator new.
[[noreturn]] void out_of_memory();

/// malloc, calloc and realloc for C libraries, with the same retries as operator new.
void* patient_malloc(std::size_t) noexcept;
void* patient_realloc(void*, std::size_t) noexcept;
void* patient_calloc(std::size_t, std::size_t) noexcept;
char* patient_strdup(const char*) noexcept;

}  // namespace tribune::base
