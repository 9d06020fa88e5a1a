#include "base/memory_budget.h"

#include <doctest/doctest.h>

using namespace tribune::base;

namespace {
constexpr std::uint64_t kBudgetMiB = 1 << 20;
}

TEST_CASE("the allowance is three quarters of what is left beyond the margin") {
  CHECK_FALSE(memory_allowance(std::nullopt));
  CHECK(*memory_allowance(MemoryUse{kAddressBound, 400 * kBudgetMiB, 150 * kBudgetMiB}) == 150 * kBudgetMiB);
  CHECK(*memory_allowance(MemoryUse{kAddressBound, 400 * kBudgetMiB, 390 * kBudgetMiB}) == 0);
}

TEST_CASE("without a bound no budget is divided") {
  MemoryBudget budget(std::nullopt);
  MemoryBudget::Part part(budget);
  part.ask(1000 * kBudgetMiB);
  CHECK_FALSE(part.grant());
}

TEST_CASE("a single component gets what it requests, up to the whole budget") {
  MemoryBudget budget(100 * kBudgetMiB);
  MemoryBudget::Part part(budget);
  part.ask(60 * kBudgetMiB);
  CHECK(*part.grant() == 60 * kBudgetMiB);
  part.ask(300 * kBudgetMiB);
  CHECK(*part.grant() == 100 * kBudgetMiB);
}

TEST_CASE("components that request more than the budget get shares in proportion") {
  MemoryBudget budget(120 * kBudgetMiB);
  MemoryBudget::Part first(budget), second(budget);
  first.ask(100 * kBudgetMiB);
  second.ask(300 * kBudgetMiB);
  CHECK(*first.grant() == 30 * kBudgetMiB);
  CHECK(*second.grant() == 90 * kBudgetMiB);
}

TEST_CASE("a later request of one component takes nothing that another one was granted") {
  MemoryBudget budget(100 * kBudgetMiB);
  MemoryBudget::Part first(budget), second(budget);
  first.ask(80 * kBudgetMiB);
  CHECK(*first.grant() == 80 * kBudgetMiB);
  second.ask(80 * kBudgetMiB);
  CHECK(*second.grant() == 20 * kBudgetMiB);
  SUBCASE("the other one is granted its share again, as at a reload") {
    CHECK(*first.grant() == 50 * kBudgetMiB);
    CHECK(*second.grant() == 50 * kBudgetMiB);
  }
  SUBCASE("the other one requests less") {
    first.ask(10 * kBudgetMiB);
    CHECK(*second.grant() == 20 * kBudgetMiB);
    CHECK(*first.grant() == 10 * kBudgetMiB);
    CHECK(*second.grant() == 80 * kBudgetMiB);
  }
}

TEST_CASE("the part of a destroyed component is free again") {
  MemoryBudget budget(100 * kBudgetMiB);
  MemoryBudget::Part first(budget);
  first.ask(100 * kBudgetMiB);
  {
    MemoryBudget::Part second(budget);
    second.ask(100 * kBudgetMiB);
    CHECK(*second.grant() == 50 * kBudgetMiB);
    CHECK(*first.grant() == 50 * kBudgetMiB);
  }
  CHECK(*first.grant() == 100 * kBudgetMiB);
}
