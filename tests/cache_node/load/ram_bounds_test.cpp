#include "cache_node/load/ram_bounds.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::cache_node;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
base::Log& quiet() {
  static base::Log log([] {
    base::LogSettings settings;
    settings.level = base::LogLevel::off;
    return settings;
  }());
  return log;
}

}  // namespace

TEST_CASE("without an allowance the settings are unchanged") {
  CacheNodeSettings settings;
  settings.store = "memory";
  settings.max_bytes = 1000 * kMiB;
  CHECK(fitted(settings, std::nullopt, quiet()).max_bytes == 1000 * kMiB);
}

TEST_CASE("objects and fills in memory are scaled down together") {
  CacheNodeSettings settings;
  settings.store = "memory";
  settings.max_bytes = 300 * kMiB;
  settings.fill_buffer_bytes = 100 * kMiB;
  const auto fit = fitted(settings, 200 * kMiB, quiet());
  CHECK(fit.max_bytes == 150 * kMiB);
  CHECK(fit.fill_buffer_bytes == 50 * kMiB);
}

TEST_CASE("objects on disk take nothing of the allowance") {
  CacheNodeSettings settings;
  settings.max_bytes = 300'000 * kMiB;
  settings.fill_buffer_bytes = 100 * kMiB;
  const auto fit = fitted(settings, 50 * kMiB, quiet());
  CHECK(fit.max_bytes == 300'000 * kMiB);
  CHECK(fit.fill_buffer_bytes == 50 * kMiB);
}

TEST_CASE("without objects to evict no memory is freed, and the bound stays") {
  const auto memory = std::make_shared<FillMemory>(1000 * kMiB);
  const auto index = std::make_shared<ObjectIndex>(0, 800 * kMiB, memory);
  RamShrinker shrinker(index, quiet());
  shrinker.set_configured(800 * kMiB);
  base::SteadyTime now{};
  using base::MemoryLevel;
  base::MemoryUse scarce{base::kAddressBound, 800 * kMiB, 780 * kMiB},
      plenty{base::kAddressBound, 800 * kMiB, 100 * kMiB};
  shrinker.looked(MemoryLevel::scarce, scarce, now);
  CHECK(scarce.used == 780 * kMiB);  // the missing bytes are left to the next component
  CHECK(index->max_memory_bytes() == 800 * kMiB);
  now += std::chrono::minutes(1);
  shrinker.looked(MemoryLevel::plenty, plenty, now);
  CHECK(index->max_memory_bytes() == 800 * kMiB);
}
