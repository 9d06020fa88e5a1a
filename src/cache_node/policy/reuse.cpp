#include "cache_node/policy/reuse.h"

#include <algorithm>

#include "http/storing.h"

namespace tribune::cache_node {
namespace {

using std::chrono::seconds;

/// Heuristic freshness is 0, because it would exceed the life of a segment. While the origin fails, a stale object is
/// served for up to 366 days, unless its fields forbid this or name a shorter time.
const http::FreshnessRules kRules{seconds(0), std::chrono::hours(24 * 366)};
constexpr base::WallTime kStored{};

bool is_for_life(const HeldObject& h) {
  return h.retention.by == Retention::By::life || (h.retention.by == Retention::By::listed && h.head.terms.empty());
}
bool may_be_listed(const HeldObject& h) {
  return h.retention.by == Retention::By::listed && h.age < h.listed_for.count();
}
base::WallTime now(const HeldObject& h) { return kStored + seconds(h.age); }

/// An object that the origin forbids caches to store is used only while playlists may list it.
bool is_kept_unwanted(const http::StoredHead& head) {
  const auto control = http::governing_directives(head.headers).control;
  return (control.no_store && !control.must_understand) || control.is_private;
}

}  // namespace

http::Reuse decide_reuse(const HeldObject& h) {
  if (is_for_life(h) || may_be_listed(h)) return http::Reuse::fresh;
  if (h.retention.by == Retention::By::time)
    return h.age < h.retention.time.count() ? http::Reuse::fresh : http::Reuse::validate;
  const auto head = http::head_of(h.head.terms, kStored);
  return is_kept_unwanted(head) ? http::Reuse::validate : http::decide_reuse(head, {}, kRules, now(h));
}

bool may_stand_in(const HeldObject& h, bool is_gone) {
  if (!h.retention.asks_origin() || is_for_life(h) || may_be_listed(h)) return true;
  if (is_gone) return false;
  const auto head = http::head_of(h.head.terms, kStored);
  return !is_kept_unwanted(head) && http::may_serve_for_error(head, kRules, now(h));
}

std::optional<std::int64_t> fresh_for(const HeldObject& h) {
  if (is_for_life(h)) return std::nullopt;
  if (h.retention.by == Retention::By::time) return h.retention.time.count() - h.age;
  const auto head = http::head_of(h.head.terms, kStored);
  const auto left = (http::freshness_lifetime(head, kRules) - http::current_age(head, now(h))).count();
  return h.retention.by == Retention::By::listed ? std::max<std::int64_t>(left, h.listed_for.count() - h.age) : left;
}

}  // namespace tribune::cache_node
