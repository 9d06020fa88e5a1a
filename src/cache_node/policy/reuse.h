#pragma once
// Whether an object may be served without revalidation: by its retention rule, and by the origin's header fields when
// the rule leaves it to them, under RFC 9111 and RFC 5861 as implemented in http/freshness.h. Clients' own
// Cache-Control is ignored: no client can force a request to the origin. Pure functions.

#include <chrono>
#include <cstdint>
#include <optional>

#include "cache_node/objects/object.h"
#include "cache_node/policy/retention_rules.h"
#include "http/freshness.h"

namespace tribune::cache_node {

/// `age`: seconds since the object was complete, or was last revalidated. `listed_for`: how long playlists may list
/// an object after they first listed it.
struct HeldObject {
  Retention retention;
  const ObjectHead& head;
  std::int64_t age = 0;
  std::chrono::seconds listed_for{0};
};

http::Reuse decide_reuse(const HeldObject&);
/// Whether it may be served while the origin fails, or after the origin answered that it is gone.
bool may_stand_in(const HeldObject&, bool is_gone);
/// The seconds that it stays fresh; negative for a stale object, nullopt for one that never changes.
std::optional<std::int64_t> fresh_for(const HeldObject&);

}  // namespace tribune::cache_node
