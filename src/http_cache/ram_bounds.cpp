#include "http_cache/ram_bounds.h"

#include <algorithm>

namespace tribune::http_cache {
namespace {

constexpr std::uint64_t kLeast = 1 << 20;

}  // namespace

HttpCacheSettings fitted(HttpCacheSettings settings, std::optional<std::uint64_t> allowance, base::Log& log) {
  const auto wanted = settings.max_bytes;
  if (!allowance || wanted <= *allowance) return settings;
  settings.max_bytes = std::max(kLeast, *allowance);
  settings.max_object_bytes = std::min(settings.max_object_bytes, settings.max_bytes);
  log.warning("http_cache", "ram_bounds_lowered",
              {{"wanted", wanted}, {"allowed", *allowance}, {"max_bytes", settings.max_bytes}});
  return settings;
}

void evict_while_scarce(ResponseStore& store, base::MemoryLevel level, base::MemoryUse& use) {
  if (level == base::MemoryLevel::plenty) return;
  if (const auto missing = base::memory_missing(use); missing != 0) use.give_back(store.evict(missing));
}

}  // namespace tribune::http_cache
