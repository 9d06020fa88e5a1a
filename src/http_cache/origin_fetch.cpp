#include "http_cache/origin_fetch.h"

#include <utility>
#include <vector>

#include "http/date.h"
#include "http/uri.h"

namespace tribune::http_cache {
namespace {

constexpr std::uint64_t kAnyBody = 1ull << 50;

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

}  // namespace

OriginFetch::OriginFetch(OriginFetchContext context, std::shared_ptr<const HttpCacheSettings> settings,
                         FetchOrder order, std::shared_ptr<OriginTransfer> transfer, std::function<void()> on_over)
    : context_(context),
      settings_(std::move(settings)),
      order_(std::move(order)),
      request_(order_.asked.request),
      key_(order_.asked.key),
      transfer_(std::move(transfer)),
      on_over_(std::move(on_over)) {}

OriginFetch::~OriginFetch() {
  transfer_->stop_receiving();
  close_to_others();
  context_.state.store.release_filling(reserved_);
}

void OriginFetch::begin() {
  requested_ = context_.clock.wall_now();
  generation_ = context_.state.store.generation(key_);
  transfer_->receive_on(
      context_.loop,
      [this] {
        if (fetch_) fetch_->resume();
      },
      [this] {
        if (!transfer_->is_needed()) fail({base::ErrorKind::unavailable, base::Fault::client, false, "nobody waits"});
      });
  net::FetchHandlers handlers;
  handlers.on_head = [this](const net::FetchHead& head) { on_head(head); };
  handlers.on_body = [this](std::string_view bytes) { return on_body(bytes); };
  handlers.on_done = [this](base::Result<void> result) { on_done(std::move(result)); };
  handlers.on_interim = [this](int status, const http::Headers& fields) {
    transfer_->interim(status, http::without_connection_fields(fields));
  };
  fetch_ = context_.client.start(request(), std::move(handlers));
}

net::FetchRequest OriginFetch::request() const {
  net::FetchRequest fetch;
  fetch.method = request_.method;
  fetch.other_method = request_.other_method;
  fetch.url = settings_->origin + request_.path;
  fetch.target = order_.asked.target;
  fetch.headers = request_.headers;
  if (request_.method == http::Method::get && !order_.forwards_conditions) set_conditions(fetch.headers);
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

/// The client's own conditions are evaluated against the response (RFC 9111 section 4.3.1). A range without a stored
/// response is forwarded, because the whole may be much larger.
void OriginFetch::set_conditions(http::Headers& headers) const {
  for (const auto* name : {"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"})
    headers.remove(name);
  if (order_.shared || order_.validates)
    for (const auto* name : {"If-Range", "Range"}) headers.remove(name);
  if (!order_.validates) return;
  const auto& stored = order_.stored->head.headers;
  if (const auto etag = stored.first("ETag")) headers.set("If-None-Match", *etag);
  if (const auto modified = stored.first("Last-Modified")) headers.set("If-Modified-Since", *modified);
}

void OriginFetch::on_head(const net::FetchHead& head) {
  http::StoredHead response{head.status, http::without_connection_fields(head.headers), requested_,
                            context_.clock.wall_now()};
  if (!response.headers.first("Date")) response.headers.set("Date", http::format_date(response.received));
  if (is_over_with_head(response)) return;
  apply_effects(response);
  response.headers.remove("Content-Length");
  begin_transfer(std::move(response), head);
}

/// A 304, and an error of the origin instead of which the stored response is served.
bool OriginFetch::is_over_with_head(const http::StoredHead& response) {
  const bool sent_conditions = order_.validates || order_.forwards_conditions || request_.method != http::Method::get;
  if (response.status == 304 && !sent_conditions) {
    fail({base::ErrorKind::protocol, base::Fault::origin, false, "304 to a request without conditions"});
    return true;
  }
  if (response.status == 304 && order_.validates) {
    confirm(response);
    return true;
  }
  const bool is_failure = response.status >= 500 && response.status != 501;
  if (!is_failure || !may_serve_for_error(order_.stored, request_, *settings_, response.received)) return false;
  fail({base::ErrorKind::unavailable, base::Fault::origin, false, "the origin answered with an error"},
       response.status);
  return true;
}

void OriginFetch::confirm(const http::StoredHead& response) {
  const auto update = update_by_304(order_.asked, response, order_.stored, *settings_);
  auto& store = context_.state.store;
  if (update.effect == Update::Effect::replace) store.put(key_, update.fresh, generation_);
  if (update.effect == Update::Effect::invalidate) store.invalidate(key_);
  http::Headers own;
  for (const auto& field : response.headers.all())
    if (http::equals_ignoring_case(field.name, "Set-Cookie")) own.add(field.name, field.value);
  close_to_others();
  const bool is_for_all =
      update.effect == Update::Effect::replace && !needs_own_validation(update.fresh->head, order_.asked, *settings_);
  transfer_->confirm(update.fresh, std::move(own), !is_for_all);
  end();
}

/// The effect of a response on other stored responses (RFC 9111 sections 4.3.5 and 4.4).
void OriginFetch::apply_effects(const http::StoredHead& response) {
  auto& store = context_.state.store;
  if (request_.method == http::Method::head && order_.stored) {
    const auto update = update_by_head(order_.asked, response, order_.stored, *settings_);
    if (update.effect == Update::Effect::replace) store.put(key_, update.fresh, generation_);
    if (update.effect == Update::Effect::invalidate) store.invalidate(key_);
  }
  if (is_read(request_.method)) return;
  for (const auto& key : invalidated_keys(order_.asked, settings_->origin, response)) {
    store.invalidate(key);
    context_.state.running.close(key);  // they may bring what is outdated now
  }
  generation_ = store.generation(key_);  // this response is newer
}

void OriginFetch::begin_transfer(http::StoredHead response, const net::FetchHead& head) {
  const ReceivedHead received{response, head.content_length, head.ends_with_connection};
  if (!order_.forwards_conditions) storing_ = storable(order_.asked, received, order_.stored, *settings_);
  if (storing_ && !reserve(head.content_length.value_or(0))) storing_.reset();
  const bool is_verdict = concerns_one_request(response.status);
  const bool is_leaders_alone = storing_ && needs_own_validation(response, order_.asked, *settings_);
  if (!storing_) {
    if (order_.shared && !is_verdict) context_.state.uncacheable.add(key_, response.received);
  }
  if (!storing_ || is_leaders_alone) close_to_others();
  // Without a client the response is received for the store, and for nothing else.
  const bool needed =
      transfer_->begin({std::move(response), storing_, head.content_length, is_verdict, is_leaders_alone});
  if (!needed) end();
}

net::Flow OriginFetch::on_body(std::string_view bytes) {
  received_ += bytes.size();
  if (storing_ && !reserve(received_)) {
    storing_.reset();
    close_to_others();
    if (!transfer_->outgrow()) {
      end();
      return net::Flow::go_on;
    }
  }
  return transfer_->append(bytes);
}

/// Reserves up to a total: the whole length where it is known, so that no body is cut for want of memory.
bool OriginFetch::reserve(std::uint64_t total) {
  if (total <= reserved_) return true;
  if (total > settings_->max_object_bytes ||
      !context_.state.store.reserve_filling(total - reserved_, settings_->max_filling_bytes))
    return false;
  reserved_ = total;
  return true;
}

void OriginFetch::on_done(base::Result<void> result) {
  if (!result) return fail(std::move(result.error()));
  if (storing_) store_response();
  close_to_others();
  transfer_->finish();
  end();
}

void OriginFetch::store_response() {
  auto whole = std::make_shared<StoredResponse>(*storing_);
  whole->body = transfer_->received();
  if (whole->part && whole->body.size() != whole->part->length()) return;
  const auto stored =
      whole->part ? combined(order_.stored, std::move(whole), settings_->max_object_bytes) : std::move(whole);
  context_.state.store.put(key_, stored, generation_);
  context_.state.uncacheable.remove(key_);
}

void OriginFetch::fail(base::Error error, std::optional<int> status) {
  close_to_others();
  transfer_->fail(std::move(error), status);
  end();
}

void OriginFetch::close_to_others() {
  if (order_.shared) context_.state.running.remove(key_, transfer_);
}

void OriginFetch::end() {
  if (std::exchange(is_over_, true)) return;
  fetch_.reset();
  close_to_others();
  on_over_();
}

}  // namespace tribune::http_cache
