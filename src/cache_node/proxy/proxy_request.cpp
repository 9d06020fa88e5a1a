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

constexpr std::uint64_t kUnsentHigh = 1 << 20;  // a client that reads slowly holds no more than this
constexpr std::uint64_t kUnsentLow = 256 << 10;
constexpr std::uint64_t kAnyBody = 1ull << 50;
constexpr std::size_t kMostSettling = 256 << 10;  // of a body that comes with its head
constexpr int kFirstError = 500;

bool is_read(http::Method method) { return method == http::Method::get || method == http::Method::head; }

/// The keys of what a successful answer to an unsafe method makes invalid: the target, and what Location and
/// Content-Location name, there or by the origin's own name, at both schemes.
std::vector<std::string> invalid_after(const ProxyQuestion& question, const std::string& origin,
                                       const http::StoredHead& response) {
  const auto& request = question.request;
  std::vector<std::string> keys;
  const auto add = [&](std::string_view target) {
    for (const auto* scheme : {"http", "https"}) keys.push_back(key_at(scheme, request.host, target));
  };
  for (const auto& base : {"http://" + request.host, "https://" + request.host, origin}) {
    // A query that is no URI's leads nowhere else than the path does.
    auto target = http::parse_uri(base + question.target);
    if (!target) target = http::parse_uri(base + request.path);
    if (!target) continue;
    for (const auto& uri : http::invalidated_by(request.method, response.status, *target, response.headers)) {
      const auto path = http::canonical_path(uri.path);
      add((path ? *path : uri.path) + (uri.query.empty() ? "" : "?" + uri.query));
    }
  }
  if (!keys.empty()) add(question.target);
  return keys;
}

bool is_conditional(const http::Headers& headers) {
  return headers.first("If-None-Match") || headers.first("If-Modified-Since") || headers.first("If-Match") ||
         headers.first("If-Unmodified-Since");
}

}  // namespace

ProxyRequest::ProxyRequest(ProxyTools tools, std::shared_ptr<const ProxySettings> settings, ProxyQuestion question,
                           std::unique_ptr<net::Exchange> exchange, std::function<void()> on_over)
    : tools_(std::move(tools)),
      settings_(std::move(settings)),
      question_(std::move(question)),
      request_(question_.request),
      exchange_(std::move(exchange)),
      on_over_(std::move(on_over)),
      key_(question_.key) {}

ProxyRequest::~ProxyRequest() {
  drop_body();
  if (renewing_) tools_.store.end_renewal(renewing_);
}

void ProxyRequest::begin() {
  if (exchange_)
    exchange_->on_gone([this] {
      exchange_.reset();
      // What may be kept is fetched to its end: the next one asks for it. A waiting request ends when it is woken.
      if (fetch_ && !kept_ && !leads_) end();
    });
  if (refused()) return end();
  if (look() == Found::ask) ask_origin(why_);
}

/// What is answered without a look at the store or the origin.
bool ProxyRequest::refused() {
  if (!question_.is_host_served) {
    if (exchange_)
      exchange_->reply(
          http::problem(http::problems::misdirected, "This cache does not serve the host that the request names."));
    return true;
  }
  if (http::via_names(request_.headers.joined("Via").value_or(""), tools_.id)) {
    if (exchange_)
      exchange_->reply(
          http::problem(http::problems::bad_request, "The request has come through this cache before (Via)."));
    return true;
  }
  if (!question_.may_go_on) {
    if (exchange_) exchange_->reply({204, {{"Allow", "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"}}, {}});
    return true;
  }
  return false;
}

void ProxyRequest::revalidate(ProxyEntryPtr entry) {
  renewing_ = entry;
  stored_ = std::move(entry);
  validates_ = true;
  ask_origin(http::Forward::stale);
}

void ProxyRequest::find_stored() {
  bool others_exist = false;
  stored_ = tools_.store.find(key_, request_.headers, others_exist);
  why_ = others_exist ? http::Forward::vary_miss : http::Forward::uri_miss;
  if (stored_ && stored_->head.status >= kFirstError && left_of_error(stored_->head).count() <= 0) {
    stored_.reset();
    why_ = http::Forward::stale;
  }
  if (stored_ && !covers(*stored_, request_.headers)) why_ = http::Forward::partial;
}

ProxyRequest::Found ProxyRequest::look() {
  if (!is_read(request_.method)) {
    why_ = http::Forward::method;
    return Found::ask;
  }
  find_stored();
  const bool usable = stored_ && why_ != http::Forward::partial;
  if (usable) {
    const auto reuse = http::decide_reuse(stored_->head, request_.headers, rules(), tools_.clock.wall_now());
    if (reuse != http::Reuse::validate) {
      http::CacheStatus status{.hit = true, .ttl_seconds = ttl_of(stored_->head), .collapsed = has_waited_};
      if (reuse == http::Reuse::stale_while_revalidate) {
        if (tools_.store.begin_renewal(stored_)) tools_.revalidate(question_, stored_);
      }
      answer(stored_, std::move(status));
      return Found::answered;
    }
    why_ = ttl_of(stored_->head) > 0 ? http::Forward::request : http::Forward::stale;
    validates_ = request_.method == http::Method::get;
  }
  if (http::cache_control_of(request_.headers).only_if_cached) {
    if (exchange_)
      exchange_->reply(http::problem(http::problems::origin_timeout,
                                     "Nothing fresh is stored, and the request wants nothing else (only-if-cached)."));
    end();
    return Found::answered;
  }
  if (stored_ || has_waited_ || !may_share()) return Found::ask;
  if (tools_.coalescer.is_led(key_)) {
    has_waited_ = true;
    tools_.coalescer.wait(key_, [this, alive = std::weak_ptr(alive_)] {
      if (alive.expired()) return;
      if (!exchange_) return end();
      if (look() == Found::ask) ask_origin(why_);
    });
    return Found::waits;
  }
  leads_ = true;
  tools_.coalescer.lead(key_);
  return Found::ask;
}

/// Whether one answer may do for all who ask for this now.
bool ProxyRequest::may_share() const {
  return request_.method == http::Method::get && !request_.headers.first("Range") &&
         !request_.headers.first("Authorization") && !is_conditional(request_.headers) &&
         !http::cache_control_of(request_.headers).no_store;
}

void ProxyRequest::ask_origin(http::Forward why) {
  why_ = why;
  requested_ = tools_.clock.wall_now();
  net::FetchHandlers handlers;
  handlers.on_head = [this](const net::FetchHead& head) { on_head(head); };
  handlers.on_body = [this](std::string_view bytes) { return on_body(bytes); };
  handlers.on_done = [this](base::Result<void> result) { on_done(std::move(result)); };
  handlers.on_interim = [this](int status, const http::Headers& fields) {
    if (exchange_) exchange_->interim(status, http::without_connection_fields(fields));
  };
  fetch_ = tools_.client.start(origin_request(), std::move(handlers));
}

net::FetchRequest ProxyRequest::origin_request() const {
  net::FetchRequest fetch;
  fetch.method = request_.method;
  fetch.other_method = request_.other_method;
  fetch.url = settings_->origin + request_.path;
  fetch.target = question_.target;
  fetch.headers = request_.headers;
  if (validates_) add_conditions(fetch.headers);
  fetch.headers.add("Via", "1.1 " + std::string(tools_.id));
  fetch.body = request_.body;
  fetch.destinations.allowed_origins = {settings_->origin};
  fetch.destinations.allow_special_addresses = true;  // the operator names the origin, and no redirect is followed
  fetch.deadlines.connect = settings_->connect_timeout;
  fetch.deadlines.first_byte = settings_->first_byte_timeout;
  fetch.deadlines.total = settings_->total_timeout;
  fetch.deadlines.low_speed_window = settings_->low_speed_window;
  fetch.deadlines.low_speed_bytes = settings_->low_speed_bytes;
  fetch.deadlines.stall = settings_->stall_timeout;
  fetch.max_body_bytes = kAnyBody;
  fetch.drops_surplus = true;
  return fetch;
}

/// RFC 9111 section 4.3.1. The client's own conditions are judged here, on what the origin then says.
void ProxyRequest::add_conditions(http::Headers& headers) const {
  for (const auto* name :
       {"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"})
    headers.remove(name);
  if (const auto etag = stored_->head.headers.first("ETag")) headers.set("If-None-Match", *etag);
  if (const auto modified = stored_->head.headers.first("Last-Modified")) headers.set("If-Modified-Since", *modified);
}

void ProxyRequest::on_head(const net::FetchHead& head) {
  http::StoredHead response{head.status, http::without_connection_fields(head.headers), requested_,
                            tools_.clock.wall_now()};
  response.headers.remove("Content-Length");
  if (!response.headers.first("Date")) response.headers.set("Date", http::format_date(response.received));
  if (answered_without_body(response)) return;
  take_effects(response);
  decide_keeping(response, head);
  if (leads_ && !kept_) release_waiting();
  if (!exchange_ && !kept_) return end();  // nobody wants the body
  // A body that is broken from its beginning comes with the head more often than not: then the client gets an error,
  // not half an answer.
  settling_ = Settling{std::move(response), head.content_length};
  settle_ = tools_.loop.after(std::chrono::milliseconds{0}, [this] {
    pass_head(false);
    if (!exchange_ && !kept_) return end();
    pass_on();
  });
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
    const auto same = [&](const char* name) {
      return response.headers.first(name).value_or("") == stored_->head.headers.first(name).value_or("");
    };
    if (!same("ETag") || !same("Last-Modified")) return tools_.store.invalidate(key_);
    auto fresh = std::make_shared<ProxyEntry>(*stored_);
    fresh->head = http::freshened(stored_->head, response);
    tools_.store.put(key_, std::move(fresh));
    return;
  }
  if (is_read(request_.method)) return;
  for (const auto& key : invalid_after(question_, settings_->origin, response)) tools_.store.invalidate(key);
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
    const auto target = http::parse_uri(key_);
    const auto named =
        location && target
            ? http::resolve(*target, *location)
            : base::Result<http::Uri>(base::failure(base::ErrorKind::not_found, base::Fault::origin, ""));
    if (named && named->text() == target->text()) method = http::Method::get;
  }
  if (http::decide_storing(method, request_.headers, as_whole, rules()) != http::Storing::yes) return;
  // A cookie is one client's, unless the origin says in so many words how long all may share it.
  if (response.headers.first("Set-Cookie") && !http::explicit_lifetime(response)) return;
  if (response.status >= kFirstError && settings_->keep_errors.count() == 0) return;
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

/// What is told of keeping is true: a body that is still on its way may break off.
void ProxyRequest::pass_head(bool is_whole) {
  settle_.cancel();
  const auto settling = std::exchange(settling_, std::nullopt);
  if (!exchange_ || !settling) return;
  const auto& response = settling->response;
  http::Response answer{response.status, response.headers, {}};
  http::CacheStatus status{
      .forward = why_, .forward_status = response.status, .stored = is_whole && kept_ && is_kept_whole()};
  answer.headers.add("Cache-Status", http::cache_status(tools_.id, status));
  exchange_->note.cache = "miss";
  const bool is_unchanged =
      validates_ && response.status == 200 &&
      http::evaluate(request_.headers, validators_of(response.headers)) == http::Precondition::not_modified;
  if (is_unchanged) {
    answer.status = 304;
    exchange_->reply(std::move(answer));
    exchange_.reset();
    return;
  }
  exchange_->begin(std::move(answer), response.status == 204 || response.status == 304 ? std::optional<std::uint64_t>()
                                                                                       : settling->length);
}

/// Of what came: whether it is all that the head speaks of.
bool ProxyRequest::is_kept_whole() const { return !kept_->part || body_.size() == kept_->part->length(); }

net::Flow ProxyRequest::on_body(std::string_view bytes) {
  if (kept_ && has_room(bytes.size())) {
    body_.append(bytes);
    if (settling_ && body_.size() > kMostSettling) pass_head(false);
    if (!settling_) pass_on();
    return net::Flow::go_on;
  }
  if (std::exchange(kept_, nullptr)) release_waiting();
  if (settling_ && body_.size() + bytes.size() <= kMostSettling) {
    body_.append(bytes);
    return net::Flow::go_on;
  }
  if (settling_) pass_head(false);
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
  if (body_.size() + bytes > settings_->max_object_bytes ||
      !tools_.store.take_room(bytes, settings_->max_filling_bytes))
    return false;
  room_ += bytes;
  return true;
}

/// What is kept, to the client that it arrived for. A client that reads slowly does not hold up those who wait for the
/// store.
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
    settling_.reset();
    settle_.cancel();
    drop_body();
    refuse(result.error());
    return end();
  }
  if (settling_) pass_head(true);
  if (kept_)
    keep();
  else
    write_rest();
  if (exchange_) exchange_->finish();
  end();
}

/// Of a body that is not kept: what came while the head settled and the client has not taken.
void ProxyRequest::write_rest() {
  if (exchange_ && passed_ < body_.size()) exchange_->write(body_.substr(passed_));
  drop_body();
}

void ProxyRequest::keep() {
  const bool is_whole = is_kept_whole();
  kept_->body = base::share(std::move(body_));
  const auto left = base::BytesSlice{kept_->body, passed_, kept_->body->size() - passed_};
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
    response.headers.add(
        "Cache-Status",
        http::cache_status(tools_.id, {.hit = true, .ttl_seconds = ttl_of(stored_->head), .detail = "origin-failed"}));
    exchange_->note.cache = "stale";
    return exchange_->reply(std::move(response));
  }
  exchange_->note.reason = base::to_string(error.kind);
  const bool is_late = error.kind == base::ErrorKind::timeout;
  exchange_->reply(
      http::problem(is_late ? http::problems::origin_timeout : http::problems::origin_broken,
                    is_late ? "The origin did not answer in time." : "The origin's answer cannot be used."));
}

bool ProxyRequest::is_stand_in() const {
  return is_read(request_.method) && stored_ && why_ != http::Forward::partial &&
         http::may_serve_for_error(stored_->head, rules(), tools_.clock.wall_now());
}

http::FreshnessRules ProxyRequest::rules() const {
  return {std::chrono::duration_cast<std::chrono::seconds>(settings_->heuristic_ceiling),
          std::chrono::duration_cast<std::chrono::seconds>(settings_->stale_if_error)};
}

std::int64_t ProxyRequest::ttl_of(const http::StoredHead& head) const {
  const auto left = http::freshness_lifetime(head, rules()) - http::current_age(head, tools_.clock.wall_now());
  if (head.status < kFirstError) return left.count();
  return std::min(left, std::chrono::floor<std::chrono::seconds>(left_of_error(head))).count();
}

/// For how long an error that is kept serves further requests, whatever the origin says of it.
std::chrono::nanoseconds ProxyRequest::left_of_error(const http::StoredHead& head) const {
  const auto kept = tools_.clock.wall_now() - head.received;
  if (kept < std::chrono::nanoseconds{0}) return std::chrono::nanoseconds{0};  // the clock was set back
  return settings_->keep_errors - kept;
}

void ProxyRequest::release_waiting() {
  if (!std::exchange(leads_, false)) return;
  for (const auto& go_on : tools_.coalescer.over(key_)) go_on();
}

void ProxyRequest::end() {
  if (std::exchange(is_over_, true)) return;
  settle_.cancel();
  fetch_.reset();
  release_waiting();
  on_over_();
}

}  // namespace tribune::cache_node
