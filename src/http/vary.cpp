#include "http/vary.h"

#include <algorithm>
#include <cstdlib>

#include "base/bytes.h"
#include "http/uri_bytes.h"

namespace tribune::http {
namespace {

std::vector<std::string_view> members_of(std::string_view list) {
  std::vector<std::string_view> members;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (const auto member = base::trimmed(list.substr(0, comma)); !member.empty()) members.push_back(member);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return members;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
  return out;
}

struct LanguageRange {
  std::string range;
  int thousandths = 1000;
};

/// The weight of RFC 9110 section 12.4.2; an invalid weight counts as 1.
int weight_of(std::string_view parameters) {
  const auto q = lower_case(parameters).find("q=");
  if (q == std::string::npos) return 1000;
  const double value = std::strtod(std::string(parameters.substr(q + 2)).c_str(), nullptr);
  return value >= 0 && value <= 1 ? static_cast<int>(value * 1000 + 0.5) : 1000;
}

std::vector<LanguageRange> by_preference(std::string_view accept_language) {
  std::vector<LanguageRange> ranges;
  for (const auto member : members_of(accept_language)) {
    const auto semicolon = std::min(member.find(';'), member.size());
    ranges.push_back({lower_case(base::trimmed(member.substr(0, semicolon))), weight_of(member.substr(semicolon))});
  }
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) {
    return a.thousandths != b.thousandths ? a.thousandths > b.thousandths : a.range < b.range;
  });
  return ranges;
}

std::string normalised(std::string_view name, const std::string& value) {
  std::string text;
  if (equals_ignoring_case(name, "Accept-Language")) {
    for (const auto& [range, thousandths] : by_preference(value))
      text += range + ";" + std::to_string(thousandths) + ",";
    return text;
  }
  for (const auto member : members_of(value)) text += std::string(member) + ",";
  return text;
}

}  // namespace

std::vector<std::string> field_name_list(std::string_view value) {
  std::vector<std::string> names;
  for (const auto member : members_of(value)) names.emplace_back(member);
  return names;
}

bool varies_on_anything(const Headers& response) {
  const auto members = field_name_list(response.joined("Vary").value_or(""));
  return std::find(members.begin(), members.end(), "*") != members.end();
}

std::string variant_key(const Headers& response, const Headers& request) {
  return variant_key_by(field_name_list(response.joined("Vary").value_or("")), request);
}

std::string variant_key_by(std::vector<std::string> names, const Headers& request) {
  std::transform(names.begin(), names.end(), names.begin(), [](const std::string& name) { return lower_case(name); });
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string key;
  for (const auto& name : names) {
    const auto value = request.joined(name);
    key += name;
    key += value ? "=" + normalised(name, *value) : std::string("-");  // absent differs from empty
    key += '\n';
  }
  return key;
}

bool prefers_stored_language(const Headers& response, const Headers& request) {
  const auto names = field_name_list(response.joined("Vary").value_or(""));
  if (names.size() != 1 || !equals_ignoring_case(names.front(), "Accept-Language")) return false;
  const auto stored = response.first("Content-Language");
  const auto accepted = request.joined("Accept-Language");
  if (!stored || !accepted) return false;
  const auto ranges = by_preference(*accepted);
  if (ranges.empty() || ranges.front().range != lower_case(base::trimmed(*stored))) return false;
  return ranges.size() == 1 || ranges[1].thousandths < ranges[0].thousandths;
}

}  // namespace tribune::http
