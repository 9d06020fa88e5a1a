#include "cache_node/objects/object_index.h"

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <thread>

using namespace tribune;
using namespace tribune::cache_node;

namespace {

struct ObjectIndexFixture {
  std::shared_ptr<FillMemory> memory = std::make_shared<FillMemory>(64 << 20);
  ObjectIndex index{1000, 1000, memory};
  base::ManualClock clock;

  ObjectIndex::Found find(const std::string& key) { return index.find_or_begin(object_key(key), clock.steady_now()); }

  static ObjectPtr object_of(const Fill& fill, std::uint64_t size) {
    auto object = std::make_shared<Object>();
    object->id = fill.key().id;
    object->generation = fill.generation();
    object->size = size;
    return object;
  }
  /// Stores an object; returns the names of the evicted objects.
  std::vector<std::string> store(const std::string& key, std::uint64_t size) {
    const auto fill = std::get<ObjectIndex::Joined>(find(key)).fill;
    names[fill->key().id.hex()] = key;
    std::vector<std::string> gone;
    for (const auto& object : index.complete(*fill, object_of(*fill, size)).evicted)
      gone.push_back(names[object->id.hex()]);
    return gone;
  }
  bool holds(const std::string& key) { return std::holds_alternative<ObjectPtr>(find(key)); }

  std::map<std::string, std::string> names;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(ObjectIndexFixture,
                  "of many threads that request the same objects, exactly one begins the fill of each") {
  std::atomic<int> began{0}, joined{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const auto found = find("channel/e/" + std::to_string(i));
        const auto& j = std::get<ObjectIndex::Joined>(found);
        ++(j.began ? began : joined);
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(began == 500);
  CHECK(joined == 7 * 500);
  CHECK(index.totals().fills == 500);
}

TEST_CASE_FIXTURE(ObjectIndexFixture, "a complete fill is found as an object, and an abandoned one is begun again") {
  const auto one = std::get<ObjectIndex::Joined>(find("a")).fill;
  CHECK(index.complete(*one, object_of(*one, 10)).accepted);
  CHECK(holds("a"));
  const auto two = std::get<ObjectIndex::Joined>(find("b")).fill;
  index.abandon(*two);
  CHECK(std::get<ObjectIndex::Joined>(find("b")).began);
  CHECK(index.totals().bytes == 10);
  CHECK(index.totals().fills == 1);
}

TEST_CASE_FIXTURE(ObjectIndexFixture,
                  "an abandoned fill stores nothing and does not affect the fill that replaced it") {
  const auto lost = std::get<ObjectIndex::Joined>(find("a")).fill;
  index.abandon(*lost);
  const auto next = std::get<ObjectIndex::Joined>(find("a")).fill;
  CHECK_FALSE(index.complete(*lost, object_of(*lost, 10)).accepted);
  index.abandon(*lost);
  const auto found = std::get<ObjectIndex::Joined>(find("a"));
  CHECK(found.fill == next);
  CHECK_FALSE(found.began);
}

TEST_CASE_FIXTURE(ObjectIndexFixture, "a failed fill answers requests until its retention ends") {
  const auto fill = std::get<ObjectIndex::Joined>(find("a")).fill;
  index.abandon(*fill, FillFailure{&http::problems::not_found, "no", "origin_not_found"},
                clock.steady_now() + std::chrono::milliseconds(500));
  CHECK(std::get<FillFailure>(find("a")).detail == "no");
  clock.advance(std::chrono::milliseconds(499));
  CHECK(std::holds_alternative<FillFailure>(find("a")));
  clock.advance(std::chrono::milliseconds(1));
  CHECK(std::get<ObjectIndex::Joined>(find("a")).began);
}

TEST_CASE_FIXTURE(ObjectIndexFixture,
                  "SIEVE keeps objects that were requested again, and evicts the oldest of the others first") {
  for (const char* key : {"a", "b", "c", "d"}) CHECK(store(key, 250).empty());
  CHECK(holds("a"));
  CHECK(holds("c"));
  CHECK(store("e", 250) == Names{"b"});
  // The hand is behind b and continues from there: c loses its mark, d is evicted.
  CHECK(store("f", 250) == Names{"d"});
  // e and f are evicted next, before the hand reaches a again: they were never requested again.
  CHECK(store("g", 250) == Names{"e"});
  CHECK(holds("a"));
}

TEST_CASE_FIXTURE(ObjectIndexFixture, "an object in use is never evicted") {
  for (const char* key : {"a", "b", "c", "d"}) store(key, 250);
  const auto in_use = std::get<ObjectPtr>(find("a"));
  for (int i = 0; i < 20; ++i) store("new" + std::to_string(i), 250);
  CHECK(holds("a"));
  CHECK(index.totals().bytes == 1000);
  auto everything = std::vector<ObjectPtr>{in_use};
  for (int i = 0; i < 20; ++i)
    if (const auto found = find("new" + std::to_string(i)); std::holds_alternative<ObjectPtr>(found))
      everything.push_back(std::get<ObjectPtr>(found));
  CHECK(everything.size() == 4);
  // All objects are in use: the bound is exceeded, and none of them is evicted.
  CHECK(store("one more", 250).empty());
  CHECK(index.totals().bytes == 1250);
}

TEST_CASE_FIXTURE(ObjectIndexFixture, "threads that store, find and drop objects leave correct totals") {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2'000; ++i) {
        const auto found = find("k" + std::to_string((i * 7 + t) % 97));
        if (const auto* j = std::get_if<ObjectIndex::Joined>(&found); j && j->began) {
          if (i % 5 == 0) {
            index.abandon(*j->fill);
          } else {
            index.complete(*j->fill, object_of(*j->fill, 20 + static_cast<std::uint64_t>(i % 60)));
          }
        } else if (const auto* o = std::get_if<ObjectPtr>(&found); o && i % 11 == 0) {
          index.drop(*o);
        }
      }
    });
  for (auto& thread : threads) thread.join();
  const auto before = index.totals();
  CHECK(before.fills == 0);
  CHECK(before.bytes <= 1000);
  index.evict_bytes(1000, 0);
  CHECK(index.totals().bytes == 0);
  CHECK(index.totals().objects == 0);
}

TEST_CASE_FIXTURE(ObjectIndexFixture, "complete fills that stay in RAM are bounded, and the oldest is removed first") {
  std::vector<std::shared_ptr<Fill>> fills;
  for (const char* key : {"a", "b", "c"}) {
    const auto fill = std::get<ObjectIndex::Joined>(find(key)).fill;
    fill->begin({}, 400);
    fill->append(std::string(400, 'x'), clock.steady_now());
    fill->finish("", 0, 0);
    index.keep_in_memory(fill);
  }
  CHECK(index.totals().memory_objects == 2);
  CHECK(std::get<ObjectIndex::Joined>(find("c")).began == false);
  CHECK(std::get<ObjectIndex::Joined>(find("b")).began == false);
  CHECK(std::get<ObjectIndex::Joined>(find("a")).began);
}

TEST_CASE_FIXTURE(ObjectIndexFixture, "only the files of objects and of running fills are known") {
  const auto fill = std::get<ObjectIndex::Joined>(find("a")).fill;
  CHECK(index.knows(fill->key().id, fill->generation()));
  index.complete(*fill, object_of(*fill, 1));
  CHECK(index.knows(fill->key().id, fill->generation()));
  CHECK_FALSE(index.knows(fill->key().id, fill->generation() + 1));
  CHECK_FALSE(index.knows(object_key("b").id, 1));
}

TEST_CASE_FIXTURE(ObjectIndexFixture,
                  "objects that playlists may still list are not evicted, even if the bound is exceeded") {
  index.set_min_age(std::chrono::seconds(60));
  const auto store_at = [&](const std::string& key, std::uint32_t when) {
    const auto fill = std::get<ObjectIndex::Joined>(find(key)).fill;
    auto object = object_of(*fill, 400);
    object->stored = when;
    return index.complete(*fill, object).evicted.size();
  };
  CHECK(store_at("a", 1000) == 0);
  CHECK(store_at("b", 1030) == 0);
  CHECK(store_at("c", 1050) == 0);
  CHECK(index.totals().bytes == 1200);
  // At 1060 only a is old enough.
  CHECK(store_at("d", 1060) == 1);
  CHECK_FALSE(holds("a"));
  CHECK(index.evict_bytes(10'000, 1089).empty());
  CHECK(index.evict_bytes(400, 1090).size() == 1);
  CHECK_FALSE(holds("b"));
  // The clock stepped back by an hour: objects whose times are in the future are not protected.
  CHECK(index.evict_bytes(800, 0).size() == 2);
}

TEST_CASE_FIXTURE(ObjectIndexFixture, "a complete fill in RAM that has a reader is not dropped") {
  const auto in_ram = [&](const char* key) {
    const auto fill = std::get<ObjectIndex::Joined>(find(key)).fill;
    fill->begin({}, 400);
    fill->append(std::string(400, 'x'), clock.steady_now());
    fill->finish("", 0, 0);
    index.keep_in_memory(fill);
    return fill;
  };
  const auto read = in_ram("a");
  in_ram("b");
  in_ram("c");
  CHECK(index.totals().memory_bytes == 800);
  CHECK(index.status(object_key("a").id) == ObjectIndex::Status::held);
  CHECK(index.status(object_key("b").id) == ObjectIndex::Status::nothing);
}
