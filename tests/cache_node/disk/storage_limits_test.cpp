#include "cache_node/disk/storage_limits.h"

#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "support/folder.h"

using namespace tribune::cache_node;
using namespace tribune::test;

namespace {
CacheNodeSettings settings_of(std::string store) {
  CacheNodeSettings settings;
  settings.store = std::move(store);
  settings.fill_buffer_bytes = 1000;
  settings.max_bytes = 50'000;
  return settings;
}
}  // namespace

TEST_CASE("a node with a disk keeps fills in RAM, and objects in half of that RAM") {
  CHECK(object_memory_limit(settings_of("disk")) == 500);
}

TEST_CASE("a node without a disk keeps fills and all objects in RAM") {
  CHECK(object_memory_limit(settings_of("memory")) == 50'000);
}

TEST_CASE("new settings change the limits of the index at once") {
  const Folder folder;
  NodeUnderTest node(folder.path());
  const auto index = std::make_shared<ObjectIndex>(1 << 20, 1 << 20, node.memory);
  RamShrinker shrinker(index, node.log);
  StorageLimits limits(*node.memory, *index, shrinker, node.disk, node.disk_maintenance, node.clock);
  limits.set_memory(settings_of("disk"));
  CHECK(index->max_memory_bytes() == 500);
  limits.set_memory(settings_of("memory"));
  CHECK(index->max_memory_bytes() == 50'000);
  limits.set_disk(settings_of("disk"));
  CHECK(index->totals().max_bytes == 50'000);
}
