#include "cache_node/load/ram_bounds.h"

#include <algorithm>

namespace tribune::cache_node {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLeast = 1 << 20;
constexpr auto kCalm = 30s;          // of plenty, before a store that shrank may grow again
constexpr auto kRemembered = 10min;  // for so long it does not grow to where memory became scarce

bool has_proxy(const CacheNodeSettings& s) { return !s.proxy.listen.empty(); }

}  // namespace

std::optional<std::uint64_t> ram_allowance(const std::optional<base::MemoryUse>& use) {
  if (!use) return std::nullopt;
  const auto margin = base::memory_margin(use->bound);
  const auto left = use->left();
  return left > margin ? (left - margin) / 4 * 3 : 0;
}

CacheNodeSettings fitted(CacheNodeSettings settings, std::optional<std::uint64_t> allowance, base::Log& log) {
  const auto objects = settings.is_memory_only() ? settings.max_bytes : 0;
  const auto proxy = has_proxy(settings) ? settings.proxy.max_bytes : 0;
  const auto wanted = settings.fill_buffer_bytes + objects + proxy;
  if (!allowance || wanted <= *allowance) return settings;
  const auto share = static_cast<double>(*allowance) / static_cast<double>(wanted);
  const auto fit = [share](std::uint64_t& bytes) {
    bytes = std::max(kLeast, static_cast<std::uint64_t>(static_cast<double>(bytes) * share));
  };
  fit(settings.fill_buffer_bytes);
  if (objects != 0) fit(settings.max_bytes);
  if (proxy != 0) fit(settings.proxy.max_bytes);
  log.warning("cache_node", "ram_bounds_lowered",
              {{"wanted", wanted},
               {"allowed", *allowance},
               {"fill_buffer_bytes", settings.fill_buffer_bytes},
               {"objects", objects != 0 ? settings.max_bytes : 0},
               {"proxy", proxy != 0 ? settings.proxy.max_bytes : 0}});
  return settings;
}

void RamShrinker::set_also(std::function<void(std::uint64_t)> also) {
  const std::lock_guard lock(mutex_);
  also_ = std::move(also);
}

void RamShrinker::looked(base::MemoryLevel level, const base::MemoryUse& use, base::SteadyTime now) {
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
  // To where memory counts as plentiful again, and a little further.
  const auto margin = base::memory_margin(use.bound);
  const auto aim = margin + margin / 2;
  const auto missing = aim > use.left() ? aim - use.left() : 0;
  const auto held = index->totals().memory_bytes;
  const auto next = held > missing ? held - missing : 0;
  if (missing > held) {
    const std::lock_guard lock(mutex_);
    if (also_) also_(missing - held);
  }
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
}

}  // namespace tribune::cache_node
