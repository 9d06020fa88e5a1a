#pragma once
// Which request fields tell objects apart, where an origin sends other bytes for other values of them (Vary, RFC 9111
// section 4.1). Only fields that a rule names are sent to the origin. Without one an object is one for everybody. Pure
// functions.

#include <string>
#include <string_view>
#include <vector>

#include "cache_node/objects/object_key.h"
#include "http/message.h"

namespace tribune::cache_node {

struct VaryRule {
  std::string pattern;  // of "{channel}/{path}", as in retention_rules.h
  std::vector<std::string> fields;
};
using VaryRules = std::vector<VaryRule>;

/// "demo/* Accept-Language": a pattern and fields, at least one. A rule without a pattern for any other text, and for
/// fields that say how a message travels, which part of an object is wanted, or who asks this node.
VaryRule parse_vary_rule(std::string_view text);

/// What one request says in the fields of the first rule that fits its object.
struct Variant {
  std::vector<std::string> names;  // that the rule has; empty where none fits
  http::Headers fields;            // those of the request, a line each
  std::string key;                 // equal for requests that mean the same; empty where the request has none of them
};
/// The names as Vary has them.
std::string field_list(const Variant&);
Variant variant_of(const VaryRules&, const contracts::Link&, const http::Headers& request);

/// What the key of an object's variant has behind the object's own text, and no other key has.
inline constexpr std::string_view kVariantMark = "#v";

/// The object's own key where the variant has none.
ObjectKey object_key(ObjectKey object, const Variant&);

/// Whether requests for the object ("channel/epoch/path[?query]") may have variants.
bool has_variants(const VaryRules&, std::string_view object);

/// The fields on which an origin's answer depends and that tell no objects apart. Not those that every node sends
/// alike, and not those of CORS, which a node answers itself.
std::vector<std::string> unlisted_fields(const http::Headers& response, const Variant&);

}  // namespace tribune::cache_node
