#pragma once
// The memory that the process may have: what bounds it, how much is left, and what happens when an allocation fails.
//
// Levels (set by look(), or by an allocation that failed)
//   plenty   at least the margin is left, or nothing bounds the process
//   scarce   less than the margin is left: nothing new is begun, caches shrink, until there is enough again or nothing
//   can be given back spent    less than a quarter of the margin is left, or the reserve was given up: requests are
//   refused
// An allocation that fails first gets the reserve, then waits a moment for what others give back, then throws
// std::bad_alloc.

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

/// What MemoryUse::bound_by says.
inline constexpr std::string_view kAddressBound = "RLIMIT_AS";
inline constexpr std::string_view kCgroupBound = "memory.max of the cgroup";

enum class MemoryLevel { plenty, scarce, spent };

/// One bound and how the process stands to it.
struct MemoryUse {
  std::string_view bound_by;  // a literal
  std::uint64_t bound = 0;    // bytes
  std::uint64_t used = 0;     // bytes; what the heap could use again is not in it

  std::uint64_t left() const { return bound - (used < bound ? used : bound); }
  /// So many bytes are not used any more.
  void give_back(std::uint64_t bytes) { used -= bytes < used ? bytes : used; }
};

/// The room that is kept free of what can be refused, for a bound of so many bytes.
std::uint64_t memory_margin(std::uint64_t bound);
/// Bytes that must be freed before the level is "plenty" again: up to one and a half margins.
std::uint64_t memory_missing(const MemoryUse&);
/// The level that follows `before`. It takes a quarter of the margin more to leave "scarce" than to enter it.
MemoryLevel memory_level(MemoryLevel before, std::uint64_t left, std::uint64_t margin);

/// The margin that counts. Memory that stays scarce for kSettled while nothing new is begun is memory that nobody can
/// give back: from then on three quarters of what is left are the margin, so that the process works with what it has
/// instead of refusing for ever. Owned by one thread at a time.
class MemoryMargin {
 public:
  static constexpr std::chrono::milliseconds kSettled{10'000};

  /// The level that follows `before`, with so much left of a bound whose whole margin is `whole`.
  MemoryLevel judge(MemoryLevel before, std::uint64_t left, std::uint64_t whole, std::int64_t now_ms);

 private:
  std::optional<std::int64_t> scarce_since_;  // without a break
  std::uint64_t least_left_ = 0;              // since then
  std::uint64_t eased_ = 0;                   // the margin instead of the whole one; 0: the whole one
};

/// Any thread; locks inside. WHY one for the process: the address space is the process's, and so is the handler that
/// operator new calls.
class Memory {
 public:
  static Memory& of_process();

  /// Takes over what happens when an allocation fails. Once, before the first thread.
  void take_over();

  MemoryLevel level() const { return level_.load(std::memory_order_relaxed); }
  /// Looks at the bounds anew, without the heap; nothing when there are none. Cheap without bounds; with them some
  /// microseconds, and up to milliseconds near one.
  std::optional<MemoryUse> look();
  /// The same for who allocates much: at most once in 20 ms.
  void look_sometimes();
  /// Allocations that failed at first since the start.
  std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }
  /// A seam caught std::bad_alloc: what was under way there was given up.
  void gave_up_work() { given_up_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t work_given_up() const { return given_up_.load(std::memory_order_relaxed); }

  /// Calls `look` with each figure that the monitor reads, on its thread, so that a component which stores much evicts
  /// when memory is scarce. It subtracts what it evicts from the figure, and the next component evicts only the rest.
  /// Components are called in the order of registration, until the process ends: `look` holds what may end before that
  /// weakly.
  using OnLook = std::function<void(MemoryLevel, MemoryUse&)>;
  void on_look(OnLook look);
  void tell(const MemoryUse&);

  /// An allocation failed: whether trying again makes sense. Takes no lock and allocates nothing.
  bool give_way() noexcept;

 private:
  Memory() = default;
  void keep_reserve(std::uint64_t left);

  std::mutex mutex_;     // one look at a time
  MemoryMargin margin_;  // guarded by mutex_
  std::mutex told_mutex_;
  std::vector<OnLook> told_;  // guarded by told_mutex_
  std::atomic<MemoryLevel> level_{MemoryLevel::plenty};
  std::atomic<void*> reserve_{nullptr};
  // Steady milliseconds, which may begin at zero: what has not happened yet lies long before.
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min() / 2;
  std::atomic<std::int64_t> given_way_at_{kNever};
  std::atomic<std::int64_t> looked_at_{kNever};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> given_up_{0};
};

/// Where something else than operator new had no memory: throws what that throws.
[[noreturn]] void out_of_memory();

/// For libraries in C that allocate on their own: malloc and its kin, with the same second chance as operator new.
void* patient_malloc(std::size_t) noexcept;
void* patient_realloc(void*, std::size_t) noexcept;
void* patient_calloc(std::size_t, std::size_t) noexcept;
char* patient_strdup(const char*) noexcept;

}  // namespace tribune::base
