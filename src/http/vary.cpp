#include "http/vary.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "http/uri_bytes.h"

namespace tribune::http {
namespace {

/// Bounds the work for one field of a request. The value of a longer list selects a variant as it was sent.
constexpr std::size_t kMaxMembers = 64;

/// Fields whose values are no lists: a comma in them is an ordinary byte.
constexpr std::array<std::string_view, 12> kNoLists{
    "Authorization",       "Cookie", "Date",    "From",        "Host",      "If-Modified-Since", "If-Range",
    "If-Unmodified-Since", "Origin", "Referer", "Traceparent", "User-Agent"};

/// The position of the first comma outside of quoted strings, or the length.
std::size_t next_unquoted_comma(std::string_view list) {
  bool quoted = false;
  for (std::size_t at = 0; at < list.size(); ++at) {
    if (list[at] == '"') quoted = !quoted;
    if (list[at] == '\\' && quoted) ++at;
    if (at < list.size() && list[at] == ',' && !quoted) return at;
  }
  return list.size();
}

/// At most `most` members and, if there are more, one that contains the rest.
std::vector<std::string_view> members_of(std::string_view list, std::size_t most = SIZE_MAX) {
  std::vector<std::string_view> members;
  while (!list.empty()) {
    const auto end = members.size() < most ? next_unquoted_comma(list) : list.size();
    if (const auto member = base::trimmed(list.substr(0, end)); !member.empty()) members.push_back(member);
    list.remove_prefix(std::min(end + 1, list.size()));
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

/// A qvalue in thousandths: "0" or "1", and up to three digits after the point.
std::optional<int> thousandths_of(std::string_view qvalue) {
  if (qvalue.empty() || qvalue.size() > 5 || (qvalue[0] != '0' && qvalue[0] != '1')) return std::nullopt;
  int total = qvalue[0] - '0';
  if (qvalue.size() > 1 && qvalue[1] != '.') return std::nullopt;
  for (std::size_t at = 2; at < 5; ++at) {
    const char digit = at < qvalue.size() ? qvalue[at] : '0';
    if (!is_digit(digit)) return std::nullopt;
    total = total * 10 + (digit - '0');
  }
  return total <= 1000 ? std::optional(total) : std::nullopt;
}

/// The value of the parameter q (RFC 9110 section 12.4.2); without it, and where it is invalid, 1.
int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const auto end = std::min(parameters.find(';'), parameters.size());
    const auto parameter = base::trimmed(parameters.substr(0, end));
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
    if (parameter.starts_with("q=") || parameter.starts_with("Q="))
      return thousandths_of(parameter.substr(2)).value_or(1000);
  }
  return 1000;
}

std::vector<LanguageRange> by_preference(std::string_view accept_language) {
  std::vector<LanguageRange> ranges;
  for (const auto member : members_of(accept_language, kMaxMembers)) {
    const auto semicolon = std::min(member.find(';'), member.size());
    ranges.push_back({lower_case(base::trimmed(member.substr(0, semicolon))), weight_of(member.substr(semicolon))});
  }
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) {
    return a.thousandths != b.thousandths ? a.thousandths > b.thousandths : a.range < b.range;
  });
  return ranges;
}

std::string normalised(std::string_view name, const std::string& value) {
  const bool is_single = std::any_of(kNoLists.begin(), kNoLists.end(),
                                     [&](std::string_view single) { return equals_ignoring_case(single, name); });
  const auto members = is_single ? std::vector<std::string_view>() : members_of(value, kMaxMembers);
  if (is_single || members.size() > kMaxMembers) return value;
  std::string text;
  if (equals_ignoring_case(name, "Accept-Language")) {
    for (const auto& [range, thousandths] : by_preference(value))
      text += range + ";" + std::to_string(thousandths) + ",";
    return text;
  }
  for (const auto member : members) text.append(member).append(",");
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

std::string preferred_language(const Headers& request) {
  const auto accepted = request.joined("Accept-Language");
  const auto ranges = accepted ? by_preference(*accepted) : std::vector<LanguageRange>();
  if (ranges.empty() || ranges.size() > kMaxMembers) return {};
  const bool is_alone =
      ranges[0].thousandths > 0 && (ranges.size() == 1 || ranges[1].thousandths < ranges[0].thousandths);
  return is_alone ? ranges.front().range : "";
}

std::string language_of_variant(const Headers& response) {
  const auto names = field_name_list(response.joined("Vary").value_or(""));
  if (names.size() != 1 || !equals_ignoring_case(names.front(), "Accept-Language")) return {};
  return lower_case(base::trimmed(response.first("Content-Language").value_or("")));
}

}  // namespace tribune::http
