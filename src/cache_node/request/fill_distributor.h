#pragma once
// Spreads the fills of announced objects evenly over the workers.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/role.h"

namespace tribune::cache_node {

/// Owned by the first worker. Outlives the calls that it posts to the workers' loops.
class FillDistributor {
 public:
  using Begin = std::function<void(runtime::Worker&, const std::string& target)>;

  /// `begin` runs on the loop of the worker that it names.
  FillDistributor(const std::vector<std::unique_ptr<runtime::Worker>>& workers, Begin begin)
      : workers_(workers), begin_(std::move(begin)) {}

  /// Each target goes to the next worker in turn. `on_begun` runs on the first worker's loop when all have begun.
  void distribute(std::vector<std::string> targets, std::function<void()> on_begun);

 private:
  const std::vector<std::unique_ptr<runtime::Worker>>& workers_;
  const Begin begin_;
  std::size_t next_worker_ = 0;
};

}  // namespace tribune::cache_node
