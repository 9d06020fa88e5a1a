#include "balancer/sources/rendered_playlists.h"

#include <doctest/doctest.h>

#include <thread>

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kText = 1 << 20;

struct CacheFixture {
  base::ManualClock clock;
  base::Metrics metrics;
  RenderedPlaylists texts{clock, metrics, 8 * kText + kText / 2};
  int made = 0;

  std::shared_ptr<const Rendered> get(std::uint64_t owner, const LinkPins& pins, std::uint64_t bytes = kText) {
    clock.advance(1ms);
    return texts.get(owner, pins, [&] {
      ++made;
      auto rendered = std::make_shared<Rendered>();
      rendered->body = base::share(std::string(bytes, 'x'));
      return rendered;
    });
  }
  double given_up() { return metrics.counter("tribune_balancer_rendered_given_up_total", "").value(); }
};

LinkPins at(int node) { return {{0, "http://n" + std::to_string(node)}}; }

}  // namespace

TEST_CASE("one text is rendered for all callers with the same key") {
  CacheFixture s;
  const auto owner = s.texts.new_owner();
  const auto first = s.get(owner, at(1));
  CHECK(s.get(owner, at(1)) == first);
  CHECK(s.get(s.texts.new_owner(), at(1)) != first);
  CHECK(s.get(owner, {{0, "http://n1"}, {7, "http://n2"}}) != first);
  CHECK(s.made == 3);
  CHECK(s.texts.get(owner, "name", [&] { return first; }) == first);
  CHECK(s.texts.get(owner, "name", [&]() -> RenderedPlaylists::RenderedPtr { return nullptr; }) == first);
}

TEST_CASE("the bytes of all owners together are bounded, and the least recently used is evicted first") {
  CacheFixture s;
  std::vector<std::uint64_t> owners;
  for (int i = 0; i < 8; ++i) owners.push_back(s.texts.new_owner());
  for (int i = 0; i < 8; ++i) s.get(owners[static_cast<std::size_t>(i)], at(i));
  CHECK(s.made == 8);
  CHECK(s.given_up() == 0);
  s.get(owners[0], at(0));  // used again
  s.get(s.texts.new_owner(), at(9));
  CHECK(s.given_up() == 1);
  CHECK(s.texts.bytes() <= s.texts.max_bytes());
  s.get(owners[0], at(0));
  s.get(owners[2], at(2));
  CHECK(s.made == 9);
  s.get(owners[1], at(1));  // the evicted one
  CHECK(s.made == 10);
}

TEST_CASE("a smaller bound, scarce memory and time free bytes; an owner's texts are removed with it") {
  CacheFixture s;
  const auto a = s.texts.new_owner(), b = s.texts.new_owner();
  for (int i = 0; i < 4; ++i) s.get(a, at(i));
  s.texts.configure(2 * kText + kText / 2);
  CHECK(s.texts.bytes() < 3 * kText);
  CHECK(s.given_up() == 2);
  s.texts.shrink(0);
  CHECK(s.texts.bytes() == 0);
  s.get(a, at(1));
  s.get(b, at(1));
  s.texts.forget(a);
  CHECK(s.texts.bytes() < 2 * kText);
  CHECK(s.given_up() == 4);  // a removed entry cannot be requested
  s.clock.advance(kRenderedIdleLifetime);
  s.texts.sweep();
  CHECK(s.texts.bytes() == 0);
}

TEST_CASE("a text larger than the bound is returned, and not cached") {
  CacheFixture s;
  const auto owner = s.texts.new_owner();
  CHECK(s.get(owner, at(1), 9 * kText)->body->size() == 9 * kText);
  CHECK(s.texts.bytes() == 0);
}

TEST_CASE("a failed rendering is not cached: the next call tries again") {
  CacheFixture s;
  const auto owner = s.texts.new_owner();
  CHECK_FALSE(s.texts.get(owner, "late", [&]() -> RenderedPlaylists::RenderedPtr { return nullptr; }));
  CHECK(s.texts.get(owner, "late", [&] { return std::make_shared<Rendered>(); }));
}

TEST_CASE("threads that render, forget and shrink leave no bytes behind") {
  CacheFixture s;
  const auto work = [&s](unsigned seed) {
    for (int i = 0; i < 2'000; ++i) {
      const auto owner = s.texts.new_owner();
      for (int j = 0; j < 3; ++j)
        CHECK(s.texts.get(owner, at(j), [&] {
          auto rendered = std::make_shared<Rendered>();
          rendered->body = base::share(std::string(1'000 * (seed + 1), 'x'));
          return rendered;
        }));
      if (i % 50 == 0) s.texts.shrink(10'000);
      s.texts.forget(owner);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) threads.emplace_back(work, t);
  for (auto& thread : threads) thread.join();
  CHECK(s.texts.bytes() == 0);
}

TEST_CASE("scarce memory evicts half of the rendered bytes, spent memory all") {
  CacheFixture s;
  const auto owner = s.texts.new_owner();
  for (int i = 0; i < 8; ++i) s.get(owner, at(i));
  const auto bytes = s.texts.bytes();
  s.texts.shrink_for(base::MemoryLevel::plenty);
  CHECK(s.texts.bytes() == bytes);
  s.texts.shrink_for(base::MemoryLevel::scarce);
  CHECK(s.texts.bytes() == bytes / 2);
  s.texts.shrink_for(base::MemoryLevel::spent);
  CHECK(s.texts.bytes() == 0);
}
