#include "http/freshness.h"

#include <algorithm>
#include <array>
#include <string>

#include "http/date.h"
#include "http/targeted_cache_control.h"
#include "http/uri_bytes.h"

namespace tribune::http {
namespace {

using Seconds = std::chrono::seconds;
constexpr Seconds kMaxFreshness{std::int64_t{1} << 31};

std::optional<base::WallTime> date_of(const Headers& headers, std::string_view name) {
  const auto value = headers.first(name);
  if (!value || headers.count(name) > 1) return std::nullopt;
  return parse_date(*value);
}

Seconds between(base::WallTime from, base::WallTime to) { return std::chrono::duration_cast<Seconds>(to - from); }

bool pragma_says_no_cache(const Headers& headers) {
  const auto pragma = headers.joined("Pragma");
  return pragma && parse_cache_control(*pragma).no_cache;
}

Seconds stale_by(const StoredHead& stored, const FreshnessRules& rules, base::WallTime now) {
  return current_age(stored, now) - freshness_lifetime(stored, rules);
}

/// Directives that forbid stale responses in all cases (section 4.2.4).
bool forbids_stale(const CacheControl& control) {
  return control.must_revalidate || control.proxy_revalidate || control.no_cache || control.s_maxage.has_value();
}

}  // namespace

Governing governing_directives(const Headers& response) {
  if (const auto targeted = response.joined("CDN-Cache-Control"))
    if (auto control = parse_targeted_cache_control(*targeted)) return {std::move(*control), true, true};
  Governing governing{cache_control_of(response), false, response.first("Cache-Control").has_value()};
  if (!governing.explicit_field && pragma_says_no_cache(response)) governing.control.no_cache = true;
  return governing;
}

Seconds age_of(const Headers& headers) {
  auto value = headers.first("Age").value_or("");
  value = value.substr(0, value.find_first_of(",;"));
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  if (value.empty() || !std::all_of(value.begin(), value.end(), is_digit)) return Seconds{0};
  Seconds age{0};
  for (const char c : value) age = std::min(kMaxFreshness, age * 10 + Seconds{c - '0'});
  return age;
}

Seconds current_age(const StoredHead& stored, base::WallTime now) {
  const auto date = date_of(stored.headers, "Date").value_or(stored.received);
  const auto apparent = std::max(Seconds{0}, between(date, stored.received));
  const auto corrected = age_of(stored.headers) + std::max(Seconds{0}, between(stored.requested, stored.received));
  const auto resident = std::max(Seconds{0}, between(stored.received, now));
  return std::max(apparent, corrected) + resident;
}

std::optional<Seconds> explicit_lifetime(const StoredHead& stored) {
  const auto governing = governing_directives(stored.headers);
  if (governing.control.s_maxage) return governing.control.s_maxage;
  if (governing.control.max_age) return governing.control.max_age;
  if (governing.targeted || !stored.headers.first("Expires")) return std::nullopt;
  const auto expires = date_of(stored.headers, "Expires");
  if (!expires) return Seconds{0};  // section 5.3: an invalid date is in the past
  return std::max(Seconds{0}, between(date_of(stored.headers, "Date").value_or(stored.received), *expires));
}

bool is_heuristically_cacheable(int status) {
  static constexpr std::array kStatus{200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501};
  return std::find(kStatus.begin(), kStatus.end(), status) != kStatus.end();
}

Seconds freshness_lifetime(const StoredHead& stored, const FreshnessRules& rules) {
  if (const auto lifetime = explicit_lifetime(stored)) return *lifetime;
  const auto governing = governing_directives(stored.headers);
  if (!is_heuristically_cacheable(stored.status) && !governing.control.is_public) return Seconds{0};
  const auto modified = date_of(stored.headers, "Last-Modified");
  if (!modified) return Seconds{0};
  const auto unchanged = between(*modified, date_of(stored.headers, "Date").value_or(stored.received));
  return std::clamp(unchanged / 10, Seconds{0}, std::max(Seconds{0}, rules.heuristic_ceiling));
}

Reuse decide_reuse(const StoredHead& stored, const Headers& request, const FreshnessRules& rules, base::WallTime now) {
  const auto& control = governing_directives(stored.headers).control;
  const auto asked = cache_control_of(request);
  const bool pragma = !request.first("Cache-Control") && pragma_says_no_cache(request);
  if (control.no_cache || asked.no_cache || pragma) return Reuse::validate;

  const auto age = current_age(stored, now);
  if (asked.max_age && age > *asked.max_age) return Reuse::validate;
  const auto overdue = stale_by(stored, rules, now);
  if (overdue + asked.min_fresh.value_or(Seconds{0}) < Seconds{0}) return Reuse::fresh;
  if (asked.min_fresh) return Reuse::validate;
  if (forbids_stale(control)) return Reuse::validate;
  if (control.stale_while_revalidate && overdue < *control.stale_while_revalidate) return Reuse::stale_while_revalidate;
  if (asked.max_stale && overdue <= *asked.max_stale) return Reuse::fresh;
  return Reuse::validate;
}

bool may_serve_for_error(const StoredHead& stored, const FreshnessRules& rules, base::WallTime now) {
  const auto& control = governing_directives(stored.headers).control;
  if (forbids_stale(control)) return false;
  const auto overdue = stale_by(stored, rules, now);
  return overdue < Seconds{0} || overdue < control.stale_if_error.value_or(rules.stale_if_error);
}

}  // namespace tribune::http
