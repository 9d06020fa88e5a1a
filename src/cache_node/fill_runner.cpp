#include "cache_node/fill_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "base/memory.h"
#include "contracts/canonical.h"
#include "contracts/peer_mark.h"
#include "contracts/order.h"
#include "http/date.h"
#include "http/message.h"
#include "http/storing.h"

namespace tribune::cache_node {

namespace {

namespace problems = http::problems;

/// What a failed fetch is to a viewer.
FillFailure failure_of(const base::Error& error) {
  switch (error.kind) {
    case base::ErrorKind::timeout: return {&problems::origin_timeout, error.text, "origin_timeout"};
    case base::ErrorKind::unavailable: return {&problems::origin_unavailable, error.text, "origin_unavailable"};
    case base::ErrorKind::forbidden: return {&problems::origin_broken, error.text, "origin_forbidden"};
    default: return {&problems::origin_broken, error.text, "origin_broken"};
  }
}

FillFailure failure_of_status(int status) {
  FillFailure failure{&problems::origin_broken, fmt::format("the origin answered {}", status), "origin_refused"};
  failure.status = status;
  if (failure.is_gone()) {
    failure.problem = &problems::not_found;
    failure.reason = "origin_not_found";
  } else if (status >= 500) {
    failure.problem = status == 503 ? &problems::origin_unavailable : &problems::origin_broken;
    failure.reason = "origin_error";
  }
  return failure;
}

bool is_about_to_exist(int status) { return status == 404 || status == 403 || status == 425 || status >= 500; }

bool is_strong(std::string_view etag) { return etag.size() >= 2 && etag.front() == '"'; }

ObjectHead head_of(const http::Headers& headers) {
  ObjectHead head;
  head.content_type = headers.first("Content-Type").value_or("application/octet-stream");
  head.etag = headers.first("ETag").value_or("");
  head.tags = contracts::tags_of(headers.joined("Surrogate-Key").value_or(""), headers.joined("Cache-Tag").value_or(""));
  if (const auto modified = headers.first("Last-Modified"))
    if (const auto time = http::parse_date(*modified)) head.last_modified = base::unix_seconds(*time);
  return head;
}

bool is_encoded(const http::Headers& headers) {
  const auto coding = headers.joined("Content-Encoding");
  return coding && !coding->empty() && !http::equals_ignoring_case(*coding, "identity");
}

}  // namespace

FillRunner::FillRunner(const FillParts& parts, runtime::Worker& worker, FillSettings settings, FillSource source, std::shared_ptr<Fill> fill,
                       std::function<void()> on_over)
    : parts_(parts), worker_(worker), settings_(std::move(settings)), source_(std::move(source)), fill_(std::move(fill)),
      on_over_(std::move(on_over)), started_(parts.clock.steady_now()), next_pause_(settings_.hold_retry) {}

FillRunner::~FillRunner() {
  if (is_over_) return;
  const FillFailure stopped{&problems::stopping, "the cache node is stopping", "stopping"};
  parts_.index.abandon(*fill_);
  fill_->fail(stopped);
  parts_.disk.changed(fill_);
}

/// What ends for want of memory ends the fill: half of it must not be taken for whole.
template <class Call>
void FillRunner::as_memory_lasts(Call call) {
  try {
    call();
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
    if (!is_over_) fail({&problems::overloaded, "this node has no memory for the object", "memory_spent"}, false);
  }
}

void FillRunner::start() {
  as_memory_lasts([this] { ask(); });
}

/// Asks the first place from here on that is not left alone.
void FillRunner::ask() {
  refusal_.reset();
  prefix_.reset();
  const auto now = parts_.clock.steady_now();
  while (!parts_.circuits.may_ask(place().name, now)) {
    if (!has_next()) return end_round({&problems::origin_unavailable, place().name + " failed too often and is left alone for a moment", "circuit_open"});
    ++place_;
  }
  send(place());
}

void FillRunner::send(const Place& to) {
  answers_ = false;
  is_conditional_ = false;
  asked_ = parts_.clock.wall_now();
  net::FetchRequest request;
  request.url = to.url;
  request.headers = {{"Accept-Encoding", "identity"}};
  if (to.is_node()) {
    const auto mark = source_.signing.fields(to.kind, parts_.clock.wall_now());
    for (const auto& field : mark.all()) request.headers.add(field.name, field.value);
  }
  request.destinations.allowed_origins = to.allowed_origins;
  request.destinations.allow_special_addresses = to.allow_special_addresses;
  request.deadlines = to.deadlines;
  request.max_redirects = to.is_node() ? 0 : static_cast<int>(settings_.max_redirects);
  request.max_body_bytes = std::numeric_limits<std::int64_t>::max();   // looked at with the head, and as bytes come
  if (source_.file || (feeding_ && is_strong(etag_))) {
    add_range(request.headers);
  } else if (!feeding_) {
    const auto asked_if = conditions();
    is_conditional_ = !asked_if.empty();
    for (const auto& field : asked_if.all()) request.headers.add(field.name, field.value);
  }
  net::FetchHandlers handlers;
  handlers.on_head = [this](const net::FetchHead& head) { as_memory_lasts([&] { head_came(head); }); };
  handlers.on_body = [this](std::string_view bytes) {
    auto flow = net::Flow::go_on;
    as_memory_lasts([&] { flow = bytes_came(bytes); });
    return flow;
  };
  handlers.on_done = [this](base::Result<void> result) { as_memory_lasts([&] { ended(std::move(result)); }); };
  (to.kind == Place::Kind::peer ? parts_.metrics.asked_peers : to.is_node() ? parts_.metrics.asked_parents : parts_.metrics.asked_origins).add();
  fetch_ = worker_.client.start(std::move(request), std::move(handlers));
}

/// The slice, or what is missing of a body.
void FillRunner::add_range(http::Headers& headers) const {
  const auto have = sum_.length();
  const auto& slice = source_.slice;
  headers.add("Range", source_.file ? fmt::format("bytes={}-{}", slice.first + have, slice.last) : fmt::format("bytes={}-", have));
  headers.add("If-Range", source_.file ? source_.file->validator() : etag_);
}

/// Those by which a place may say that the stale object is still right. Tags that are our own say nothing to an origin.
http::Headers FillRunner::conditions() const {
  const auto& previous = fill_->previous();
  if (!previous) return {};
  if (!previous->etag.empty() && (place().is_node() || !previous->etag.starts_with("\"t-"))) return {{"If-None-Match", previous->etag}};
  if (previous->last_modified < 0 || place().is_node()) return {};
  return {{"If-Modified-Since", http::format_date(base::WallTime(std::chrono::seconds(previous->last_modified)))}};
}

/// From inside a callback of the fetch, which ends here.
void FillRunner::ask_soon() {
  again_ = worker_.loop.after(std::chrono::milliseconds(0), [this] { as_memory_lasts([this] { ask(); }); });
}

void FillRunner::place_failed(std::string_view why) { parts_.circuits.failed(place().name, place().circuit, parts_.clock.steady_now(), why); }

/// This place does not have it: the next one may. After the last, who is to blame is told, or all are asked again.
void FillRunner::pass_over(FillFailure failure) {
  if (!has_next()) return end_round(std::move(failure));
  parts_.metrics.passed_over.add();
  parts_.log.debug("cache_node", "fill_passes_over", {{"object", fill_->key().text}, {"place", place().name}, {"reason", failure.reason}, {"error", failure.detail}});
  ++place_;
  ask_soon();
}

void FillRunner::end_round(FillFailure failure) {
  place_ = 0;
  hold_or_fail(std::move(failure));
}

/// What another node says beside a body. True when it was no answer to go on with.
bool FillRunner::node_declined(const net::FetchHead& head) {
  if (head.status == 200 || ((feeding_ || source_.file) && head.status == 206) || (source_.file && head.status == 416) || (is_conditional_ && head.status == 304)) return false;
  const auto verdict = head.headers.first(contracts::kVerdictHeader).value_or("");
  refusal_ = failure_of_status(head.status);
  const auto& d = settings_.deadlines;
  const auto sliced = verdict == kVerdictSliced ? contracts::read_decimal(head.headers.first(kSlicedLength).value_or("")) : std::nullopt;
  if (sliced && *sliced > 0 && settings_.slice_bytes > 0 && !source_.file && !feeding_) {
    go_in_slices(head, static_cast<std::uint64_t>(*sliced));
    return true;
  }
  if (verdict == contracts::kVerdictWaiting && parts_.clock.steady_now() - started_ < settings_.hold + 2 * (d.connect + d.first_byte)) {
    parts_.metrics.waits.add();
    ask_soon();
  } else if (verdict.empty() || verdict == contracts::kVerdictWaiting || verdict == kVerdictSliced || feeding_) {
    pass_over(*refusal_);
  } else {
    fail(*refusal_, true);   // it asked the origin, and held and retried as we would
  }
  return true;
}

void FillRunner::head_came(const net::FetchHead& head) {
  answers_ = true;
  // An origin that breaks down says 5xx; a node that says anything is there.
  if (place().is_node() || head.status < 500) parts_.circuits.succeeded(place().name);
  else place_failed(fmt::format("it answered {}", head.status));
  const bool declined = place().is_node() && node_declined(head);
  if (!declined) source_.file ? slice_head(head) : feeding_ ? resumed_head(head) : first_head(head);
  if (refusal_) fetch_.reset();
}

/// The stale object, which the fill would have replaced, is right after all.
void FillRunner::nothing_changed(const net::FetchHead& head) {
  auto terms = fill_->previous()->terms;
  if (source_.keep.asks_origin()) terms = http::updated(terms, stored_head(head));
  if (place().is_node()) terms.age = std::chrono::seconds(0);
  const auto age = place().is_node() ? http::age_of(head.headers).count() : 0;
  if (const auto object = parts_.index.revalidated(*fill_, base::unix_seconds(parts_.clock.wall_now()) - age, std::move(terms)))
    parts_.disk.revalidated(object);
  parts_.metrics.revalidated.add();
  refusal_ = FillFailure{&problems::origin_unavailable, "the origin says that nothing changed, and the object is gone", "revalidated", true, 304};
  fill_->fail(*refusal_);
  over();
}

http::StoredHead FillRunner::stored_head(const net::FetchHead& head) const { return {head.status, head.headers, asked_, parts_.clock.wall_now()}; }

/// What the origin tells caches stays with the object where it counts.
void FillRunner::take_terms(ObjectHead& object, const net::FetchHead& head) const {
  if (!source_.keep.asks_origin()) return;
  object.terms = http::terms_of(stored_head(head));
  if (place().is_node()) object.terms.age = std::chrono::seconds(0);   // in the time at which it was complete
}

/// Where the origin's word counts to the letter, what it wants kept by nobody goes to those who wait, and what was there before
/// is no longer right either.
void FillRunner::keep_as_allowed(const net::FetchHead& head) {
  if (source_.keep.by != Keep::By::origin) return;
  const http::FreshnessRules no_guesses{std::chrono::seconds(0), std::chrono::seconds(0)};
  const auto storing = http::decide_storing(http::Method::get, {}, stored_head(head), no_guesses);
  if (storing == http::Storing::yes) return;
  if (const auto gone = parts_.index.forget_previous(*fill_)) parts_.disk.discard(gone);
  parts_.index.abandon(*fill_);
  fill_->keep_nothing(http::word(storing));
}

void FillRunner::first_head(const net::FetchHead& head) {
  if (head.status == 304 && is_conditional_) return nothing_changed(head);
  if (head.status != 200) {
    refusal_ = failure_of_status(head.status);
    if (is_about_to_exist(head.status)) return pass_over(*refusal_);
    return fail(*refusal_, true);
  }
  const auto broken = [this](std::string detail) {
    refusal_ = FillFailure{&problems::origin_broken, std::move(detail), "origin_broken"};
    fail(*refusal_, true);
  };
  if (head.ends_with_connection) return broken("the origin announces neither a length nor chunks: a cut body would look whole");
  if (is_encoded(head.headers)) return broken("the origin sent an encoded body that was not asked for");
  if (is_for_slices(head)) return go_in_slices(head, *head.content_length);
  if (head.content_length && *head.content_length > settings_.max_object_bytes) return broken("the object is larger than max_object_bytes");
  length_ = head.content_length;
  etag_ = head.headers.first("ETag").value_or("");
  feeding_ = true;
  feeding_place_ = place_;
  if (place().is_node()) age_ = http::age_of(head.headers).count();
  auto object = head_of(head.headers);
  take_terms(object, head);
  fill_->begin(std::move(object), length_);
  keep_as_allowed(head);
}

/// A body so large, and an origin that hands out parts of it and says which version they are of.
bool FillRunner::is_for_slices(const net::FetchHead& head) const {
  if (settings_.slice_bytes == 0 || head.content_length.value_or(0) <= settings_.slice_above) return false;
  if (!http::equals_ignoring_case(head.headers.first("Accept-Ranges").value_or(""), "bytes")) return false;
  const http::FreshnessRules no_guesses{std::chrono::seconds(0), std::chrono::seconds(0)};
  if (source_.keep.by == Keep::By::origin && http::decide_storing(http::Method::get, {}, stored_head(head), no_guesses) != http::Storing::yes) return false;
  if (const auto etag = head.headers.first("ETag")) return is_strong(*etag);
  // A date is a strong validator when the file could not have changed twice in its second (RFC 9110 section 8.8.2.2).
  const auto modified = http::parse_date(head.headers.first("Last-Modified").value_or(""));
  const auto date = http::parse_date(head.headers.first("Date").value_or(""));
  return modified && date && *date - *modified > std::chrono::seconds(1);
}

/// What is known of the file is enough: its body is not read, and whoever waits looks it up again.
void FillRunner::go_in_slices(const net::FetchHead& head, std::uint64_t size) {
  auto file = std::make_shared<SlicedFile>();
  file->key = fill_->key();
  file->head = head_of(head.headers);
  take_terms(file->head, head);
  file->size = size;
  file->slice_bytes = settings_.slice_bytes;
  file->seen = base::unix_seconds(parts_.clock.wall_now()) - (place().is_node() ? http::age_of(head.headers).count() : 0);
  parts_.index.sliced().put(std::move(file));
  if (const auto gone = parts_.index.forget_previous(*fill_)) parts_.disk.discard(gone);
  parts_.index.abandon(*fill_);
  refusal_ = FillFailure{&problems::origin_unavailable, "it is kept in slices", "sliced", true, head.status};
  fill_->fail(*refusal_);
  over();
}

/// Exactly what is missing of the slice, of the version that the file is known by.
bool FillRunner::fits_slice(const net::FetchHead& head) const {
  const auto range = http::parse_content_range(head.headers.first("Content-Range").value_or(""));
  const auto& file = *source_.file;
  const auto first = source_.slice.first + sum_.length();
  if (head.status != 206 || is_encoded(head.headers) || head.ends_with_connection || !range) return false;
  if (range->range != http::ByteRange{first, source_.slice.last} || range->whole_length != file.size) return false;
  if (head.content_length && *head.content_length != range->range.length()) return false;
  const auto now = head_of(head.headers);
  return file.head.etag.empty() ? now.last_modified < 0 || now.last_modified == file.head.last_modified : now.etag == file.head.etag;
}

void FillRunner::slice_head(const net::FetchHead& head) {
  if (fits_slice(head)) {
    if (std::exchange(feeding_, true)) return;
    length_ = source_.slice.length();
    etag_ = source_.file->head.etag;
    feeding_place_ = place_;
    auto object = source_.file->head;
    object.terms = {};   // the file's, and it is the file that is asked about
    return fill_->begin(std::move(object), length_);
  }
  refusal_ = failure_of_status(head.status);
  if (head.status < 300 || head.status == 416) {
    // Another node may hold another version for its own reasons: the origin says which one is right.
    return place().is_node() && has_next() ? pass_over(*refusal_) : file_changed();
  }
  if (is_about_to_exist(head.status)) return feeding_ && !has_next() ? fail(*refusal_, false) : pass_over(*refusal_);
  fail(*refusal_, !feeding_);
}

/// No bytes of another version come into the slice, and nobody takes the file for what it was.
void FillRunner::file_changed() {
  parts_.index.sliced().forget(source_.file);
  refusal_ = FillFailure{&problems::origin_broken, "the origin changed the file between its slices", "origin_changed"};
  fail(*refusal_, false);
}

/// The second answer for a body that broke off. 206 goes on where it broke; 200 begins anew and must repeat what is here.
void FillRunner::resumed_head(const net::FetchHead& head) {
  const auto have = sum_.length();
  const auto etag = head.headers.first("ETag").value_or("");
  const auto changed = [this] {
    refusal_ = FillFailure{&problems::origin_broken, "the origin changed the bytes in mid-fill", "origin_changed"};
    fail(*refusal_, false);
  };
  if (head.status == 206) {
    const auto range = head.headers.first("Content-Range").value_or("");
    const bool begins_here = range.starts_with(fmt::format("bytes {}-", have));
    const bool same_length = !length_ || (range.ends_with(fmt::format("/{}", *length_)) && head.content_length.value_or(*length_ - have) == *length_ - have);
    if (!begins_here || !same_length || (!etag.empty() && etag != etag_)) changed();
    return;
  }
  if (head.status == 200 && !head.ends_with_connection && !is_encoded(head.headers)) {
    // Another place may tag the same bytes otherwise; the bytes decide, and what comes out is that place's whole body.
    const bool other_tag = !etag.empty() && !etag_.empty() && etag != etag_ && place_ == feeding_place_;
    if (other_tag || (length_ && head.content_length && *head.content_length != *length_)) return changed();
    prefix_.emplace();
    return;
  }
  refusal_ = failure_of_status(head.status);
  if (has_next()) return pass_over(*refusal_);
  fail(*refusal_, false);
}

net::Flow FillRunner::bytes_came(std::string_view bytes) {
  if (is_over_ || refusal_) return net::Flow::go_on;
  if (!paused_ && parts_.memory.is_full()) pause();
  if (paused_) return net::Flow::pause;
  (place().is_node() ? parts_.metrics.node_bytes : parts_.metrics.origin_bytes).add(static_cast<double>(bytes.size()));
  if (prefix_ && !matches_prefix(bytes)) {
    fail({&problems::origin_broken, "the origin changed the bytes in mid-fill", "origin_changed"}, false);
    return net::Flow::go_on;
  }
  const auto room = length_.value_or(settings_.max_object_bytes);
  if (sum_.length() + bytes.size() > room) {
    fail({&problems::origin_broken, length_ ? "the origin sent more than it announced" : "the object is larger than max_object_bytes", "origin_broken"}, false);
    return net::Flow::go_on;
  }
  sum_.add(bytes);
  fill_->append(bytes, parts_.clock.steady_now());
  parts_.disk.changed(fill_);
  return net::Flow::go_on;
}

/// Takes from `bytes` what repeats the bytes that are here; false when it does not repeat them.
bool FillRunner::matches_prefix(std::string_view& bytes) {
  const auto repeated = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), sum_.length() - prefix_->length()));
  prefix_->add(bytes.substr(0, repeated));
  bytes.remove_prefix(repeated);
  if (prefix_->length() < sum_.length()) return true;
  const bool same = prefix_->value() == sum_.value();
  prefix_.reset();
  return same;
}

/// The buffers are full: the origin waits. When the disk does not make room in time, this object is passed through, and
/// what its readers have taken is freed.
void FillRunner::pause() {
  paused_ = true;
  parts_.metrics.pauses.add();
  if (fill_->keeping() != Fill::Keeping::nothing) {
    timer_ = worker_.loop.after(settings_.disk_patience, [this] {
      parts_.index.abandon(*fill_);
      fill_->keep_less(Fill::Keeping::nothing);
      parts_.metrics.passed_through.add();
    });
  }
  parts_.memory.when_room(worker_.loop, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.lock()) go_on();
  });
}

void FillRunner::go_on() {
  if (!paused_ || is_over_) return;
  paused_ = false;
  timer_.cancel();
  if (fetch_) fetch_->resume();
}

void FillRunner::ended(base::Result<void> result) {
  if (is_over_) return;
  if (!result) {
    // A node that cuts a body may only hand on what its origin did.
    const auto kind = result.error().kind;
    if (kind == base::ErrorKind::timeout || (!answers_ && kind != base::ErrorKind::forbidden)) place_failed(result.error().text);
    if (feeding_) return broke_off(result.error());
    const auto failure = failure_of(result.error());
    if (has_next()) return pass_over(failure);
    if (result.error().may_retry && !retried_) {
      retried_ = true;
      parts_.metrics.retries.add();
      place_ = 0;
      return ask_soon();
    }
    return fail(failure, true);
  }
  if (!feeding_) return;
  if (prefix_ || (length_ && sum_.length() != *length_))
    return broke_off({base::ErrorKind::protocol, base::Fault::origin, true, "the body ended before its announced length"});
  complete();
}

void FillRunner::broke_off(const base::Error& error) {
  const auto have = sum_.length();
  const bool got_further = have > received_at_resume_;
  const bool elsewhere = has_next();   // a body that broke off at one place may go on at the next
  const bool nothing_missing = length_ && have >= *length_;   // it went on beyond its end: there is nothing to ask for
  if (nothing_missing || error.kind == base::ErrorKind::too_large || error.kind == base::ErrorKind::forbidden ||
      resumes_ >= settings_.max_resumes + static_cast<std::int64_t>(place_) || (!got_further && !elsewhere)) {
    // Nothing went out yet where nothing came in: the next request may try at once.
    return fail(failure_of(error), have == 0);
  }
  ++resumes_;
  received_at_resume_ = have;
  parts_.metrics.resumes.add();
  parts_.log.info("cache_node", "fill_resumed", {{"object", fill_->key().text}, {"received", have}, {"place", place().name}, {"error", error.text}});
  if (elsewhere) ++place_;
  ask_soon();
}

void FillRunner::hold_or_fail(FillFailure failure) {
  if (parts_.clock.steady_now() - started_ + next_pause_ > settings_.hold) return fail(std::move(failure), true);
  timer_ = worker_.loop.after(next_pause_, [this] {
    parts_.metrics.retries.add();
    as_memory_lasts([this] { ask(); });
  });
  next_pause_ *= 2;
}

void FillRunner::complete() {
  const auto now = parts_.clock.steady_now();
  parts_.metrics.stored.add();
  parts_.metrics.seconds.observe(std::chrono::duration<double>(now - started_).count());
  fill_->finish(etag_of_body(sum_.value(), sum_.length()), base::unix_seconds(parts_.clock.wall_now()) - age_);
  over();
}

void FillRunner::fail(FillFailure failure, bool remember) {
  parts_.metrics.failed.add();
  parts_.metrics.failures.add();
  parts_.log.warning("cache_node", "fill_failed", {{"object", fill_->key().text}, {"reason", failure.reason}, {"error", failure.detail},
                                                   {"received", sum_.length()}, {"waiters", fill_->readers()}});
  failure.look_again = remember ? parts_.index.abandon(*fill_, failure, parts_.clock.steady_now() + settings_.keep_errors)
                                : parts_.index.abandon(*fill_);
  if (parts_.index.sliced().find(fill_->key().id)) failure.look_again = true;
  fill_->fail(std::move(failure));
  over();
}

void FillRunner::over() {
  is_over_ = true;
  timer_.cancel();
  again_.cancel();
  parts_.disk.changed(fill_);
  on_over_();
}

}  // namespace tribune::cache_node
