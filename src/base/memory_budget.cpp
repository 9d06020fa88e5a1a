#include "base/memory_budget.h"

#include <algorithm>

namespace tribune::base {

std::optional<std::uint64_t> memory_allowance(const std::optional<MemoryUse>& use) {
  if (!use) return std::nullopt;
  const auto margin = memory_margin(use->bound);
  const auto left = use->left();
  return left > margin ? (left - margin) / 4 * 3 : 0;
}

MemoryBudget& MemoryBudget::of_process() {
  static MemoryBudget budget(memory_allowance(Memory::of_process().look()));
  return budget;
}

MemoryBudget::Part::~Part() {
  const std::lock_guard lock(budget_.mutex_);
  budget_.asked_ -= asked_;
  budget_.granted_ -= granted_;
}

void MemoryBudget::Part::ask(std::uint64_t bytes) {
  const std::lock_guard lock(budget_.mutex_);
  budget_.asked_ = budget_.asked_ - asked_ + bytes;
  asked_ = bytes;
}

std::optional<std::uint64_t> MemoryBudget::Part::grant() {
  const std::lock_guard lock(budget_.mutex_);
  if (!budget_.bytes_) return std::nullopt;
  const auto total = *budget_.bytes_;
  const auto others = budget_.granted_ - granted_;
  auto share = asked_;
  if (budget_.asked_ > total)
    share = static_cast<std::uint64_t>(static_cast<double>(total) * static_cast<double>(asked_) /
                                       static_cast<double>(budget_.asked_));
  granted_ = std::min(share, total > others ? total - others : 0);
  budget_.granted_ = others + granted_;
  return granted_;
}

}  // namespace tribune::base
