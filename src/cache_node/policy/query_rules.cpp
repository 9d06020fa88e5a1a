#include "cache_node/policy/query_rules.h"

#include <algorithm>

#include "cache_node/policy/retention_rules.h"
#include "contracts/origin_path.h"

namespace tribune::cache_node {

namespace {

std::string counted(const QueryRules& rules, std::string_view channel, std::string_view path,
                    std::string_view link_query) {
  const auto query_text = contracts::written_query(link_query);
  const std::string_view query = query_text;
  const auto rule =
      std::find_if(rules.begin(), rules.end(), [&](const QueryRule& r) { return fits_path(r.pattern, channel, path); });
  if (query_text.empty() && rule == rules.end())
    return std::string(link_query);  // "/seg?" is another object than "/seg"
  std::string kept;
  for (std::size_t begin = 0; begin < query.size();) {
    const auto end = std::min(query.find('&', begin), query.size());
    const auto pair = query.substr(begin, end - begin);
    begin = end + 1;
    const auto key = pair.substr(0, pair.find('='));
    if (key == "CMCD" || key.starts_with("_HLS_")) continue;
    if (rule != rules.end() && std::find(rule->keys.begin(), rule->keys.end(), key) == rule->keys.end()) continue;
    if (!kept.empty()) kept += '&';
    kept += pair;
  }
  return kept;
}

}  // namespace

QueryRule parse_query_rule(std::string_view text) {
  QueryRule rule;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(' ', begin), text.size());
    if (end == begin) return {};
    const std::string word(text.substr(begin, end - begin));
    begin = end + 1;
    if (rule.pattern.empty()) {
      rule.pattern = word;
    } else {
      rule.keys.push_back(word);
    }
  }
  return rule;
}

ObjectKey object_key(const QueryRules& rules, const contracts::Link& link) {
  if (link.origin_query.empty()) return object_key(link);
  auto named = link;
  named.origin_query = counted(rules, link.channel, link.path, link.origin_query);
  return object_key(named);
}

std::string object_of(const QueryRules& rules, std::string_view text) {
  const auto mark = text.find('?');
  const auto channel = text.find('/');
  const auto epoch = channel == std::string_view::npos ? channel : text.find('/', channel + 1);
  if (mark == std::string_view::npos || epoch == std::string_view::npos || mark < epoch) return std::string(text);
  const auto query =
      counted(rules, text.substr(0, channel), text.substr(epoch + 1, mark - epoch - 1), text.substr(mark + 1));
  return std::string(text.substr(0, mark)) + (query.empty() ? "" : "?" + query);
}

}  // namespace tribune::cache_node
