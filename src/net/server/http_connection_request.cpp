// From evhttp's parsed request to the handler.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

#include <algorithm>

#include "http/problem.h"
#include "http/uri.h"
#include "net/server/http_connection.h"
#include "net/server/http_exchange.h"
#include "net/server/http_server_core.h"

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

void HttpConnection::dispatch(evhttp_request* request) {
  request_ = request;
  // The bit says that the request came in chunks; evhttp would take it for the answer's.
  request->chunked = 0;
  // An absolute target makes evhttp believe that it is a proxy; the guard has compared the authority.
  request->flags &= ~EVHTTP_PROXY_REQUEST;
  evhttp_request_set_on_complete_cb(request, on_answered, this);
  if (is_express()) {  // it is being handled already: join_evhttp()
    express_head_ = {};
    return;
  }
  begin_handling();
  if (guard_.in_body() || !guard_.complete() || scanned_ != 0) {
    // The two readers do not agree where the message ends: nothing after this can be trusted, this included.
    server_.rejected(RejectReason::framing_disagreement, client_text_);
    cut();
    return;
  }
  set_read_bound(server_.limits().max_head_bytes);
  auto values = take_request(request);
  closes_ = closes_ || requests_ >= server_.limits().max_requests_per_connection;
  answer_.is_head = values.method == http::Method::head;
  const char* target = evhttp_request_get_uri(request);
  hand_over(std::move(values), target != nullptr ? target : "");
}

void HttpConnection::begin_handling() {
  answer_ = {};
  answer_.began = server_.now();
  ++requests_;
  set_phase(ConnectionPhase::handling);
}

http::Request HttpConnection::take_request(evhttp_request* request) {
  http::Request values;
  values.method = method_of(evhttp_request_get_command(request));
  if (!other_method_.empty()) {
    values.method = http::Method::other;
    values.other_method = std::exchange(other_method_, {});
  }
  is_http_1_0_ = request->major == 1 && request->minor == 0;
  bool says_close = false, says_keep_alive = false;
  const char* first_connection = nullptr;
  std::size_t left = guard_.fields();  // evhttp appends trailers to the fields; they are not the head's
  evkeyval* field = nullptr;
  TAILQ_FOREACH(field, evhttp_request_get_input_headers(request), next) {
    if (left-- == 0) break;
    values.headers.add(field->key, field->value);
    if (http::equals_ignoring_case(field->key, "host")) values.host = field->value;
    if (!http::equals_ignoring_case(field->key, "connection")) continue;
    if (first_connection == nullptr) first_connection = field->value;
    says_close = says_close || has_token(field->value, "close");
    says_keep_alive = says_keep_alive || has_token(field->value, "keep-alive");
  }
  // What evhttp will do after the answer, so that the answer can say so; its own reading of the field is a simple one.
  const std::string_view simple = first_connection ? first_connection : "";
  const bool evhttp_keeps_1_0 = http::equals_ignoring_case(simple.substr(0, 10), "keep-alive");
  client_closes_ = http::equals_ignoring_case(simple, "close") || (is_http_1_0_ && !evhttp_keeps_1_0);
  closes_ = says_close || (is_http_1_0_ && !says_keep_alive);
  keep_alive_1_0_ = is_http_1_0_ && says_keep_alive;

  auto* body = evhttp_request_get_input_buffer(request);
  if (const auto size = evbuffer_get_length(body); size != 0) {
    values.body.resize(size);
    evbuffer_remove(body, values.body.data(), size);
  }
  values.client = client_text_;
  values.client_port = client_port_;
  return values;
}

bool HttpConnection::place_target(std::string_view target, http::Request& values) {
  if (!target.starts_with('/') && target != "*") {  // absolute form (RFC 9112 section 3.2.2)
    const auto authority = target.find("://");
    const auto path = authority == std::string_view::npos ? authority : target.find_first_of("/?", authority + 3);
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  const auto question = target.find('?');
  if (question != std::string_view::npos) values.query = target.substr(question + 1);
  const auto raw = target.substr(0, question);
  if (raw == "*" || raw.empty()) {
    values.path = raw.empty() ? "/" : "*";
    return true;
  }
  auto path = http::canonical_path(raw);
  if (!path) return false;
  values.path = std::move(*path);
  return true;
}

bool HttpConnection::names_client(http::Request& values) {
  if (const auto field = values.headers.joined("x-forwarded-for")) {
    if (const auto named = forwarded_client(*field, server_.trusted())) {
      values.client = named->text();
      values.client_port = 0;
      if (const auto refusal = count_client(*named)) return false;
    }
  }
  if (const auto field = values.headers.joined("x-forwarded-proto")) {
    const auto comma = field->rfind(',');
    auto scheme = std::string_view(*field).substr(comma == std::string::npos ? 0 : comma + 1);
    while (!scheme.empty() && scheme.front() == ' ') scheme.remove_prefix(1);
    values.secure = http::equals_ignoring_case(scheme, "https");
  }
  return true;
}

void HttpConnection::hand_over(http::Request&& values, std::string_view target) {
  settle_request_id(values, trusted_, server_.request_ids());
  const auto refused = [this](RejectReason refusal, http::Request&& seen) {
    server_.rejected(refusal, seen.client);
    answer_.kept = std::make_unique<Answer::Kept>(Answer::Kept{std::move(seen), {"", to_string(refusal), "", ""}});
    auto response = refusal_response(refusal);
    response.headers.add(kRequestIdField, answer_.kept->request.headers.first(kRequestIdField).value_or(""));
    reply(response, std::move(response.body));
  };
  if (trusted_ && !names_client(values)) {
    closes_ = true;
    return refused(RejectReason::too_many_from_address, std::move(values));
  }
  if (target.empty() || !place_target(target, values)) return refused(RejectReason::path_invalid, std::move(values));

  const bool whole_server = values.path == "*";
  const bool empty_query = !target.empty() && target.find('?') == target.size() - 1;
  auto exchange = std::make_unique<HttpExchange>(*this, server_.context().loop, std::move(values), empty_query);
  exchange_ = exchange.get();
  if (whole_server) {  // OPTIONS * asks the server itself (RFC 9110 section 9.3.7)
    exchange->reply({204, {{"Allow", "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"}}, {}});
    return;
  }
  bool gone = false;
  auto* outer = std::exchange(destroyed_, &gone);
  call_handler(std::move(exchange));
  if (gone) {
    if (outer != nullptr) *outer = true;
    return;
  }
  destroyed_ = outer;
  if (phase_ == ConnectionPhase::handling && exchange_ != nullptr && join_evhttp()) listen_for_leaving();
}

/// A handler that has not enough memory loses its exchange, whose end answers for it or cuts.
void HttpConnection::call_handler(std::unique_ptr<HttpExchange> exchange) {
  try {
    server_.context().handler(std::move(exchange));
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
  }
}

void HttpConnection::listen_for_leaving() {
  // evhttp has stopped reading and would not see the client leave. Its read callback must not run now.
  bufferevent_data_cb written = nullptr;
  bufferevent_event_cb happened = nullptr;
  void* argument = nullptr;
  bufferevent_getcb(buffer_, nullptr, &written, &happened, &argument);
  bufferevent_setcb(buffer_, nullptr, written, happened, argument);
  bufferevent_enable(buffer_, EV_READ);
}

}  // namespace tribune::net
