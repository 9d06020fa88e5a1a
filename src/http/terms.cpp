#include "http/terms.h"

#include "http/targeted_cache_control.h"
#include "http/vary.h"

namespace tribune::http {
namespace {

constexpr std::size_t kLongestTerms = 1'024;

void add_directive(std::string& list, std::string_view directive) {
  if (!list.empty()) list += ", ";
  list += directive;
}

/// The lifetime by Expires, regardless of other fields.
std::optional<std::chrono::seconds> expires_in(const StoredHead& head) {
  StoredHead only{head.status, {}, head.requested, head.received};
  for (const auto& field : head.headers.all())
    if (equals_ignoring_case(field.name, "Expires") || equals_ignoring_case(field.name, "Date"))
      only.headers.add(field.name, field.value);
  return explicit_lifetime(only);
}

}  // namespace

Terms terms_of(const StoredHead& head) {
  const auto age = current_age(head, head.received);
  Terms terms;
  terms.age = age;
  terms.cache_control = head.headers.joined("Cache-Control").value_or("");
  const auto plain = cache_control_of(head.headers);
  const auto governing = governing_directives(head.headers);
  if (!governing.targeted && governing.control.no_cache && !plain.no_cache)
    add_directive(terms.cache_control, "no-cache");  // Pragma
  if (const auto lifetime = expires_in(head); lifetime && !plain.max_age)
    add_directive(terms.cache_control, "max-age=" + std::to_string(lifetime->count()));
  if (governing.targeted) terms.cdn_cache_control = head.headers.joined("CDN-Cache-Control").value_or("");
  if (varies_on_anything(head.headers)) {
    add_directive(terms.cache_control, "no-cache");
    terms.cdn_cache_control.clear();
  }
  if (terms.cache_control.size() > kLongestTerms || terms.cdn_cache_control.size() > kLongestTerms)
    return {"no-cache", "", age};
  return terms;
}

Terms updated(const Terms& stored, const StoredHead& update) {
  const auto own = terms_of(update);
  Terms merged = stored;
  merged.age = own.age;
  if (!own.cache_control.empty()) merged.cache_control = own.cache_control;
  if (update.headers.first("CDN-Cache-Control")) merged.cdn_cache_control = own.cdn_cache_control;
  return merged;
}

StoredHead head_of(const Terms& terms, base::WallTime arrived) {
  StoredHead head{200, {}, arrived, arrived};
  if (!terms.cache_control.empty()) head.headers.add("Cache-Control", terms.cache_control);
  if (!terms.cdn_cache_control.empty()) head.headers.add("CDN-Cache-Control", terms.cdn_cache_control);
  if (terms.age.count() > 0) head.headers.add("Age", std::to_string(terms.age.count()));
  return head;
}

}  // namespace tribune::http
