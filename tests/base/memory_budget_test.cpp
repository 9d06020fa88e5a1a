#include "base/memory_budget.h"

#include <doctest/doctest.h>

using namespace tribune::base;

namespace {
constexpr std::uint64_t kMiB = 1 << 20;
}

TEST_CASE("the allowance is three quarters of what is left beyond the margin") {
  CHECK_FALSE(memory_allowance(std::nullopt));
  CHECK(*memory_allowance(MemoryUse{kAddressBound, 400 * kMiB, 150 * kMiB}) == 150 * kMiB);
  CHECK(*memory_allowance(MemoryUse{kAddressBound, 400 * kMiB, 390 * kMiB}) == 0);
}

TEST_CASE("without a bound no budget is divided") {
  MemoryBudget budget(std::nullopt);
  MemoryBudget::Part part(budget);
  part.ask(1000 * kMiB);
  CHECK_FALSE(part.grant());
}

TEST_CASE("a single component gets what it requests, up to the whole budget") {
  MemoryBudget budget(100 * kMiB);
  MemoryBudget::Part part(budget);
  part.ask(60 * kMiB);
  CHECK(*part.grant() == 60 * kMiB);
  part.ask(300 * kMiB);
  CHECK(*part.grant() == 100 * kMiB);
}

TEST_CASE("components that request more than the budget get shares in proportion") {
  MemoryBudget budget(120 * kMiB);
  MemoryBudget::Part first(budget), second(budget);
  first.ask(100 * kMiB);
  second.ask(300 * kMiB);
  CHECK(*first.grant() == 30 * kMiB);
  CHECK(*second.grant() == 90 * kMiB);
}

TEST_CASE("a later request of one component takes nothing that another one was granted") {
  MemoryBudget budget(100 * kMiB);
  MemoryBudget::Part first(budget), second(budget);
  first.ask(80 * kMiB);
  CHECK(*first.grant() == 80 * kMiB);
  second.ask(80 * kMiB);
  CHECK(*second.grant() == 20 * kMiB);
  SUBCASE("until the other one is granted its share again, as at a reload") {
    CHECK(*first.grant() == 50 * kMiB);
    CHECK(*second.grant() == 50 * kMiB);
  }
  SUBCASE("until the other one requests less") {
    first.ask(10 * kMiB);
    CHECK(*second.grant() == 20 * kMiB);
    CHECK(*first.grant() == 10 * kMiB);
    CHECK(*second.grant() == 80 * kMiB);
  }
}

TEST_CASE("the part of a destroyed component is free again") {
  MemoryBudget budget(100 * kMiB);
  MemoryBudget::Part first(budget);
  first.ask(100 * kMiB);
  {
    MemoryBudget::Part second(budget);
    second.ask(100 * kMiB);
    CHECK(*second.grant() == 50 * kMiB);
    CHECK(*first.grant() == 50 * kMiB);
  }
  CHECK(*first.grant() == 100 * kMiB);
}
