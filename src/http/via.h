#pragma once
// The Via field (RFC 9110 section 7.6.3), by which an intermediary detects its own requests (loops). Pure functions.

#include <string_view>

namespace tribune::http {

/// Whether one of the field's members was received by exactly this pseudonym. Comments are ignored.
bool via_names(std::string_view via, std::string_view pseudonym);

}  // namespace tribune::http
