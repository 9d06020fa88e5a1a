#pragma once
// Whether an object may answer as it is: by its rule (retention_rules.h), and by the origin's own words where the rule
// leaves it to them, under RFC 9111 and RFC 5861 as http/freshness.h has them. Viewers' own Cache-Control does not
// count: no viewer makes the origin be asked. Pure functions.

#include <chrono>
#include <cstdint>
#include <optional>

#include "cache_node/objects/object.h"
#include "cache_node/policy/retention_rules.h"
#include "http/freshness.h"

namespace tribune::cache_node {

/// `age`: seconds since the object was complete, or the origin last said that nothing changed. `listed_for`: for so
/// long playlists may list what they once listed.
struct HeldObject {
  Retention retention;
  const ObjectHead& head;
  std::int64_t age = 0;
  std::chrono::seconds listed_for{0};
};

http::Reuse decide_reuse(const HeldObject&);
/// Whether it may answer for an origin that fails, or that says that it is gone.
bool may_stand_in(const HeldObject&, bool is_gone);
/// Seconds for which it is fresh yet; negative for a stale one, nothing for what never changes.
std::optional<std::int64_t> fresh_for(const HeldObject&);

}  // namespace tribune::cache_node
