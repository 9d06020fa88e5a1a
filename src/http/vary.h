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

/// The request's values of the fields, normalised so that equivalent requests have equal keys: field lines joined;
/// in lists, white space around commas dropped, and language ranges in lower case and by preference. A value that is no
/// list (Cookie, User-Agent and similar), or a list of more than 64 members, counts as it was sent. The order of the
/// names is irrelevant.
std::string variant_key_by(std::vector<std::string> field_names, const Headers& request);
/// The key of the fields that Vary names. Empty when the response does not vary.
std::string variant_key(const Headers& response, const Headers& request);

/// The language range that the request prefers to all others, in lower case; empty if there is none. Such a request
/// selects a stored response with this language_of_variant(), whatever other ranges either of the two requests named.
std::string preferred_language(const Headers& request);
/// The Content-Language, in lower case, of a response that varies by Accept-Language alone; otherwise empty.
std::string language_of_variant(const Headers& response);

}  // namespace tribune::http
