#include "http_cache/ram_bounds.h"

#include <doctest/doctest.h>

#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::http_cache;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

void put(ResponseStore& store, const std::string& key, std::uint64_t bytes) {
  auto response = std::make_shared<StoredResponse>();
  response->body = SlicedBody({base::share(std::string(bytes, 'x')), 0, bytes});
  store.put(key, std::move(response), store.generation(key));
}

bool holds(ResponseStore& store, const std::string& key) {
  const http::Headers fields;
  RequestVariants request(fields);
  return store.find(key, request).response != nullptr;
}

}  // namespace

TEST_CASE("the bounds are lowered to the allowance, and an object is never larger than the store") {
  base::Log log(test::silent());
  HttpCacheSettings settings;
  settings.max_bytes = 256 * kMiB;
  settings.max_object_bytes = 16 * kMiB;
  CHECK(fitted(settings, std::nullopt, log).max_bytes == 256 * kMiB);
  CHECK(fitted(settings, 256 * kMiB, log).max_bytes == 256 * kMiB);
  CHECK(fitted(settings, 100 * kMiB, log).max_bytes == 100 * kMiB);
  CHECK(fitted(settings, 100 * kMiB, log).max_object_bytes == 16 * kMiB);
  CHECK(fitted(settings, 10 * kMiB, log).max_object_bytes == 10 * kMiB);
  CHECK(fitted(settings, 0, log).max_bytes == 1 * kMiB);
}

TEST_CASE("while memory is scarce the missing bytes are evicted, and the bound stays") {
  ResponseStore store(800 * kMiB);
  for (const auto* key : {"a", "b", "c"}) put(store, key, 2 * kMiB);
  CHECK(holds(store, "a"));  // SIEVE keeps used entries
  const auto before = store.totals().bytes;
  // 3 MiB are missing up to one and a half margins.
  base::MemoryUse use{base::kAddressBound, 800 * kMiB, 707 * kMiB};
  SUBCASE("plentiful memory evicts nothing") {
    evict_while_scarce(store, base::MemoryLevel::plenty, use);
    CHECK(store.totals().bytes == before);
    CHECK(use.used == 707 * kMiB);
  }
  SUBCASE("scarce memory evicts the missing bytes") {
    evict_while_scarce(store, base::MemoryLevel::scarce, use);
    CHECK(store.totals().entries == 1);
    CHECK(holds(store, "a"));
    CHECK(use.used == 707 * kMiB - (before - store.totals().bytes));
  }
  SUBCASE("spent memory evicts, too") {
    evict_while_scarce(store, base::MemoryLevel::spent, use);
    CHECK(store.totals().entries == 1);
  }
  SUBCASE("nothing is missing after another component has freed enough") {
    use.give_back(3 * kMiB);
    evict_while_scarce(store, base::MemoryLevel::scarce, use);
    CHECK(store.totals().bytes == before);
  }
  SUBCASE("at most the whole store is evicted") {
    use.used = 799 * kMiB;
    evict_while_scarce(store, base::MemoryLevel::scarce, use);
    CHECK(store.totals().entries == 0);
    CHECK(use.used == 799 * kMiB - before);
  }
  CHECK(store.max_bytes() == 800 * kMiB);
}
