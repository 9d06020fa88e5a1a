#include "runtime/memory_monitor.h"

#include <malloc.h>

#include <new>

namespace tribune::runtime {

namespace {

using namespace std::chrono_literals;

constexpr auto kPeriod = 100ms;
constexpr std::size_t kSpareBytes = 64 * 1024;

/// Raises the counter to a total that is counted elsewhere.
void follow(base::Counter& counter, std::uint64_t figure) {
  if (const auto more = static_cast<double>(figure) - counter.value(); more > 0) counter.add(more);
}

}  // namespace

std::string_view to_string(base::MemoryLevel level) {
  switch (level) {
    case base::MemoryLevel::plenty: return "plenty";
    case base::MemoryLevel::scarce: return "scarce";
    case base::MemoryLevel::spent: return "spent";
  }
  return "";
}

MemoryMonitor::MemoryMonitor(base::Log& log, base::Metrics& m)
    : log_(log),
      bound_(m.gauge("tribune_memory_bound_bytes", "Lowest memory limit of the process, in bytes; 0: no limit.")),
      left_(m.gauge("tribune_memory_left_bytes", "Memory available below the limit, in bytes.")),
      level_gauge_(m.gauge("tribune_memory_level",
                           "Memory level. 0: plenty. 1: scarce, caches shrink and no new work starts. 2: spent, "
                           "requests are rejected.")),
      failures_(m.counter("tribune_memory_allocation_failures_total",
                          "Memory allocations that failed at the first attempt.")),
      given_up_(m.counter("tribune_memory_work_given_up_total",
                          "Requests and calls that were aborted because of insufficient memory.")),
      thread_([this] { run(); }) {}

MemoryMonitor::~MemoryMonitor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void MemoryMonitor::run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kPeriod, [this] { return stopping_; })) {
    lock.unlock();
    try {
      check();
    } catch (const std::bad_alloc&) {
      base::Memory::of_process().gave_up_work();
    }
    lock.lock();
  }
}

void MemoryMonitor::check() {
  auto& memory = base::Memory::of_process();
  const auto use = memory.look();
  const auto level = memory.level();
  bound_.set(use ? static_cast<double>(use->bound) : 0);
  left_.set(use ? static_cast<double>(use->left()) : 0);
  level_gauge_.set(static_cast<double>(level));
  follow(failures_, memory.failures());
  follow(given_up_, memory.work_given_up());
  if (level == base::MemoryLevel::spent) spare_.reset();
  if (level != logged_level_) log_level(level, use ? &*use : nullptr);
  if (use) memory.tell(*use);
  if (use && level != base::MemoryLevel::plenty) ::malloc_trim(0);
  if (level == base::MemoryLevel::plenty && !spare_) spare_ = std::make_unique<char[]>(kSpareBytes);
}

void MemoryMonitor::log_level(base::MemoryLevel level, const base::MemoryUse* use) {
  const auto importance = level == base::MemoryLevel::plenty ? base::LogLevel::info : base::LogLevel::warning;
  log_.write(importance, "runtime", "memory_level",
             {{"level", to_string(level)},
              {"bound_by", use ? use->bound_by : "nothing"},
              {"bound", use ? use->bound : 0},
              {"left", use ? use->left() : 0}});
  logged_level_ = level;
}

}  // namespace tribune::runtime
