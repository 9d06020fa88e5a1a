#include "http_cache/request_variants.h"

#include <algorithm>

#include "http/vary.h"

namespace tribune::http_cache {

std::optional<bool> RequestVariants::select(const StoredResponse& response) const {
  if (response.vary.empty()) return true;
  const auto known =
      std::find_if(keys_.begin(), keys_.end(), [&](const auto& entry) { return entry.first == response.vary; });
  if (known == keys_.end()) return std::nullopt;
  return known->second == response.variant || (!response.language.empty() && response.language == language_);
}

void RequestVariants::compute(const std::string& vary) {
  keys_.emplace_back(vary, http::variant_key_by(http::field_name_list(vary), fields_));
  if (!language_) language_ = http::preferred_language(fields_);
}

bool RequestVariants::names(std::string_view field, const std::string& vary) {
  const auto named = http::field_name_list(vary);
  return std::any_of(named.begin(), named.end(),
                     [&](const std::string& name) { return http::equals_ignoring_case(name, field); });
}

bool RequestVariants::selects(const StoredResponse& response) {
  const auto known = select(response);
  if (known) return *known;
  compute(response.vary);
  return *select(response);
}

}  // namespace tribune::http_cache
