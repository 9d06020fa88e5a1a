#pragma once
// Responses that several endpoints of accounts and of the shop have in common. Pure functions.

#include <chrono>
#include <string>

#include "http/message.h"

namespace tribune::api {

/// A JSON document that no cache stores.
http::Response json_response(int status, std::string body);

/// 200 with a list or document of one account and its entity-tag, or 304: a private cache revalidates it.
http::Response private_document(const http::Request&, std::string body);

/// An answer without a document: 204, or 202 for what is carried out later.
http::Response no_content(int status = 204);

/// 429 with Retry-After.
http::Response over_limit(const http::Request&, std::chrono::seconds retry_after);

}  // namespace tribune::api
