#include "api/responses.h"

#include <utility>

#include "api/localized.h"
#include "base/encoding.h"
#include "base/signing.h"
#include "http/conditional_response.h"
#include "http/problem.h"

namespace tribune::api {

http::Response json_response(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = std::move(body);
  return response;
}

http::Response private_document(const http::Request& request, std::string body) {
  const auto etag = "\"" + base::to_hex(base::sha256(body)).substr(0, 16) + "\"";
  http::Response response;
  response.headers = {{"Cache-Control", "private, no-cache"}, {"Vary", "Authorization"}, {"ETag", etag}};
  if (http::is_decided_by_conditions(request.headers, etag, response)) return response;
  response.headers.add("Content-Type", "application/json");
  response.body = std::move(body);
  return response;
}

http::Response no_content(int status) {
  http::Response response;
  response.status = status;
  response.headers = {{"Cache-Control", "no-store"}};
  return response;
}

http::Response over_limit(const http::Request& request, std::chrono::seconds retry_after) {
  return problem_with_retry(request, http::problems::too_many_requests, {"too many requests", "слишком много запросов"},
                            retry_after);
}

}  // namespace tribune::api
