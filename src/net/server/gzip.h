#pragma once
// Compresses a body that many viewers share. zlib stays in gzip.cpp. Pure function.

#include <string>
#include <string_view>

namespace tribune::net {

/// `bytes` in the gzip format (RFC 1952), without a time or a name: equal bytes give equal output. Empty when it fails.
std::string gzip(std::string_view bytes);

}  // namespace tribune::net
