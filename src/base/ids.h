#pragma once
// Unguessable identifiers from the kernel's random source. Any thread.

#include <cstdint>
#include <string>

namespace tribune::base {

std::uint64_t random_u64();
std::string random_bytes(std::size_t count);

/// `characters` of a-z and 2-7 (5 bits each): safe in paths, host names and logs.
std::string random_id(std::size_t characters);

}  // namespace tribune::base
