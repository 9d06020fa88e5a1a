#pragma once
// Which of the responses stored for one URI answers a request (RFC 9111 section 4.1). Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace tribune::http {

/// The members of a comma-separated list of field names, as written.
std::vector<std::string> field_name_list(std::string_view value);

/// Whether Vary holds "*": no later request matches.
bool varies_on_anything(const Headers& response);

/// The request's values of the fields, normalised so that requests which mean the same are the same text: field lines
/// joined, white space around commas dropped, language ranges in lower case and by preference. The order of the names
/// does not count.
std::string variant_key_by(std::vector<std::string> field_names, const Headers& request);
/// Of the fields that Vary names. Empty when the response does not vary.
std::string variant_key(const Headers& response, const Headers& request);

/// Whether a request that names other languages would choose the stored one all the same: its most preferred range is
/// the response's own Content-Language.
bool prefers_stored_language(const Headers& response, const Headers& request);

}  // namespace tribune::http
