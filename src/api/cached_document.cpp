#include "api/cached_document.h"

#include <utility>

#include "base/encoding.h"
#include "base/signing.h"
#include "http/conditional_response.h"

namespace tribune::api {

CachedDocument cached_document(std::string body) {
  auto etag = "\"" + base::to_hex(base::sha256(body)).substr(0, 16) + "\"";
  return {base::share(std::move(body)), std::move(etag)};
}

http::Response answer_with(const http::Request& request, const CachedDocument& document) {
  http::Response response;
  response.headers = {{"Cache-Control", "no-cache"}, {"ETag", document.etag}};
  if (http::is_decided_by_conditions(request.headers, document.etag, response)) return response;
  response.headers.add("Content-Type", "application/json");
  response.body = base::BytesSlice{document.body, 0, document.body->size()};
  return response;
}

}  // namespace tribune::api
