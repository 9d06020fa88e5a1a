#pragma once
// Which request fields distinguish objects, when an origin sends different bytes for different values of them (Vary,
// RFC 9111 section 4.1). Only fields that a rule names are sent to the origin. Without a rule all requests share one
// object. Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "cache_node/objects/object_key.h"
#include "http/message.h"

namespace tribune::cache_node {

struct VaryRule {
  std::string pattern;  // matches "{channel}/{path}", as in retention_rules.h
  std::vector<std::string> fields;
};
using VaryRules = std::vector<VaryRule>;

/// "demo/* Accept-Language": a pattern and at least one field. Any other text gives a rule without a pattern, and so do
/// fields that describe the transfer, the requested range, or the client of this node.
VaryRule parse_vary_rule(std::string_view text);

/// The values of one request for the fields of the first rule that matches its object.
struct Variant {
  std::vector<std::string> names;  // names of the rule's fields; empty when no rule matches
  http::Headers fields;            // the request's values, one line each
  std::string key;                 // equal for equivalent requests; empty when the request has none of the fields
};
/// The names in the form of a Vary field.
std::string field_list(const Variant&);
Variant variant_of(const VaryRules&, const contracts::Link&, const http::Headers& request);

/// Separates the variant from the object's own text in a key; no other key contains it.
inline constexpr std::string_view kVariantMark = "#v";

/// The object's own key when the variant is empty.
ObjectKey object_key(ObjectKey object, const Variant&);

/// Whether requests for the object ("channel/epoch/path[?query]") may have variants.
bool has_variants(const VaryRules&, std::string_view object);

/// The fields of the origin's Vary that no rule names. Excludes fields that every node sends alike, and those of
/// CORS, which a node answers itself.
std::vector<std::string> unlisted_fields(const http::Headers& response, const Variant&);

}  // namespace tribune::cache_node
