#include "http_cache/cache_request.h"

#include <algorithm>
#include <utility>

#include "http/date.h"
#include "http/problem.h"
#include "http/uri.h"
#include "http/vary.h"
#include "http/via.h"

namespace tribune::http_cache {
namespace {

constexpr std::uint64_t kUnsentHigh = 1 << 20;  // bound on the bytes that wait for a slow client
constexpr std::uint64_t kUnsentLow = 256 << 10;
constexpr std::uint64_t kAnyBody = 1ull << 50;
constexpr std::size_t kMaxSettling = 256 << 10;  // bytes of a body that arrive with its head
constexpr int kFirstError = 500;

bool is_read(http::Method method) { return method == http::Method::get || method == http::Method::head; }

/// The keys that a successful response to an unsafe method invalidates, for both schemes: the target, and the URIs in
/// Location and Content-Location if they name the request's host or the origin.
std::vector<std::string> invalidated_keys(const OriginRequest& asked, const std::string& origin,
                                          const http::StoredHead& response) {
  const auto& request = asked.request;
  std::vector<std::string> keys;
  const auto add = [&](std::string_view target) {
    for (const auto* scheme : {"http", "https"}) keys.push_back(key_at(scheme, request.host, target));
  };
  for (const auto& base : {"http://" + request.host, "https://" + request.host, origin}) {
    // Where the query is not valid in a URI, references resolve in the same way against the path alone.
    auto target = http::parse_uri(base + asked.target);
    if (!target) target = http::parse_uri(base + request.path);
    if (!target) continue;
    for (const auto& uri : http::invalidated_by(request.method, response.status, *target, response.headers)) {
      const auto path = http::canonical_path(uri.path);
      add((path ? *path : uri.path) + (uri.query.empty() ? "" : "?" + uri.query));
    }
  }
  if (!keys.empty()) add(asked.target);
  return keys;
}

bool is_conditional(const http::Headers& headers) {
  return headers.first("If-None-Match") || headers.first("If-Modified-Since") || headers.first("If-Match") ||
         headers.first("If-Unmodified-Since");
}

}  // namespace

CacheRequest::CacheRequest(CacheRequestContext context, std::shared_ptr<const HttpCacheSettings> settings,
                           OriginRequest asked, std::unique_ptr<net::Exchange> exchange, std::function<void()> on_over)
    : context_(std::move(context)),
      settings_(std::move(settings)),
      asked_(std::move(asked)),
      request_(asked_.request),
      exchange_(std::move(exchange)),
      on_over_(std::move(on_over)),
      key_(asked_.key) {}

CacheRequest::~CacheRequest() {
  drop_body();
  if (revalidating_) context_.store.end_revalidation(revalidating_);
}

void CacheRequest::begin() {
  if (exchange_)
    exchange_->on_gone([this] {
      exchange_.reset();
      // A response that may be stored is fetched to its end, for later requests. A waiting request ends when its
      // callback runs.
      if (fetch_ && !storing_ && !leads_) end();
    });
  if (answered_without_lookup()) return end();
  if (look() == Lookup::ask) ask_origin(why_);
}

bool CacheRequest::answered_without_lookup() {
  if (!asked_.is_host_served) {
    if (exchange_)
      exchange_->reply(http::problem(http::problems::misdirected,
                                     "The host of the request is not in the setting hosts of this cache."));
    return true;
  }
  if (http::via_names(request_.headers.joined("Via").value_or(""), settings_->id)) {
    if (exchange_)
      exchange_->reply(
          http::problem(http::problems::bad_request, "Loop: the request already passed through this cache (Via)."));
    return true;
  }
  if (!asked_.may_be_forwarded) {
    if (exchange_) exchange_->reply({204, {{"Allow", "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"}}, {}});
    return true;
  }
  return false;
}

void CacheRequest::revalidate(StoredResponsePtr stored) {
  revalidating_ = stored;
  stored_ = std::move(stored);
  validates_ = true;
  ask_origin(http::Forward::stale);
}

void CacheRequest::find_stored() {
  bool others_exist = false;
  stored_ = context_.store.find(key_, request_.headers, others_exist);
  why_ = others_exist ? http::Forward::vary_miss : http::Forward::uri_miss;
  if (stored_ && stored_->head.status >= kFirstError && error_lifetime_left(stored_->head).count() <= 0) {
    stored_.reset();
    why_ = http::Forward::stale;
  }
  if (stored_ && !covers(*stored_, request_.headers)) why_ = http::Forward::partial;
}

CacheRequest::Lookup CacheRequest::look() {
  if (!is_read(request_.method)) {
    why_ = http::Forward::method;
    return Lookup::ask;
  }
  find_stored();
  const bool usable = stored_ && why_ != http::Forward::partial;
  if (usable) {
    const auto reuse = http::decide_reuse(stored_->head, request_.headers, rules(), context_.clock.wall_now());
    if (reuse != http::Reuse::validate) {
      http::CacheStatus status{.hit = true, .ttl_seconds = ttl_of(stored_->head), .collapsed = has_waited_};
      if (reuse == http::Reuse::stale_while_revalidate) {
        if (context_.store.begin_revalidation(stored_)) context_.revalidate(asked_, stored_);
      }
      answer(stored_, std::move(status));
      return Lookup::answered;
    }
    why_ = ttl_of(stored_->head) > 0 ? http::Forward::request : http::Forward::stale;
    validates_ = request_.method == http::Method::get;
  }
  if (http::cache_control_of(request_.headers).only_if_cached) {
    if (exchange_)
      exchange_->reply(
          http::problem(http::problems::origin_timeout,
                        "No fresh response is stored, and the request accepts no other (only-if-cached)."));
    end();
    return Lookup::answered;
  }
  if (stored_ || has_waited_ || !may_share()) return Lookup::ask;
  if (context_.coalescer.has_leader(key_)) {
    has_waited_ = true;
    context_.coalescer.wait(key_, [this, alive = std::weak_ptr(alive_)] {
      if (alive.expired()) return;
      if (!exchange_) return end();
      if (look() == Lookup::ask) ask_origin(why_);
    });
    return Lookup::waits;
  }
  leads_ = true;
  context_.coalescer.lead(key_);
  return Lookup::ask;
}

/// Whether the response to this request may serve other requests that are waiting for the same URI.
bool CacheRequest::may_share() const {
  return request_.method == http::Method::get && !request_.headers.first("Range") &&
         !request_.headers.first("Authorization") && !is_conditional(request_.headers) &&
         !http::cache_control_of(request_.headers).no_store;
}

void CacheRequest::ask_origin(http::Forward why) {
  why_ = why;
  requested_ = context_.clock.wall_now();
  net::FetchHandlers handlers;
  handlers.on_head = [this](const net::FetchHead& head) { on_head(head); };
  handlers.on_body = [this](std::string_view bytes) { return on_body(bytes); };
  handlers.on_done = [this](base::Result<void> result) { on_done(std::move(result)); };
  handlers.on_interim = [this](int status, const http::Headers& fields) {
    if (exchange_) exchange_->interim(status, http::without_connection_fields(fields));
  };
  fetch_ = context_.client.start(fetch_request(), std::move(handlers));
}

net::FetchRequest CacheRequest::fetch_request() const {
  net::FetchRequest fetch;
  fetch.method = request_.method;
  fetch.other_method = request_.other_method;
  fetch.url = settings_->origin + request_.path;
  fetch.target = asked_.target;
  fetch.headers = request_.headers;
  if (validates_) add_conditions(fetch.headers);
  fetch.headers.add("Via", "1.1 " + settings_->id);
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

/// RFC 9111 section 4.3.1. The client's own conditions are evaluated here, against the origin's response.
void CacheRequest::add_conditions(http::Headers& headers) const {
  for (const auto* name :
       {"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"})
    headers.remove(name);
  if (const auto etag = stored_->head.headers.first("ETag")) headers.set("If-None-Match", *etag);
  if (const auto modified = stored_->head.headers.first("Last-Modified")) headers.set("If-Modified-Since", *modified);
}

void CacheRequest::on_head(const net::FetchHead& head) {
  http::StoredHead response{head.status, http::without_connection_fields(head.headers), requested_,
                            context_.clock.wall_now()};
  response.headers.remove("Content-Length");
  if (!response.headers.first("Date")) response.headers.set("Date", http::format_date(response.received));
  if (answered_without_body(response)) return;
  apply_effects(response);
  decide_storing(response, head);
  if (leads_ && !storing_) release_waiting();
  if (!exchange_ && !storing_) return end();  // no client, and nothing to store
  // Bytes that violate the framing at the start of a body usually arrive with the head. The client then receives an
  // error instead of a cut response.
  settling_ = Settling{std::move(response), head.content_length};
  settle_ = context_.loop.after(std::chrono::milliseconds{0}, [this] {
    pass_head(false);
    if (!exchange_ && !storing_) return end();
    pass_body();
  });
}

/// Answers from the store: after a 304, or after an error of the origin where a stale response may be served.
bool CacheRequest::answered_without_body(const http::StoredHead& response) {
  http::CacheStatus status{.forward = why_, .forward_status = response.status};
  if (validates_ && response.status == 304) {
    auto fresh = std::make_shared<StoredResponse>(*stored_);
    fresh->head = http::freshened(stored_->head, response);
    if (http::decide_storing(http::Method::get, request_.headers, fresh->head, rules()) == http::Storing::yes) {
      context_.store.put(key_, fresh);
      status.stored = true;
    } else {
      context_.store.invalidate(key_);
    }
    answer(fresh, std::move(status));
    return true;
  }
  if (response.status < 500 || response.status == 501 || !may_serve_stale_for_error()) return false;
  answer(stored_, std::move(status));
  return true;
}

/// The effect of a response on other stored responses (RFC 9111 sections 4.3.5 and 4.4).
void CacheRequest::apply_effects(const http::StoredHead& response) {
  if (request_.method == http::Method::head && response.status == 200 && stored_ && !stored_->part) {
    const auto same = [&](const char* name) {
      return response.headers.first(name).value_or("") == stored_->head.headers.first(name).value_or("");
    };
    if (!same("ETag") || !same("Last-Modified")) return context_.store.invalidate(key_);
    auto fresh = std::make_shared<StoredResponse>(*stored_);
    fresh->head = http::freshened(stored_->head, response);
    context_.store.put(key_, std::move(fresh));
    return;
  }
  if (is_read(request_.method)) return;
  for (const auto& key : invalidated_keys(asked_, settings_->origin, response)) context_.store.invalidate(key);
}

void CacheRequest::decide_storing(const http::StoredHead& response, const net::FetchHead& head) {
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
    // RFC 9110 section 9.3.3: a response to POST whose Content-Location says that it answers GET, too.
    const auto location = response.headers.first("Content-Location");
    const auto target = http::parse_uri(key_);
    const auto named =
        location && target
            ? http::resolve(*target, *location)
            : base::Result<http::Uri>(base::failure(base::ErrorKind::not_found, base::Fault::origin, ""));
    if (named && named->text() == target->text()) method = http::Method::get;
  }
  if (http::decide_storing(method, request_.headers, as_whole, rules()) != http::Storing::yes) return;
  // A cookie belongs to one client, unless the origin states an explicit lifetime.
  if (response.headers.first("Set-Cookie") && !http::explicit_lifetime(response)) return;
  if (response.status >= kFirstError && settings_->keep_errors.count() == 0) return;
  if (head.ends_with_connection || head.content_length.value_or(0) > settings_->max_object_bytes) return;
  storing_ = std::make_shared<StoredResponse>();
  storing_->head = as_whole;
  storing_->head.headers = http::storable_fields(as_whole.headers);
  storing_->variant = http::variant_key(as_whole.headers, request_.headers);
  if (range) {
    storing_->part = range->range;
    storing_->whole_length = range->whole_length;
  }
}

/// Cache-Status says "stored" only if the whole body has arrived: a body that is still arriving may break off.
void CacheRequest::pass_head(bool is_whole) {
  settle_.cancel();
  const auto settling = std::exchange(settling_, std::nullopt);
  if (!exchange_ || !settling) return;
  const auto& response = settling->response;
  http::Response answer{response.status, response.headers, {}};
  http::CacheStatus status{
      .forward = why_, .forward_status = response.status, .stored = is_whole && storing_ && is_body_whole()};
  answer.headers.add("Cache-Status", http::cache_status(settings_->id, status));
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

/// Whether the received body has the length that the head states.
bool CacheRequest::is_body_whole() const { return !storing_->part || body_.size() == storing_->part->length(); }

net::Flow CacheRequest::on_body(std::string_view bytes) {
  if (storing_ && reserve(bytes.size())) {
    body_.append(bytes);
    if (settling_ && body_.size() > kMaxSettling) pass_head(false);
    if (!settling_) pass_body();
    return net::Flow::go_on;
  }
  if (std::exchange(storing_, nullptr)) release_waiting();
  if (settling_ && body_.size() + bytes.size() <= kMaxSettling) {
    body_.append(bytes);
    return net::Flow::go_on;
  }
  if (settling_) pass_head(false);
  pass_body();
  if (!exchange_) {
    end();
    return net::Flow::go_on;
  }
  if (passed_ < body_.size() || exchange_->unsent() > kUnsentHigh) {
    pass_body_when_drained();
    return net::Flow::pause;
  }
  drop_body();
  exchange_->write(std::string(bytes));
  return net::Flow::go_on;
}

bool CacheRequest::reserve(std::size_t bytes) {
  if (body_.size() + bytes > settings_->max_object_bytes ||
      !context_.store.reserve_filling(bytes, settings_->max_filling_bytes))
    return false;
  reserved_ += bytes;
  return true;
}

/// Writes the received body to this client. A client that reads slowly does not delay the requests that wait for the
/// stored response.
void CacheRequest::pass_body() {
  while (exchange_ && passed_ < body_.size()) {
    if (exchange_->unsent() > kUnsentHigh) return pass_body_when_drained();
    auto piece = body_.substr(passed_, kUnsentLow);
    passed_ += piece.size();
    exchange_->write(std::move(piece));
  }
}

void CacheRequest::pass_body_when_drained() {
  if (std::exchange(is_draining_, true)) return;
  exchange_->when_drained(kUnsentLow, [this] {
    is_draining_ = false;
    pass_body();
    if (fetch_ && !storing_ && !is_draining_) fetch_->resume();
  });
}

void CacheRequest::on_done(base::Result<void> result) {
  if (!result) {
    settling_.reset();
    settle_.cancel();
    drop_body();
    answer_failure(result.error());
    return end();
  }
  if (settling_) pass_head(true);
  if (storing_)
    store_response();
  else
    write_rest();
  if (exchange_) exchange_->finish();
  end();
}

/// For a body that is not stored: writes the bytes that arrived while settling and are not written yet.
void CacheRequest::write_rest() {
  if (exchange_ && passed_ < body_.size()) exchange_->write(body_.substr(passed_));
  drop_body();
}

void CacheRequest::store_response() {
  const bool is_whole = is_body_whole();
  storing_->body = base::share(std::move(body_));
  const auto left = base::BytesSlice{storing_->body, passed_, storing_->body->size() - passed_};
  if (is_whole) context_.store.put(key_, storing_->part ? combined(stored_, storing_) : storing_);
  drop_body();
  if (exchange_ && left.length != 0) exchange_->write(left);
}

void CacheRequest::drop_body() {
  context_.store.release_filling(std::exchange(reserved_, 0));
  storing_.reset();
  body_ = {};
  passed_ = 0;
}

void CacheRequest::answer(const StoredResponsePtr& stored, http::CacheStatus status) {
  if (exchange_) {
    auto response = answer_from(*stored, request_, context_.clock.wall_now());
    response.headers.add("Cache-Status", http::cache_status(settings_->id, status));
    exchange_->note.cache = status.hit ? (status.collapsed ? "waited" : "hit") : "stale";
    exchange_->reply(std::move(response));
  }
  end();
}

/// The origin failed: a body that has begun is cut; otherwise the client receives a stale response or an error.
void CacheRequest::answer_failure(const base::Error& error) {
  if (!exchange_) return;
  if (exchange_->note.cache == "miss") return exchange_.reset();
  if (may_serve_stale_for_error()) {
    auto response = answer_from(*stored_, request_, context_.clock.wall_now());
    response.headers.add("Cache-Status", http::cache_status(settings_->id, {.hit = true,
                                                                            .ttl_seconds = ttl_of(stored_->head),
                                                                            .detail = "origin-failed"}));
    exchange_->note.cache = "stale";
    return exchange_->reply(std::move(response));
  }
  exchange_->note.reason = base::to_string(error.kind);
  const bool is_late = error.kind == base::ErrorKind::timeout;
  exchange_->reply(
      http::problem(is_late ? http::problems::origin_timeout : http::problems::origin_broken,
                    is_late ? "The origin did not answer in time." : "The response of the origin is unusable."));
}

bool CacheRequest::may_serve_stale_for_error() const {
  return is_read(request_.method) && stored_ && why_ != http::Forward::partial &&
         http::may_serve_for_error(stored_->head, rules(), context_.clock.wall_now());
}

http::FreshnessRules CacheRequest::rules() const {
  return {std::chrono::duration_cast<std::chrono::seconds>(settings_->heuristic_ceiling),
          std::chrono::duration_cast<std::chrono::seconds>(settings_->stale_if_error)};
}

std::int64_t CacheRequest::ttl_of(const http::StoredHead& head) const {
  const auto left = http::freshness_lifetime(head, rules()) - http::current_age(head, context_.clock.wall_now());
  if (head.status < kFirstError) return left.count();
  return std::min(left, std::chrono::floor<std::chrono::seconds>(error_lifetime_left(head))).count();
}

/// The remaining time for which a stored error serves requests, whatever lifetime the origin gave it.
std::chrono::nanoseconds CacheRequest::error_lifetime_left(const http::StoredHead& head) const {
  const auto age = context_.clock.wall_now() - head.received;
  if (age < std::chrono::nanoseconds{0}) return std::chrono::nanoseconds{0};  // the clock was set back
  return settings_->keep_errors - age;
}

void CacheRequest::release_waiting() {
  if (!std::exchange(leads_, false)) return;
  for (const auto& go_on : context_.coalescer.over(key_)) go_on();
}

void CacheRequest::end() {
  if (std::exchange(is_over_, true)) return;
  settle_.cancel();
  fetch_.reset();
  release_waiting();
  on_over_();
}

}  // namespace tribune::http_cache
