#pragma once
// Whether the node is ready for viewers, and the first reason why it is not. Pure functions.

#include <string>

#include "base/result.h"

namespace tribune::cache_node {

struct ReadinessFacts {
  bool is_serving = false;
  bool has_channel_map = false;
  std::string store_problem;   // empty while the store works
  std::string key_problem;     // empty while a key signs
  std::string balancer_unfit;  // why a balancer sends no viewers here; empty when all do
};

/// Errors: unavailable, with the reason.
base::Status readiness(const ReadinessFacts&);

}  // namespace tribune::cache_node
