#include "base/memory.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

using namespace tribune::base;

namespace {
constexpr std::uint64_t kMiB = 1 << 20;
}

TEST_CASE("the margin is an eighth of the bound, within limits") {
  CHECK(memory_margin(64 * kMiB) == 24 * kMiB);
  CHECK(memory_margin(400 * kMiB) == 50 * kMiB);
  CHECK(memory_margin(64'000 * kMiB) == 64 * kMiB);
}

TEST_CASE("memory is scarce below the margin and spent below a quarter of it") {
  constexpr auto margin = 40 * kMiB;
  CHECK(memory_level(MemoryLevel::plenty, 40 * kMiB, margin) == MemoryLevel::plenty);
  CHECK(memory_level(MemoryLevel::plenty, 39 * kMiB, margin) == MemoryLevel::scarce);
  CHECK(memory_level(MemoryLevel::plenty, 10 * kMiB, margin) == MemoryLevel::scarce);
  CHECK(memory_level(MemoryLevel::scarce, 9 * kMiB, margin) == MemoryLevel::spent);
}

TEST_CASE("scarce memory is plentiful again when a quarter more than the margin is free") {
  constexpr auto margin = 40 * kMiB;
  CHECK(memory_level(MemoryLevel::scarce, 49 * kMiB, margin) == MemoryLevel::scarce);
  CHECK(memory_level(MemoryLevel::scarce, 50 * kMiB, margin) == MemoryLevel::plenty);
  CHECK(memory_level(MemoryLevel::spent, 49 * kMiB, margin) == MemoryLevel::scarce);
}

TEST_CASE("the margin is reduced when memory stays scarce and cannot be freed") {
  MemoryMargin margin;
  auto level = MemoryLevel::plenty;
  std::int64_t now = 0;  // the machine has just started
  const auto look = [&](std::uint64_t left, std::int64_t seconds) {
    for (std::int64_t i = 0; i < seconds * 10; ++i) level = margin.judge(level, left, 40 * kMiB, now += 100);
    return level;
  };
  CHECK(look(60 * kMiB, 1) == MemoryLevel::plenty);
  CHECK(look(24 * kMiB, 9) == MemoryLevel::scarce);
  CHECK(look(20 * kMiB, 9) == MemoryLevel::scarce);  // more memory was used: the wait starts again
  CHECK(look(20 * kMiB, 2) == MemoryLevel::plenty);
  CHECK(look(14 * kMiB, 2) == MemoryLevel::scarce);  // the margin is 15 MiB now
  CHECK(look(20 * kMiB, 1) == MemoryLevel::plenty);  // and the wait that began has ended
  CHECK(look(9 * kMiB, 1) == MemoryLevel::spent);
  CHECK(look(12 * kMiB, 60) == MemoryLevel::scarce);  // too little for a smaller margin
  CHECK(look(60 * kMiB, 1) == MemoryLevel::plenty);
  CHECK(look(39 * kMiB, 1) == MemoryLevel::scarce);  // the whole margin applies again
}

TEST_CASE("an exceeded bound leaves nothing") {
  const MemoryUse use{kAddressBound, 100, 120};
  CHECK(use.left() == 0);
}

TEST_CASE("the missing memory is measured up to one and a half margins") {
  CHECK(memory_missing({kAddressBound, 800 * kMiB, 780 * kMiB}) == 76 * kMiB);
  CHECK(memory_missing({kAddressBound, 800 * kMiB, 704 * kMiB}) == 0);
  CHECK(memory_missing({kAddressBound, 800 * kMiB, 100 * kMiB}) == 0);
}

TEST_CASE("memory that one component frees is not requested from the next one") {
  auto& memory = Memory::of_process();
  const auto is_on = std::make_shared<bool>(true);  // the process keeps the callbacks
  std::vector<std::uint64_t> seen;
  for (int i = 0; i < 2; ++i)
    memory.on_look([weak = std::weak_ptr<bool>(is_on), &seen](MemoryLevel, MemoryUse& use) {
      if (!weak.lock()) return;
      seen.push_back(memory_missing(use));
      use.give_back(70 * kMiB);
    });
  memory.tell({kAddressBound, 800 * kMiB, 780 * kMiB});
  CHECK(seen == std::vector<std::uint64_t>{76 * kMiB, 6 * kMiB});
}

TEST_CASE("the replacements of malloc for C libraries behave like it") {
  std::unique_ptr<void, void (*)(void*)> bytes(patient_malloc(8), std::free);
  REQUIRE(bytes != nullptr);
  std::memset(bytes.get(), 'x', 8);
  auto* grown = static_cast<char*>(patient_realloc(bytes.release(), 4096));
  REQUIRE(grown != nullptr);
  bytes.reset(grown);
  CHECK(std::string_view(grown, 8) == "xxxxxxxx");
  const std::unique_ptr<void, void (*)(void*)> zeroes(patient_calloc(4, 2), std::free);
  CHECK(std::memcmp(zeroes.get(), "\0\0\0\0\0\0\0\0", 8) == 0);
  const std::unique_ptr<char, void (*)(void*)> copy(patient_strdup("words"), std::free);
  CHECK(std::string_view(copy.get()) == "words");
}
