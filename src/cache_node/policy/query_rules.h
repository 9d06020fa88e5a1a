#pragma once
// Which keys of a link's own query distinguish objects. The query is the source playlist's, and signed; keys that a
// player adds after the signature never count, nor do CMCD and _HLS_… keys anywhere. The origin gets the whole query.
// Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "cache_node/objects/object_key.h"

namespace tribune::cache_node {

struct QueryRule {
  std::string pattern;  // matches "{channel}/{path}", as in retention_rules.h
  std::vector<std::string> keys;
};
using QueryRules = std::vector<QueryRule>;

/// "demo/* v n": a pattern and the keys that count, possibly none. Any other text gives a rule without a pattern.
QueryRule parse_query_rule(std::string_view text);

/// The key of the link's object by the first rule that matches; without a match all query keys count.
ObjectKey object_key(const QueryRules&, const contracts::Link&);
/// As above, for the text "channel/epoch/path?query".
std::string object_of(const QueryRules&, std::string_view text);

}  // namespace tribune::cache_node
