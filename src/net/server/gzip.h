#pragma once
// Compresses a body that many viewers share. zlib is used in gzip.cpp only. Pure function.

#include <string>
#include <string_view>

namespace tribune::net {

/// `bytes` in the gzip format (RFC 1952), without a time or a name, so that equal bytes give equal output. Empty on
/// failure.
std::string gzip(std::string_view bytes);

}  // namespace tribune::net
