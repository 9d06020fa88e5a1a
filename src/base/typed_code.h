#pragma once
// Secret codes that people type: of a forgotten password, of a voucher. Each character has 5 random bits.

#include <cstddef>
#include <string>
#include <string_view>

namespace tribune::base {

/// A new code of a-z and 2-7 in groups of four: "abcd-efgh-2345". `characters` is a multiple of four.
std::string new_typed_code(std::size_t characters);

/// SHA-256 of the code in hexadecimal, without its dashes and spaces and in any case of letters.
std::string typed_code_hash(std::string_view code);

}  // namespace tribune::base
