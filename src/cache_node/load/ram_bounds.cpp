#include "cache_node/load/ram_bounds.h"

#include <algorithm>

namespace tribune::cache_node {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLeast = 1 << 20;
constexpr auto kCalm = 30s;          // the bound grows when it has not changed for this time
constexpr auto kRemembered = 10min;  // for this time the bound stays below the size at which memory became scarce

}  // namespace

std::uint64_t ram_wanted(const CacheNodeSettings& settings) {
  return settings.fill_buffer_bytes + (settings.is_memory_only() ? settings.max_bytes : 0);
}

CacheNodeSettings fitted(CacheNodeSettings settings, std::optional<std::uint64_t> allowance, base::Log& log) {
  const auto wanted = ram_wanted(settings);
  if (!allowance || wanted <= *allowance) return settings;
  const auto share = static_cast<double>(*allowance) / static_cast<double>(wanted);
  const auto fit = [share](std::uint64_t& bytes) {
    bytes = std::max(kLeast, static_cast<std::uint64_t>(static_cast<double>(bytes) * share));
  };
  fit(settings.fill_buffer_bytes);
  if (settings.is_memory_only()) fit(settings.max_bytes);
  log.warning("cache_node", "ram_bounds_lowered",
              {{"wanted", wanted},
               {"allowed", *allowance},
               {"fill_buffer_bytes", settings.fill_buffer_bytes},
               {"objects", settings.is_memory_only() ? settings.max_bytes : 0}});
  return settings;
}

void RamShrinker::looked(base::MemoryLevel level, base::MemoryUse& use, base::SteadyTime now) {
  const auto index = index_.lock();
  if (!index) return;
  const auto bound = index->max_memory_bytes();
  const auto configured = configured_.load();
  if (level == base::MemoryLevel::plenty) {
    const bool remembers = too_many_at_ && now - *too_many_at_ < kRemembered;
    const auto most = remembers ? std::min(configured, too_many_ / 8 * 7) : configured;
    if (bound >= most || (changed_ && now - *changed_ < kCalm)) return;
    changed_ = now;
    return index->set_max_memory_bytes(std::min(most, bound + configured / 8));
  }
  const auto missing = base::memory_missing(use);
  const auto held = index->totals().memory_bytes;
  const auto next = held > missing ? held - missing : 0;
  if (held == 0 || missing == 0 || next >= bound) return;
  const bool is_first = !changed_ || now - *changed_ >= kCalm;
  changed_ = now;
  if (is_first) {
    too_many_ = held;
    too_many_at_ = now;
  }
  index->set_max_memory_bytes(next);
  if (is_first)
    log_.warning("cache_node", "ram_store_shrinks", {{"held", held}, {"bound", next}, {"left", use.left()}});
  use.give_back(held - next);
}

}  // namespace tribune::cache_node
