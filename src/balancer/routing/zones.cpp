#include "balancer/routing/zones.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace tribune::balancer {
namespace {

namespace json = base::json;

tl::unexpected<base::Error> wrong(std::string_view text, std::size_t offset, std::string_view why) {
  const auto place = json::position_of(text, offset);
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client,
                       fmt::format("{}:{}: {}", place.line, place.column, why));
}

bool is_name(const json::Value& value) {
  return value.is(json::Kind::string) && !value.string.empty() && value.string.size() <= 64;
}

/// Applies a member of a zone. Returns the error, or an empty text.
std::string take(const json::Member& member, Zone& zone) {
  const auto& value = member.value;
  if (member.name == "name" || member.name == "group") {
    if (!is_name(value)) return "\"" + member.name + "\" must be a string of 1 to 64 characters";
    (member.name == "name" ? zone.name : zone.group) = value.string;
  } else if (member.name == "deep") {
    if (!value.is(json::Kind::boolean)) return "\"deep\" must be true or false";
    zone.is_deep = value.boolean;
  } else if (member.name == "fallback") {
    if (!value.is(json::Kind::array) || value.array.size() > 16 ||
        !std::all_of(value.array.begin(), value.array.end(), is_name))
      return "\"fallback\" must be a list of at most 16 groups";
    for (const auto& group : value.array) zone.fallback.push_back(group.string);
  } else if (member.name != "prefixes") {
    return "unknown member of a zone: \"" + member.name + "\"";
  }
  return "";
}

}  // namespace

base::Result<Zones> Zones::parse(std::string_view text) {
  json::ParseLimits limits{.comments = true, .max_bytes = 64u << 20, .max_values = 4'000'000};
  const auto document = json::parse(text, limits);
  if (!document) return wrong(text, document.error().offset, document.error().text);
  const auto* list = document->find("zones");
  if (!list || !list->is(json::Kind::array) || document->object.size() != 1)
    return wrong(text, 0, "must be an object with the single member \"zones\", which is a list");

  Zones made;
  for (const auto& entry : list->array) {
    if (!entry.is(json::Kind::object)) return wrong(text, entry.offset, "a zone must be an object");
    Zone zone;
    for (const auto& member : entry.object)
      if (const auto why = take(member, zone); !why.empty()) return wrong(text, member.value.offset, why);
    if (zone.group.empty()) return wrong(text, entry.offset, "a zone must have a \"group\"");
    if (zone.name.empty()) zone.name = zone.group;
    const auto* prefixes = entry.find("prefixes");
    if (!prefixes || !prefixes->is(json::Kind::array))
      return wrong(text, entry.offset, "a zone must have the list \"prefixes\"");
    for (const auto& value : prefixes->array) {
      const auto prefix = value.is(json::Kind::string) ? base::parse_ip_prefix(value.string) : std::nullopt;
      if (!prefix || !prefix->is_network())
        return wrong(text, value.offset,
                     "invalid prefix: expected a network such as \"10.1.0.0/16\" or \"2001:db8::/32\", with no bits "
                     "set after the prefix");
      if (!made.add(zone.is_deep ? made.deep_ : made.ordinary_, *prefix, made.zones_.size()))
        return wrong(text, value.offset, "duplicate prefix");
    }
    made.groups_.insert(zone.group);
    made.zones_.push_back(std::move(zone));
  }
  return made;
}

bool Zones::add(Lengths& lengths, const base::IpPrefix& prefix, std::size_t zone) {
  auto place = std::find_if(lengths.begin(), lengths.end(), [&](const Length& l) { return l.bits <= prefix.bits; });
  if (place == lengths.end() || place->bits != prefix.bits) place = lengths.insert(place, Length{prefix.bits, {}});
  ++prefixes_;
  return place->zones.emplace(prefix.address, zone).second;
}

const Zone* Zones::find(const Lengths& lengths, const base::IpAddress& client) const {
  for (const auto& length : lengths) {
    const auto found = length.zones.find(client.network(length.bits));
    if (found != length.zones.end()) return &zones_[found->second];
  }
  return nullptr;
}

Zones::Match Zones::find(const base::IpAddress& client) const { return {find(deep_, client), find(ordinary_, client)}; }

}  // namespace tribune::balancer
