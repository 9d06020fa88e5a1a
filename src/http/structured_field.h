#pragma once
// Items of structured fields (RFC 8941), as Cache-Status and CMSD write them. Pure functions.

#include <string>
#include <string_view>

namespace tribune::http {

/// A string (section 3.3.3), with its quotes. What none can hold becomes '?'.
std::string string_item(std::string_view text);

/// A token (section 3.3.4) where the text is one, otherwise a string.
std::string token_or_string(std::string_view text);

}  // namespace tribune::http
