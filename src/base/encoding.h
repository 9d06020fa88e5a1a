#pragma once
// Text forms of bytes. Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tribune::base {

std::string to_hex(std::string_view bytes);                        // lower case
std::optional<std::string> from_hex(std::string_view text);        // either case, even length
std::string to_hex64(std::uint64_t value);                         // 16 digits, lower case
std::optional<std::uint64_t> from_hex64(std::string_view text);    // what to_hex64() writes: one text per value
std::string to_base64url(std::string_view bytes);                  // RFC 4648 section 5, no padding
std::optional<std::string> from_base64url(std::string_view text);  // no padding, canonical only: one text per value

}  // namespace tribune::base
