#include "cache_node/policy/vary_rules.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/signing.h"
#include "cache_node/policy/retention_rules.h"
#include "http/storing.h"
#include "http/vary.h"

namespace tribune::cache_node {

namespace {

constexpr std::size_t kDigestBytes = 16;

constexpr std::array<std::string_view, 6> kHarmless{"Accept-Encoding",
                                                    "Origin",
                                                    "Access-Control-Request-Method",
                                                    "Access-Control-Request-Headers",
                                                    "Access-Control-Request-Private-Network",
                                                    "Host"};

constexpr std::array<std::string_view, 13> kNotToChoose{
    "Accept-Encoding", "Authorization",     "Content-Length",      "Expect",   "Host", "Origin", "Range", "If-Match",
    "If-None-Match",   "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Via"};

bool is_one_of(const auto& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view n) { return http::equals_ignoring_case(n, name); });
}

bool may_choose(std::string_view field) {
  const auto is_token = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (field.empty() || !std::all_of(field.begin(), field.end(), is_token)) return false;
  constexpr std::string_view kOwn = "X-Tribune-";
  if (http::equals_ignoring_case(field.substr(0, kOwn.size()), kOwn)) return false;
  return !is_one_of(kNotToChoose, field) && !http::is_connection_field(field);
}

const VaryRule* rule_of(const VaryRules& rules, std::string_view channel, std::string_view path) {
  const auto rule =
      std::find_if(rules.begin(), rules.end(), [&](const VaryRule& r) { return fits_path(r.pattern, channel, path); });
  return rule == rules.end() ? nullptr : &*rule;
}

}  // namespace

VaryRule parse_vary_rule(std::string_view text) {
  VaryRule rule;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(' ', begin), text.size());
    const std::string word(text.substr(begin, end - begin));
    begin = end + 1;
    if (rule.pattern.empty()) {
      if (word.empty()) return {};
      rule.pattern = word;
    } else {
      if (!may_choose(word)) return {};
      rule.fields.push_back(word);
    }
  }
  if (rule.fields.empty()) return {};
  return rule;
}

Variant variant_of(const VaryRules& rules, const contracts::Link& link, const http::Headers& request) {
  Variant variant;
  const auto* rule = rules.empty() ? nullptr : rule_of(rules, link.channel, link.path);
  if (!rule) return variant;
  variant.names = rule->fields;
  for (const auto& name : rule->fields)
    if (auto value = request.joined(name)) variant.fields.set(name, *value);
  if (!variant.fields.empty()) variant.key = http::variant_key_by(variant.names, request);
  return variant;
}

std::string field_list(const Variant& variant) {
  std::string list;
  for (const auto& name : variant.names) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

ObjectKey object_key(ObjectKey object, const Variant& variant) {
  if (variant.key.empty()) return object;
  // WHY a digest: a client's value may be long, and must not be able to equal the key of another value.
  const auto digest = base::sha256(variant.key);
  return object_key(object.text + std::string(kVariantMark) +
                    base::to_hex(std::string_view(digest).substr(0, kDigestBytes)));
}

bool has_variants(const VaryRules& rules, std::string_view object) {
  const auto channel = object.find('/');
  const auto epoch = channel == std::string_view::npos ? channel : object.find('/', channel + 1);
  if (epoch == std::string_view::npos) return false;
  const auto path = object.substr(epoch + 1);
  return rule_of(rules, object.substr(0, channel), path.substr(0, path.find('?'))) != nullptr;
}

std::vector<std::string> unlisted_fields(const http::Headers& response, const Variant& variant) {
  auto names = http::field_name_list(response.joined("Vary").value_or(""));
  std::erase_if(names,
                [&](const std::string& name) { return is_one_of(kHarmless, name) || is_one_of(variant.names, name); });
  return names;
}

}  // namespace tribune::cache_node
