#pragma once
// The field Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) of requests that move money or goods. Pure
// functions.

#include <optional>
#include <string>

#include "http/message.h"

namespace tribune::api {

/// The key, or nullopt for a field that is absent, longer than shop::kMaxIdempotencyKeyBytes or not visible ASCII.
std::optional<std::string> idempotency_key_of(const http::Request&);

/// 400.
http::Response idempotency_key_missing(const http::Request&);

}  // namespace tribune::api
