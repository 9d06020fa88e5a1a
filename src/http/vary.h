#pragma once
// Selects the stored response for a request (RFC 9111 section 4.1). Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace tribune::http {

/// The members of a comma-separated list of field names, as written.
std::vector<std::string> field_name_list(std::string_view value);

/// Whether Vary contains "*", which no later request matches.
bool varies_on_anything(const Headers& response);

/// The request's values of the fields, normalised so that equivalent requests have equal keys: field lines
/// joined, white space around commas dropped, language ranges in lower case and by preference. The order of the names
/// is irrelevant.
std::string variant_key_by(std::vector<std::string> field_names, const Headers& request);
/// The key of the fields that Vary names. Empty when the response does not vary.
std::string variant_key(const Headers& response, const Headers& request);

/// Whether a request with other languages selects the stored response nevertheless: its most preferred range is
/// the response's own Content-Language.
bool prefers_stored_language(const Headers& response, const Headers& request);

}  // namespace tribune::http
