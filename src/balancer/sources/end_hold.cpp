#include "balancer/sources/end_hold.h"

namespace tribune::balancer {

bool EndHold::holds(const EndFacts& facts, base::SteadyTime now) {
  const auto since = since_.value_or(now);
  const bool may_go_on = facts.is_other_healthy || now - since < facts.hold_end;
  const bool is_held = facts.was_live && !facts.is_ended_by_operator && may_go_on;
  since_ = is_held ? std::optional(since) : std::nullopt;
  return is_held;
}

}  // namespace tribune::balancer
