#include "cache_node/proxy/proxy_request.h"

#include <algorithm>
#include <utility>

#include "cache_node/proxy/proxy_answer.h"
#include "http/date.h"
#include "http/problem.h"
#include "http/uri.h"
#include "http/vary.h"
#include "http/via.h"

namespace tribune::cache_node {
namespace {

constexpr std::uint64_t kUnsentHigh = 1 << 20;   // a client that reads slowly holds no more than this
constexpr std::uint64_t kUnsentLow = 256 << 10;
constexpr std::uint64_t kAnyBody = 1ull << 50;

bool is_read(http::Method method) { return method == http::Method::get || method == http::Method::head; }

std::string key_of(std::string_view path, std::string_view query) {
  std::string key(path);
  if (!query.empty()) key.append("?").append(query);
  return key;
}

bool is_conditional(const http::Headers& headers) {
  return headers.first("If-None-Match") || headers.first("If-Modified-Since") || headers.first("If-Match") || headers.first("If-Unmodified-Since");
}

}  // namespace

ProxyRequest::ProxyRequest(ProxyTools tools, std::shared_ptr<const ProxySettings> settings, http::Request request,
                           std::unique_ptr<net::Exchange> exchange, std::function<void()> on_over)
    : tools_(std::move(tools)), settings_(std::move(settings)), request_(std::move(request)), exchange_(std::move(exchange)),
      on_over_(std::move(on_over)), key_(key_of(request_.path, request_.query)) {}

ProxyRequest::~ProxyRequest() { drop_body(); }

void ProxyRequest::begin() {
  if (exchange_)
    exchange_->on_gone([this] {
      exchange_.reset();
      // What may be kept is fetched to its end: the next one asks for it. A waiting request ends when it is woken.
      if (fetch_ && !kept_ && !leads_) end();
    });
  if (http::via_names(request_.headers.joined("Via").value_or(""), tools_.id)) {
    if (exchange_) exchange_->reply(http::problem(http::problems::bad_request, "The request has come through this cache before (Via)."));
    return end();
  }
  if (look() == Found::ask) ask_origin(why_);
}

void ProxyRequest::revalidate(ProxyEntryPtr entry) {
  stored_ = std::move(entry);
  validates_ = true;
  ask_origin(http::Forward::stale);
}

ProxyRequest::Found ProxyRequest::look() {
  if (!is_read(request_.method)) {
    why_ = http::Forward::method;
    return Found::ask;
  }
  bool others_exist = false;
  stored_ = tools_.store.find(key_, request_.headers, others_exist);
  why_ = others_exist ? http::Forward::vary_miss : http::Forward::uri_miss;
  if (stored_ && !covers(*stored_, request_.headers)) why_ = http::Forward::partial;
  const bool usable = stored_ && why_ != http::Forward::partial;
  if (usable) {
    const auto reuse = http::decide_reuse(stored_->head, request_.headers, rules(), tools_.clock.wall_now());
    if (reuse != http::Reuse::validate) {
      http::CacheStatus status{.hit = true, .ttl_seconds = ttl_of(stored_->head), .collapsed = has_waited_};
      if (reuse == http::Reuse::stale_while_revalidate) tools_.revalidate(request_, stored_);
      answer(stored_, std::move(status));
      return Found::answered;
    }
    why_ = ttl_of(stored_->head) > 0 ? http::Forward::request : http::Forward::stale;
    validates_ = request_.method == http::Method::get;
  }
  if (http::cache_control_of(request_.headers).only_if_cached) {
    if (exchange_) exchange_->reply(http::problem(http::problems::origin_timeout, "Nothing fresh is stored, and the request wants nothing else (only-if-cached)."));
    end();
    return Found::answered;
  }
  if (stored_ || has_waited_ || !may_share()) return Found::ask;
  if (tools_.gathering.is_led(key_)) {
    has_waited_ = true;
    tools_.gathering.wait(key_, [this, alive = std::weak_ptr(alive_)] {
      if (alive.expired()) return;
      if (!exchange_) return end();
      if (look() == Found::ask) ask_origin(why_);
    });
    return Found::waits;
  }
  leads_ = true;
  tools_.gathering.lead(key_);
  return Found::ask;
}

/// Whether one answer may do for all who ask for this now.
bool ProxyRequest::may_share() const {
  return request_.method == http::Method::get && !request_.headers.first("Range") && !request_.headers.first("Authorization") &&
         !is_conditional(request_.headers) && !http::cache_control_of(request_.headers).no_store;
}

void ProxyRequest::ask_origin(http::Forward why) {
  why_ = why;
  requested_ = tools_.clock.wall_now();
  fetch_ = tools_.client.start(question(), {[this](const net::FetchHead& head) { on_head(head); },
                                            [this](std::string_view bytes) { return on_body(bytes); },
                                            [this](base::Result<void> result) { on_done(std::move(result)); }});
}

net::FetchRequest ProxyRequest::question() const {
  net::FetchRequest fetch;
  fetch.method = request_.method;
  fetch.other_method = request_.other_method;
  fetch.url = settings_->origin + key_;
  fetch.headers = http::without_connection_fields(request_.headers);
  for (const auto* name : {"Host", "Expect", "Content-Length"}) fetch.headers.remove(name);
  if (validates_) add_conditions(fetch.headers);
  fetch.headers.add("Via", "1.1 " + std::string(tools_.id));
  fetch.headers.add("X-Forwarded-For", request_.client);
  fetch.headers.set("X-Forwarded-Host", request_.host);
  fetch.headers.set("X-Forwarded-Proto", request_.secure ? "https" : "http");
  fetch.body = request_.body;
  fetch.destinations.allowed_origins = {settings_->origin};
  fetch.destinations.allow_special_addresses = true;  // the operator names the origin, and no redirect is followed
  fetch.deadlines.connect = settings_->connect_timeout;
  fetch.deadlines.first_byte = settings_->first_byte_timeout;
  fetch.deadlines.total = settings_->total_timeout;
  fetch.deadlines.low_speed_window = settings_->first_byte_timeout;
  fetch.deadlines.low_speed_bytes = 1;
  fetch.max_body_bytes = kAnyBody;
  fetch.drops_surplus = true;
  return fetch;
}

/// RFC 9111 section 4.3.1. The client's own conditions are judged here, on what the origin then says.
void ProxyRequest::add_conditions(http::Headers& headers) const {
  for (const auto* name : {"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"}) headers.remove(name);
  if (const auto etag = stored_->head.headers.first("ETag")) headers.set("If-None-Match", *etag);
  if (const auto modified = stored_->head.headers.first("Last-Modified")) headers.set("If-Modified-Since", *modified);
}

void ProxyRequest::on_head(const net::FetchHead& head) {
  http::StoredHead response{head.status, http::without_connection_fields(head.headers), requested_, tools_.clock.wall_now()};
  response.headers.remove("Content-Length");
  if (!response.headers.first("Date")) response.headers.set("Date", http::format_date(response.received));
  if (answered_without_body(response)) return;
  take_effects(response);
  decide_keeping(response, head);
  if (leads_ && !kept_) release_waiting();
  pass_head(response, head);
  if (!exchange_ && !kept_) end();  // nobody wants the body
}

/// A 304 that says that the stored response is still good, or a failure that it may stand in for.
bool ProxyRequest::answered_without_body(const http::StoredHead& response) {
  http::CacheStatus status{.forward = why_, .forward_status = response.status};
  if (validates_ && response.status == 304) {
    auto fresh = std::make_shared<ProxyEntry>(*stored_);
    fresh->head = http::freshened(stored_->head, response);
    if (http::decide_storing(http::Method::get, request_.headers, fresh->head, rules()) == http::Storing::yes) {
      tools_.store.put(key_, fresh);
      status.stored = true;
    } else {
      tools_.store.invalidate(key_);
    }
    answer(fresh, std::move(status));
    return true;
  }
  if (response.status < 500 || response.status == 501 || !is_stand_in()) return false;
  answer(stored_, std::move(status));
  return true;
}

/// What an answer does to other stored responses (RFC 9111 sections 4.3.5 and 4.4).
void ProxyRequest::take_effects(const http::StoredHead& response) {
  if (request_.method == http::Method::head && response.status == 200 && stored_ && !stored_->part) {
    const auto same = [&](const char* name) { return response.headers.first(name).value_or("") == stored_->head.headers.first(name).value_or(""); };
    if (!same("ETag") || !same("Last-Modified")) return tools_.store.invalidate(key_);
    auto fresh = std::make_shared<ProxyEntry>(*stored_);
    fresh->head = http::freshened(stored_->head, response);
    tools_.store.put(key_, std::move(fresh));
    return;
  }
  for (const auto& origin : {std::string("http://") + request_.host, std::string("https://") + request_.host, settings_->origin}) {
    const auto target = http::parse_uri(origin + key_);
    if (!target) continue;
    for (const auto& uri : http::invalidated_by(request_.method, response.status, *target, response.headers)) {
      const auto path = http::canonical_path(uri.path);
      tools_.store.invalidate(key_of(path ? *path : uri.path, uri.query));
    }
  }
}

void ProxyRequest::decide_keeping(const http::StoredHead& response, const net::FetchHead& head) {
  auto as_whole = response;
  std::optional<http::ContentRange> range;
  if (request_.method == http::Method::get && response.status == 206) {
    range = http::parse_content_range(response.headers.first("Content-Range").value_or(""));
    if (!range || head.content_length != range->range.length()) return;
    as_whole.status = 200;
    as_whole.headers.remove("Content-Range");
  }
  auto method = request_.method;
  if (method == http::Method::post && response.status == 200 && http::explicit_lifetime(response)) {
    // RFC 9110 section 9.3.3: an answer to POST that says it is what GET would bring.
    const auto location = response.headers.first("Content-Location");
    const auto target = http::parse_uri("http://" + request_.host + key_);
    const auto named = location && target ? http::resolve(*target, *location) : base::Result<http::Uri>(base::failure(base::ErrorKind::not_found, base::Fault::origin, ""));
    if (named && named->text() == target->text()) method = http::Method::get;
  }
  if (http::decide_storing(method, request_.headers, as_whole, rules()) != http::Storing::yes) return;
  // A cookie is one client's, unless the origin says in so many words how long all may share it.
  if (response.headers.first("Set-Cookie") && !http::explicit_lifetime(response)) return;
  if (head.ends_with_connection || head.content_length.value_or(0) > settings_->max_object_bytes) return;
  kept_ = std::make_shared<ProxyEntry>();
  kept_->head = as_whole;
  kept_->head.headers = http::storable_fields(as_whole.headers);
  kept_->variant = http::variant_key(as_whole.headers, request_.headers);
  if (range) {
    kept_->part = range->range;
    kept_->whole_length = range->whole_length;
  }
}

void ProxyRequest::pass_head(const http::StoredHead& response, const net::FetchHead& head) {
  if (!exchange_) return;
  http::Response answer{response.status, response.headers, {}};
  http::CacheStatus status{.forward = why_, .forward_status = response.status, .stored = kept_ != nullptr};
  answer.headers.add("Cache-Status", http::cache_status(tools_.id, status));
  exchange_->note.cache = "miss";
  const bool is_unchanged = validates_ && response.status == 200 &&
                            http::evaluate(request_.headers, validators_of(response.headers)) == http::Precondition::not_modified;
  if (is_unchanged) {
    answer.status = 304;
    exchange_->reply(std::move(answer));
    exchange_.reset();
    return;
  }
  exchange_->begin(std::move(answer), response.status == 204 || response.status == 304 ? std::optional<std::uint64_t>() : head.content_length);
}

net::Flow ProxyRequest::on_body(std::string_view bytes) {
  if (kept_ && has_room(bytes.size())) {
    body_.append(bytes);
    pass_on();
    return net::Flow::go_on;
  }
  if (std::exchange(kept_, nullptr)) release_waiting();
  pass_on();
  if (!exchange_) {
    end();
    return net::Flow::go_on;
  }
  if (passed_ < body_.size() || exchange_->unsent() > kUnsentHigh) {
    pass_on_when_drained();
    return net::Flow::pause;
  }
  drop_body();
  exchange_->write(std::string(bytes));
  return net::Flow::go_on;
}

bool ProxyRequest::has_room(std::size_t bytes) {
  if (body_.size() + bytes > settings_->max_object_bytes || !tools_.store.take_room(bytes, settings_->max_filling_bytes)) return false;
  room_ += bytes;
  return true;
}

/// What is kept, to the client that it arrived for. A client that reads slowly does not hold up those who wait for the store.
void ProxyRequest::pass_on() {
  while (exchange_ && passed_ < body_.size()) {
    if (exchange_->unsent() > kUnsentHigh) return pass_on_when_drained();
    auto piece = body_.substr(passed_, kUnsentLow);
    passed_ += piece.size();
    exchange_->write(std::move(piece));
  }
}

void ProxyRequest::pass_on_when_drained() {
  if (std::exchange(is_draining_, true)) return;
  exchange_->when_drained(kUnsentLow, [this] {
    is_draining_ = false;
    pass_on();
    if (fetch_ && !kept_ && !is_draining_) fetch_->resume();
  });
}

void ProxyRequest::on_done(base::Result<void> result) {
  if (!result) {
    drop_body();
    refuse(result.error());
    return end();
  }
  if (kept_) keep();
  if (exchange_) exchange_->finish();
  end();
}

void ProxyRequest::keep() {
  kept_->body = base::share(std::move(body_));
  const auto left = base::BytesSlice{kept_->body, passed_, kept_->body->size() - passed_};
  const bool is_whole = !kept_->part || kept_->body->size() == kept_->part->length();
  if (is_whole) tools_.store.put(key_, kept_->part ? combined(stored_, kept_) : kept_);
  drop_body();
  if (exchange_ && left.length != 0) exchange_->write(left);
}

void ProxyRequest::drop_body() {
  tools_.store.give_room(std::exchange(room_, 0));
  kept_.reset();
  body_ = {};
  passed_ = 0;
}

void ProxyRequest::answer(const ProxyEntryPtr& entry, http::CacheStatus status) {
  if (exchange_) {
    auto response = answer_from(*entry, request_, tools_.clock.wall_now());
    response.headers.add("Cache-Status", http::cache_status(tools_.id, status));
    exchange_->note.cache = status.hit ? (status.collapsed ? "waited" : "hit") : "stale";
    exchange_->reply(std::move(response));
  }
  end();
}

/// The origin failed: a stale response stands in, a body that has begun is cut, otherwise an error says so.
void ProxyRequest::refuse(const base::Error& error) {
  if (!exchange_) return;
  if (exchange_->note.cache == "miss") return exchange_.reset();
  if (is_stand_in()) {
    auto response = answer_from(*stored_, request_, tools_.clock.wall_now());
    response.headers.add("Cache-Status", http::cache_status(tools_.id, {.hit = true, .ttl_seconds = ttl_of(stored_->head), .detail = "origin-failed"}));
    exchange_->note.cache = "stale";
    return exchange_->reply(std::move(response));
  }
  exchange_->note.reason = base::word(error.kind);
  const bool is_late = error.kind == base::ErrorKind::timeout;
  exchange_->reply(http::problem(is_late ? http::problems::origin_timeout : http::problems::origin_broken, is_late ? "The origin did not answer in time." : "The origin's answer cannot be used."));
}

bool ProxyRequest::is_stand_in() const {
  return is_read(request_.method) && stored_ && why_ != http::Forward::partial && http::may_serve_for_error(stored_->head, rules(), tools_.clock.wall_now());
}

http::FreshnessRules ProxyRequest::rules() const {
  return {std::chrono::duration_cast<std::chrono::seconds>(settings_->heuristic_ceiling),
          std::chrono::duration_cast<std::chrono::seconds>(settings_->stale_if_error)};
}

std::int64_t ProxyRequest::ttl_of(const http::StoredHead& head) const {
  return (http::freshness_lifetime(head, rules()) - http::current_age(head, tools_.clock.wall_now())).count();
}

void ProxyRequest::release_waiting() {
  if (!std::exchange(leads_, false)) return;
  for (const auto& go_on : tools_.gathering.over(key_)) go_on();
}

void ProxyRequest::end() {
  if (std::exchange(is_over_, true)) return;
  fetch_.reset();
  release_waiting();
  on_over_();
}

}  // namespace tribune::cache_node
