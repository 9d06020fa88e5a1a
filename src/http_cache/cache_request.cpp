#include "http_cache/cache_request.h"

#include <algorithm>
#include <utility>

#include "http/problem.h"
#include "http/via.h"

namespace tribune::http_cache {
namespace {

constexpr std::uint64_t kUnsentHigh = 1 << 20;  // bound on the bytes that wait for a slow client
constexpr std::uint64_t kUnsentLow = 256 << 10;

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
      key_(asked_.key),
      variants_(request_.headers) {}

void CacheRequest::begin() {
  exchange_->on_gone([this] {
    exchange_.reset();
    end();
  });
  if (answered_without_lookup()) return end();
  look();
}

bool CacheRequest::answered_without_lookup() {
  if (!asked_.is_host_served) {
    exchange_->reply(http::problem(http::problems::misdirected,
                                   "The host of the request is not in the setting hosts of this cache."));
    return true;
  }
  if (http::via_names(request_.headers.joined("Via").value_or(""), settings_->id)) {
    exchange_->reply(
        http::problem(http::problems::bad_request, "Loop: the request already passed through this cache (Via)."));
    return true;
  }
  if (!asked_.may_be_forwarded) {
    exchange_->reply({204, {{"Allow", "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"}}, {}});
    return true;
  }
  return false;
}

void CacheRequest::look() {
  if (!is_read(request_.method)) {
    why_ = http::Forward::method;
    return ask_alone();
  }
  find_stored();
  if (answered_from_store()) return;
  if (http::cache_control_of(request_.headers).only_if_cached) {
    exchange_->reply(http::problem(http::problems::origin_timeout,
                                   "No fresh response is stored, and the request accepts no other (only-if-cached)."));
    return end();
  }
  if (may_share()) return ask_with_others();
  ask_alone();
}

void CacheRequest::find_stored() {
  auto found = context_.state.store.find(key_, variants_);
  stored_ = std::move(found.response);
  if (found.other) example_ = std::move(found.other);
  if (stored_) example_ = stored_;
  why_ = example_ && !stored_ ? http::Forward::vary_miss : http::Forward::uri_miss;
  if (stored_ && is_expired_error(stored_->head)) {
    stored_.reset();
    why_ = http::Forward::stale;
  }
  if (stored_ && !covers(*stored_, request_)) why_ = http::Forward::partial;
}

bool CacheRequest::answered_from_store() {
  validates_ = false;
  if (!stored_ || why_ == http::Forward::partial) return false;
  const auto reuse =
      http::decide_reuse(stored_->head, request_.headers, freshness_rules(*settings_), context_.clock.wall_now());
  if (reuse == http::Reuse::validate) {
    why_ = ttl_of(stored_->head) > 0 ? http::Forward::request : http::Forward::stale;
    const auto& fields = stored_->head.headers;
    validates_ = request_.method == http::Method::get && (fields.first("ETag") || fields.first("Last-Modified"));
    return false;
  }
  if (reuse == http::Reuse::stale_while_revalidate) revalidate_in_background();
  answer(stored_, {.hit = true, .ttl_seconds = ttl_of(stored_->head), .collapsed = has_looked_again_});
  return true;
}

/// One request revalidates, however many clients receive the stale response in the meantime. It is sent without the
/// credentials of this client, because its response serves everybody.
void CacheRequest::revalidate_in_background() {
  const auto& fields = stored_->head.headers;
  const bool has_validator = fields.first("ETag") || fields.first("Last-Modified");
  // A part would be confirmed as a part, to requests for the whole. Credentials that select the variant are needed.
  if (stored_->part || RequestVariants::names("Authorization", stored_->vary)) return;
  FetchOrder order{asked_, stored_, has_validator, false, true};
  order.asked.request.method = http::Method::get;
  order.asked.request.body.clear();
  order.asked.request.headers.remove("Authorization");
  const auto place = context_.state.running.join_or_lead({
      key_,
      order.asked.request.headers,
      variants_,
      stored_,
      [](const StoredResponse&) { return true; },
      [this] { return context_.state.store.find(key_, variants_).response != stored_; },
  });
  if (place.leads) context_.fetch(std::move(order), place.transfer);
}

/// Whether the response to this request may serve others, and theirs this one.
bool CacheRequest::may_share() const {
  return request_.method == http::Method::get && !request_.headers.first("Range") &&
         !request_.headers.first("Authorization") && !http::cache_control_of(request_.headers).no_store &&
         !leaves_conditions_to_origin();
}

/// Whether the origin evaluates the client's conditions. The response then serves this client only.
bool CacheRequest::leaves_conditions_to_origin() const {
  if (validates_ || !is_conditional(request_.headers)) return false;
  return request_.headers.first("Authorization") || http::cache_control_of(request_.headers).no_store ||
         context_.state.uncacheable.contains(key_, context_.clock.wall_now());
}

void CacheRequest::ask_with_others() {
  const auto is_usable = [this](const StoredResponse& response) {
    return !is_expired_error(response.head) &&
           http::decide_reuse(response.head, request_.headers, freshness_rules(*settings_),
                              context_.clock.wall_now()) != http::Reuse::validate;
  };
  const auto place = context_.state.running.join_or_lead({
      key_,
      request_.headers,
      variants_,
      example_,
      is_usable,
      [&] {
        const auto found = context_.state.store.find(key_, variants_).response;
        return found && found != stored_ && !found->part && is_usable(*found);
      },
  });
  if (place.is_stored) return look();
  if (!place.transfer) return ask_alone();
  if (place.leads) {
    auto asked = order();
    asked.shared = true;
    context_.fetch(std::move(asked), place.transfer);
  }
  follow(place.transfer, place.leads);
}

void CacheRequest::ask_alone() {
  auto transfer = std::make_shared<OriginTransfer>(request_.headers, false);
  context_.fetch(order(), transfer);
  follow(std::move(transfer), true);
}

FetchOrder CacheRequest::order() const { return {asked_, stored_, validates_, leaves_conditions_to_origin(), false}; }

void CacheRequest::follow(std::shared_ptr<OriginTransfer> transfer, bool leads) {
  reader_ = transfer->read(
      context_.loop, [this] { on_change(); }, leads);
}

void CacheRequest::on_change() {
  if (is_over_) return;
  for (const auto& [status, fields] : reader_->take_interims()) {
    exchange_->interim(status, fields);
    if (is_over_) return;  // the client has left
  }
  const auto view = reader_->view();
  if (view.phase == OriginTransfer::Phase::asking) return;
  if (view.access != OriginTransfer::Access::open) return on_refused(view);
  if (view.phase == OriginTransfer::Phase::failed) return on_failed(view);
  if (view.phase == OriginTransfer::Phase::confirmed) return on_confirmed(view);
  if (has_begun_ && tag_ && !continues_same_body(view)) return cut();
  if (!has_begun_ && !began(view)) return;
  pass_body(view.phase == OriginTransfer::Phase::whole);
}

/// The response belongs to another request.
void CacheRequest::on_refused(const TransferReader::View& view) {
  if (has_begun_) return go_on_alone(view);
  if (view.head && view.head->is_verdict_on_one_request && !has_looked_again_) return look_again();
  reader_.reset();
  ask_alone();
}

/// A body that has begun is cut. Otherwise the client receives a stale response or, after a second attempt, an error.
void CacheRequest::on_failed(const TransferReader::View& view) {
  if (has_begun_) return cut();
  const auto now = context_.clock.wall_now();
  if (why_ != http::Forward::partial && may_serve_for_error(stored_, request_, *settings_, now)) {
    if (view.failed_status) return answer(stored_, {.forward = why_, .forward_status = view.failed_status});
    exchange_->note.cache = "stale";
    return answer(stored_, {.hit = true, .ttl_seconds = ttl_of(stored_->head), .detail = "origin-failed"});
  }
  if (!reader_->leads() && !has_looked_again_) return look_again();
  answer_failure(*view.error);
}

/// The origin confirmed the stored response.
void CacheRequest::on_confirmed(const TransferReader::View& view) {
  if (!reader_->leads() && !may_have(*view.confirmed)) {
    example_ = view.confirmed;
    if (!has_looked_again_) return look_again();
    reader_.reset();
    return ask_alone();
  }
  answer(view.confirmed,
         {.forward = why_, .forward_status = 304, .stored = view.is_for_all, .collapsed = !reader_->leads()},
         view.own_fields);
}

/// Whether a response that another request caused serves this one: it has the same variant, and this client's cookie
/// does not ask for one of its own.
bool CacheRequest::may_have(const StoredResponse& response) {
  return variants_.selects(response) && covers(response, request_) &&
         !needs_own_validation(response.head, asked_, *settings_);
}

/// Begins the response, or answers without its body. Returns whether the body follows.
bool CacheRequest::began(const TransferReader::View& view) {
  const auto& head = *view.head;
  const bool leads = reader_->leads();
  if (!leads && !may_have(*head.shared)) {
    // It is known now by which fields the response varies: the next transfer is one of the same variant.
    example_ = head.shared;
    if (std::exchange(has_met_variant_, true)) {
      reader_.reset();
      ask_alone();
    } else {
      look_again();
    }
    return false;
  }
  const auto& source = leads ? head.own : head.shared->head;
  http::Response answer{source.status, source.headers, {}};
  if (!leads) answer.headers.set("Age", std::to_string(http::current_age(source, context_.clock.wall_now()).count()));
  // "stored" only if the whole body has arrived: a body that is still arriving may break off.
  const bool is_stored = leads && head.shared && view.phase == OriginTransfer::Phase::whole;
  answer.headers.add(
      "Cache-Status",
      http::cache_status(settings_->id,
                         {.forward = why_, .forward_status = source.status, .stored = is_stored, .collapsed = !leads}));
  exchange_->note.cache = leads ? "miss" : "waited";
  if (is_answered_by_conditions(answer)) return false;
  has_begun_ = true;
  const bool has_body = source.status != 204 && source.status != 304;
  exchange_->begin(std::move(answer), has_body ? head.length : std::nullopt);
  return !is_over_;
}

/// The origin was asked without the client's conditions (RFC 9110 section 13.2).
bool CacheRequest::is_answered_by_conditions(http::Response& answer) {
  const bool is_success = answer.status == 200 || answer.status == 206;
  if (request_.method != http::Method::get || !is_success) return false;
  const auto verdict = http::evaluate(request_.headers, validators_of(answer.headers));
  if (verdict == http::Precondition::proceed) return false;
  answer.status = verdict == http::Precondition::not_modified ? 304 : 412;
  answer.headers.remove("Content-Range");
  exchange_->reply(std::move(answer));
  end();
  return true;
}

void CacheRequest::pass_body(bool is_whole) {
  if (is_draining_) return;
  while (exchange_->unsent() <= kUnsentHigh) {
    auto bodies = reader_->take(kUnsentLow);
    if (bodies.empty()) {
      if (!is_whole) return;
      exchange_->finish();
      return end();
    }
    for (auto& body : bodies) {
      write(std::move(body));
      if (is_over_) return;
    }
  }
  is_draining_ = true;
  exchange_->when_drained(kUnsentLow, [this] {
    is_draining_ = false;
    on_change();
  });
}

void CacheRequest::write(http::Body body) {
  const auto length = http::length_of(body);
  const auto skipped = static_cast<std::size_t>(std::min(skip_, length));
  skip_ -= skipped;
  if (skipped == length) return;
  if (auto* own = std::get_if<std::string>(&body)) own->erase(0, skipped);
  if (auto* shared = std::get_if<base::BytesSlice>(&body)) {
    shared->offset += skipped;
    shared->length -= skipped;
  }
  written_ += length - skipped;
  exchange_->write(std::move(body));
}

/// The body is too large to be shared, and this client has its beginning: a transfer of its own continues, if it is
/// certain to have the same bytes.
void CacheRequest::go_on_alone(const TransferReader::View& view) {
  const auto tag = view.head->shared ? view.head->shared->head.headers.first("ETag") : std::nullopt;
  if (!tag || !http::etags_match_strongly(*tag, *tag)) return cut();
  tag_ = std::string(*tag);
  skip_ = written_;
  stored_.reset();
  validates_ = false;
  reader_.reset();
  ask_alone();
}

bool CacheRequest::continues_same_body(const TransferReader::View& view) const {
  return view.head->own.status == 200 &&
         http::etags_match_strongly(*tag_, view.head->own.headers.first("ETag").value_or(""));
}

void CacheRequest::look_again() {
  has_looked_again_ = true;
  reader_.reset();
  look();
}

void CacheRequest::answer(const StoredResponsePtr& stored, http::CacheStatus status, const http::Headers& own_fields) {
  auto [head, body] = answer_from(*stored, request_, context_.clock.wall_now());
  for (const auto& field : own_fields.all()) head.headers.remove(field.name);
  for (const auto& field : own_fields.all()) head.headers.add(field.name, field.value);
  head.headers.add("Cache-Status", http::cache_status(settings_->id, status));
  if (exchange_->note.cache.empty()) exchange_->note.cache = status.collapsed ? "waited" : status.hit ? "hit" : "stale";
  const auto& slices = body.slices();
  if (slices.size() <= 1) {
    if (!slices.empty()) head.body = slices.front();
    exchange_->reply(std::move(head));
    return end();
  }
  exchange_->begin(std::move(head), body.size());
  if (request_.method != http::Method::head)
    for (const auto& slice : slices)
      if (exchange_) exchange_->write(slice);
  if (exchange_) exchange_->finish();
  end();
}

void CacheRequest::answer_failure(const base::Error& error) {
  exchange_->note.reason = base::to_string(error.kind);
  const bool is_late = error.kind == base::ErrorKind::timeout;
  exchange_->reply(
      http::problem(is_late ? http::problems::origin_timeout : http::problems::origin_broken,
                    is_late ? "The origin did not answer in time." : "The response of the origin is unusable."));
  end();
}

void CacheRequest::cut() {
  exchange_.reset();
  end();
}

std::int64_t CacheRequest::ttl_of(const http::StoredHead& head) const {
  const auto left =
      http::freshness_lifetime(head, freshness_rules(*settings_)) - http::current_age(head, context_.clock.wall_now());
  if (!is_kept_briefly(head.status)) return left.count();
  return std::min(left, std::chrono::floor<std::chrono::seconds>(error_lifetime_left(head))).count();
}

bool CacheRequest::is_expired_error(const http::StoredHead& head) const {
  return is_kept_briefly(head.status) && error_lifetime_left(head).count() <= 0;
}

/// The remaining time for which a stored error serves requests, whatever lifetime the origin gave it.
std::chrono::nanoseconds CacheRequest::error_lifetime_left(const http::StoredHead& head) const {
  const auto age = context_.clock.wall_now() - head.received;
  if (age < std::chrono::nanoseconds{0}) return std::chrono::nanoseconds{0};  // the clock was set back
  return settings_->keep_errors - age;
}

void CacheRequest::end() {
  if (std::exchange(is_over_, true)) return;
  reader_.reset();
  on_over_();
}

}  // namespace tribune::http_cache
