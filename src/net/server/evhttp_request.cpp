#include "net/server/evhttp_request.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

#include <string_view>

namespace tribune::net {
namespace {

http::Method method_of(evhttp_cmd_type type) {
  switch (type) {
    case EVHTTP_REQ_GET: return http::Method::get;
    case EVHTTP_REQ_HEAD: return http::Method::head;
    case EVHTTP_REQ_POST: return http::Method::post;
    case EVHTTP_REQ_PUT: return http::Method::put;
    case EVHTTP_REQ_DELETE: return http::Method::del;
    case EVHTTP_REQ_OPTIONS: return http::Method::options;
    case EVHTTP_REQ_PATCH: return http::Method::patch;
    default: return http::Method::other;
  }
}

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    auto word = list.substr(0, comma);
    while (!word.empty() && (word.front() == ' ' || word.front() == '\t')) word.remove_prefix(1);
    while (!word.empty() && (word.back() == ' ' || word.back() == '\t')) word.remove_suffix(1);
    if (http::equals_ignoring_case(word, token)) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

http::Request convert_request(evhttp_request& from, std::size_t head_fields, Persistence& persistence) {
  http::Request request;
  request.method = method_of(evhttp_request_get_command(&from));
  bool has_close = false, has_keep_alive = false;
  const char* first_connection = nullptr;
  evkeyval* field = nullptr;
  TAILQ_FOREACH(field, evhttp_request_get_input_headers(&from), next) {
    if (head_fields-- == 0) break;
    request.headers.add(field->key, field->value);
    if (http::equals_ignoring_case(field->key, "host")) request.host = field->value;
    if (!http::equals_ignoring_case(field->key, "connection")) continue;
    if (first_connection == nullptr) first_connection = field->value;
    has_close = has_close || has_token(field->value, "close");
    has_keep_alive = has_keep_alive || has_token(field->value, "keep-alive");
  }
  // evhttp evaluates only the first Connection field, as one value. The response must announce evhttp's decision.
  const std::string_view seen_by_evhttp = first_connection ? first_connection : "";
  const bool evhttp_keeps_1_0 = http::equals_ignoring_case(seen_by_evhttp.substr(0, 10), "keep-alive");
  const bool is_http_1_0 = from.major == 1 && from.minor == 0;
  persistence.is_http_1_0 = is_http_1_0;
  persistence.keep_alive_1_0 = is_http_1_0 && has_keep_alive;
  persistence.evhttp_closes = http::equals_ignoring_case(seen_by_evhttp, "close") || (is_http_1_0 && !evhttp_keeps_1_0);
  persistence.closes = has_close || (is_http_1_0 && !has_keep_alive);

  auto* body = evhttp_request_get_input_buffer(&from);
  if (const auto size = evbuffer_get_length(body); size != 0) {
    request.body.resize(size);
    evbuffer_remove(body, request.body.data(), size);
  }
  return request;
}

}  // namespace tribune::net
