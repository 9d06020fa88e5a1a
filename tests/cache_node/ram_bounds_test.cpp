#include "cache_node/ram_bounds.h"

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

TEST_CASE("without a bound nothing is fitted") {
  CHECK_FALSE(ram_allowance(std::nullopt));
  CacheNodeSettings settings;
  settings.store = "memory";
  settings.max_bytes = 1000 * kMiB;
  CHECK(fitted(settings, std::nullopt, quiet()).max_bytes == 1000 * kMiB);
}

TEST_CASE("the allowance is three quarters of what is left beyond the margin") {
  CHECK(*ram_allowance(base::MemoryUse{base::kAddressBound, 400 * kMiB, 150 * kMiB}) == 150 * kMiB);
  CHECK(*ram_allowance(base::MemoryUse{base::kAddressBound, 400 * kMiB, 390 * kMiB}) == 0);
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
