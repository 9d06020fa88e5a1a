#include "cache_node/balancer_link/readiness.h"

namespace tribune::cache_node {

base::Status readiness(const ReadinessFacts& facts) {
  std::string why;
  if (!facts.is_serving)
    why = "not serving";
  else if (!facts.has_channel_map)
    why = "no channel map: no balancer has answered a heartbeat yet";
  else if (!facts.store_problem.empty())
    why = facts.store_problem;
  else if (!facts.key_problem.empty())
    why = facts.key_problem;
  else
    why = facts.balancer_unfit;
  if (why.empty()) return {};
  return base::failure(base::ErrorKind::unavailable, base::Fault::tribune, std::move(why));
}

}  // namespace tribune::cache_node
