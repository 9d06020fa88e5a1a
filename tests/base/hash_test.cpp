#include "base/hash.h"

#include <doctest/doctest.h>

#include <set>

#include "base/sharded.h"

using namespace tribune::base;

TEST_CASE("FNV-1a has its published values") {
  CHECK(fnv1a("") == 0xcbf29ce484222325ull);
  CHECK(fnv1a("a") == 0xaf63dc4c8601ec8cull);
  CHECK(fnv1a("foobar") == 0x85944171f73967e8ull);
  CHECK(fnv1a("bar", fnv1a("foo")) == fnv1a("foobar"));
}

TEST_CASE("the mixed hash is the first number of splitmix64") {
  CHECK(mixed_hash(kGoldenRatio) == 0xe220a8397b1dcdafull);
}

TEST_CASE("consecutive numbers go to different shards") {
  struct Shard {
    int number = 0;
  };
  Sharded<Shard> table;
  std::set<const Shard*> met;
  for (std::uint64_t key = 0; key < 64; ++key) met.insert(&table.of(key));
  CHECK(met.size() > 32);
  CHECK(&table.of(7) == &table.of(7));
  CHECK(&table[64 + 3] == &table[3]);
}
