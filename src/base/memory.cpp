#include "base/memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

namespace tribune::base {

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kReserve = 16 * kMiB;
constexpr std::int64_t kPatienceMs = 250;  // for memory that other threads free
constexpr std::int64_t kLookPeriodMs = 20;
constexpr std::uint64_t kSmall =
    2048 * kMiB;  // below it, one heap for all threads: each further heap takes 64 MiB of addresses

std::int64_t now_ms() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

/// The beginning of a small file of the kernel, read without allocating.
std::string_view read_small(const char* path, std::array<char, 4096>& buffer) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const auto size = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

/// The number after "name " at the beginning of a line.
std::uint64_t figure(std::string_view text, std::string_view name) {
  for (std::size_t at = 0; at < text.size();) {
    const auto line = text.substr(at, text.find('\n', at) - at);
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ')
      return number(line.substr(name.size() + 1)).value_or(0);
    at += line.size() + 1;
  }
  return 0;
}

std::optional<MemoryUse> of_addresses() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  std::array<char, 4096> buffer;
  const auto pages = number(read_small("/proc/self/statm", buffer)).value_or(0);
  return MemoryUse{kAddressBound, limit.rlim_cur, pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

/// The tightest memory.max from the process's cgroup (v2) up. Clean page cache is not counted as used.
std::optional<MemoryUse> of_cgroup() {
  constexpr std::string_view kRoot = "/sys/fs/cgroup";
  std::array<char, 4096> buffer;
  const auto groups = read_small("/proc/self/cgroup", buffer);
  const auto at = groups.find("0::/");
  if (at == std::string_view::npos || (at != 0 && groups[at - 1] != '\n')) return std::nullopt;
  const auto own = groups.substr(at + 3, groups.find('\n', at) - at - 3);
  std::array<char, 1024> path;
  auto length = kRoot.size() + own.size();
  if (length + 32 > path.size()) return std::nullopt;
  std::copy(own.begin(), own.end(), std::copy(kRoot.begin(), kRoot.end(), path.begin()));
  const auto read = [&](std::string_view file) {
    *std::copy(file.begin(), file.end(), path.begin() + static_cast<std::ptrdiff_t>(length)) = 0;
    return read_small(path.data(), buffer);
  };
  std::optional<MemoryUse> tightest;
  while (true) {
    while (length > kRoot.size() && path[length - 1] == '/') --length;
    if (const auto bound = number(read("/memory.max"))) {
      const auto used = number(read("/memory.current")).value_or(0);
      const auto statistics = read("/memory.stat");
      const auto files = figure(statistics, "inactive_file") + figure(statistics, "active_file");
      const MemoryUse use{kCgroupBound, *bound, used - std::min(used, files)};
      if (!tightest || use.left() < tightest->left()) tightest = use;
    }
    if (length == kRoot.size()) return tightest;
    while (path[length - 1] != '/') --length;
  }
}

void on_new_failed() {
  if (!Memory::of_process().give_way()) out_of_memory();
}

}  // namespace

std::uint64_t memory_margin(std::uint64_t bound) { return std::clamp<std::uint64_t>(bound / 8, 24 * kMiB, 64 * kMiB); }

std::uint64_t memory_missing(const MemoryUse& use) {
  const auto margin = memory_margin(use.bound);
  const auto aim = margin + margin / 2;
  return aim > use.left() ? aim - use.left() : 0;
}

MemoryLevel memory_level(MemoryLevel before, std::uint64_t left, std::uint64_t margin) {
  if (left < margin / 4) return MemoryLevel::spent;
  const auto enough = before == MemoryLevel::plenty ? margin : margin + margin / 4;
  return left < enough ? MemoryLevel::scarce : MemoryLevel::plenty;
}

MemoryLevel MemoryMargin::judge(MemoryLevel before, std::uint64_t left, std::uint64_t whole, std::int64_t now_ms) {
  if (left < whole / 4) {
    scarce_since_.reset();
    return MemoryLevel::spent;
  }
  if (left >= whole + whole / 4) eased_ = 0;
  auto level = memory_level(before, left, eased_ != 0 ? eased_ : whole);
  if (level != MemoryLevel::scarce) {
    scarce_since_.reset();
    return level;
  }
  if (!scarce_since_ || left < least_left_ - std::min(least_left_, whole / 16)) {  // use still grows
    scarce_since_ = now_ms;
    least_left_ = left;
  }
  const bool is_settled = now_ms - *scarce_since_ >= kSettled.count() && left >= whole / 8 * 3;
  if (!is_settled) return level;
  eased_ = left / 4 * 3;
  scarce_since_.reset();
  return MemoryLevel::plenty;
}

Memory& Memory::of_process() {
  static Memory memory;
  return memory;
}

void Memory::take_over() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < kSmall) ::mallopt(M_ARENA_MAX, 1);
  std::set_new_handler(on_new_failed);
  look();
}

std::optional<MemoryUse> Memory::look() {
  const std::lock_guard lock(mutex_);
  looked_at_ = now_ms();
  auto use = of_addresses();
  if (auto group = of_cgroup(); group && (!use || group->left() < use->left())) use = group;
  const auto margin = use ? memory_margin(use->bound) : 0;
  if (use && use->left() < 2 * margin) {
    // Most of the free memory inside the heap counts as free; not all, because it is fragmented.
    const auto unused = static_cast<std::uint64_t>(::mallinfo2().fordblks);
    use->used -= std::min(use->used, unused - unused / 4);
  }
  const auto left = use ? use->left() : UINT64_MAX;
  keep_reserve(left);
  const bool has_reserve = reserve_ != nullptr;
  level_ = has_reserve || !use ? margin_.judge(level_, left, margin, now_ms()) : MemoryLevel::spent;
  return use;
}

void Memory::check_periodically() {
  const auto now = now_ms();
  auto before = looked_at_.load(std::memory_order_relaxed);
  if (now - before < kLookPeriodMs || !looked_at_.compare_exchange_strong(before, now)) return;
  look();
}

/// Maps the reserve, also again after it was released, once enough memory for it and a margin is left.
void Memory::keep_reserve(std::uint64_t left) {
  if (reserve_ != nullptr || left < 2 * kReserve || now_ms() - given_way_at_ < 2 * kPatienceMs) return;
  // The reserve holds addresses only, which RLIMIT_AS bounds. Under a cgroup's bound the margin is the reserve, because
  // allocations do not fail there.
  auto* pages = ::mmap(nullptr, kReserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages != MAP_FAILED) reserve_ = pages;
}

void Memory::on_look(OnLook look) {
  const std::lock_guard lock(callbacks_mutex_);
  callbacks_.push_back(std::move(look));
}

void Memory::tell(const MemoryUse& use) {
  const std::lock_guard lock(callbacks_mutex_);
  auto left_to_free = use;
  for (const auto& look : callbacks_) look(level(), left_to_free);
}

bool Memory::give_way() noexcept {
  const int before = errno;
  failures_.fetch_add(1, std::memory_order_relaxed);
  level_ = MemoryLevel::spent;
  bool again = true;
  if (auto* pages = reserve_.exchange(nullptr)) {
    given_way_at_ = now_ms();
    ::munmap(pages, kReserve);
  } else if (now_ms() - given_way_at_ < kPatienceMs) {
    const timespec moment{0, 2'000'000};
    ::nanosleep(&moment, nullptr);
  } else {
    again = false;
  }
  errno = before;
  return again;
}

void out_of_memory() {
  throw std::bad_alloc();  // WHY: operator new throws it too; every boundary to C code catches it
}

void* patient_malloc(std::size_t size) noexcept {
  while (true)
    if (auto* bytes = std::malloc(size); bytes != nullptr || size == 0 || !Memory::of_process().give_way())
      return bytes;
}

void* patient_realloc(void* old, std::size_t size) noexcept {
  while (true)
    if (auto* bytes = std::realloc(old, size); bytes != nullptr || size == 0 || !Memory::of_process().give_way())
      return bytes;
}

void* patient_calloc(std::size_t count, std::size_t size) noexcept {
  while (true)
    if (auto* bytes = std::calloc(count, size);
        bytes != nullptr || count == 0 || size == 0 || !Memory::of_process().give_way())
      return bytes;
}

char* patient_strdup(const char* text) noexcept {
  const auto size = std::strlen(text) + 1;
  auto* copy = static_cast<char*>(patient_malloc(size));
  return copy != nullptr ? static_cast<char*>(std::memcpy(copy, text, size)) : nullptr;
}

}  // namespace tribune::base
