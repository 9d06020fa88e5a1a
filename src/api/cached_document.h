#pragma once
// A document that is rendered once and served to everybody, with its entity-tag.

#include <string>

#include "base/bytes.h"
#include "http/message.h"

namespace tribune::api {

/// Immutable.
struct CachedDocument {
  base::SharedBytes body;
  std::string etag;
};

CachedDocument cached_document(std::string body);

/// 200 with the JSON document, or 304. Caches revalidate it.
http::Response answer_with(const http::Request&, const CachedDocument&);

}  // namespace tribune::api
