#include "cache_node/filling/fill_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "base/memory.h"
#include "cache_node/filling/fill_response.h"

namespace tribune::cache_node {

namespace problems = http::problems;

namespace {
// The disk thread is notified of this many bytes at once, or of fewer after kMaxNotifyDelay: each notification costs
// two thread switches.
constexpr std::uint64_t kNotifyBytes = 256 * 1024;
constexpr std::chrono::milliseconds kMaxNotifyDelay{20};
constexpr std::chrono::milliseconds kRefusalKept{1'000};
}  // namespace

FillRunner::FillRunner(const FillParts& parts, runtime::Worker& worker, FillSettings settings, FillSource source,
                       std::shared_ptr<Fill> fill, std::function<void()> on_over)
    : parts_(parts),
      worker_(worker),
      settings_(settings),
      source_(std::move(source)),
      fill_(std::move(fill)),
      on_over_(std::move(on_over)),
      candidates_(source_.candidates, parts.circuits, parts.clock, settings_) {}

FillRunner::~FillRunner() {
  if (is_over_) return;
  const FillFailure stopped{&problems::stopping, "the cache node is stopping", "stopping"};
  parts_.index.abandon(*fill_);
  fill_->fail(stopped);
  parts_.disk.changed(fill_);
}

/// A failed allocation fails the fill, so that a partial body is never taken for a whole one.
template <class Call>
void FillRunner::guard_memory(Call call) {
  try {
    call();
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
    if (!is_over_)
      fail({&problems::overloaded, "this node has too little memory for the object", "memory_spent"}, false);
  }
}

void FillRunner::start() {
  guard_memory([this] { request(); });
}

/// Sends a request to the first candidate from here whose circuit admits one.
void FillRunner::request() {
  unusable_head_.reset();
  unjudged_.reset();
  unjudged_bytes_.clear();
  prefix_.reset();
  const bool found = candidates_.skip_open_circuits();
  FillFailure left_alone{
      candidates_.sent_unusable_response() ? &problems::origin_broken : &problems::origin_unavailable,
      "the circuit breaker of the origin is open after repeated failures", "circuit_open"};
  if (!candidates_.is_last_resort())
    left_alone.cause = candidate().name + ": the circuit breaker is open after repeated failures";
  if (candidates_.is_last_resort()) mark_origin_lost(left_alone);
  if (found) return send(candidate());
  parts_.metrics.count_result(!candidates_.is_last_resort() && candidate().is_node(), true);
  origin_failure_ ? report_origin_failure() : hold_or_fail(std::move(left_alone));
}

void FillRunner::send(const FillCandidate& to) {
  has_head_ = false;
  is_conditional_ = false;
  requested_at_ = parts_.clock.wall_now();
  net::FetchRequest request;
  request.url = to.url;
  request.headers = {{"Accept-Encoding", "identity"}};
  for (const auto& field : source_.variant.fields.all()) request.headers.add(field.name, field.value);
  if (to.is_node()) {
    const auto mark = source_.signing.fields(to, parts_.clock.wall_now());
    for (const auto& field : mark.all()) request.headers.add(field.name, field.value);
  }
  request.destinations.allowed_origins = to.allowed_origins;
  request.destinations.allow_special_addresses = to.allow_special_addresses;
  request.deadlines = to.deadlines;
  request.max_redirects = to.is_node() ? 0 : static_cast<int>(settings_.max_redirects);
  request.max_body_bytes = std::numeric_limits<std::int64_t>::max();  // checked with the head, and as bytes arrive
  if (source_.file || (feeding_ && is_strong(etag_))) {
    add_range(request.headers);
  } else if (!feeding_ && fill_->previous()) {
    const auto conditions = conditions_of(*fill_->previous(), to.is_node());
    is_conditional_ = !conditions.empty();
    for (const auto& field : conditions.all()) request.headers.add(field.name, field.value);
  }
  net::FetchHandlers handlers;
  handlers.on_head = [this](const net::FetchHead& head) { guard_memory([&] { on_head(head); }); };
  handlers.on_body = [this](std::string_view bytes) {
    auto flow = net::Flow::go_on;
    guard_memory([&] { flow = on_body(bytes); });
    return flow;
  };
  handlers.on_done = [this](base::Result<void> result) { guard_memory([&] { on_done(std::move(result)); }); };
  (to.kind == FillCandidate::Kind::peer ? parts_.metrics.asked_peers
   : to.is_node()                       ? parts_.metrics.asked_parents
                                        : parts_.metrics.asked_origins)
      .add();
  fetch_ = worker_.client.start(std::move(request), std::move(handlers));
}

/// The range of the slice, or of the missing part of a body.
void FillRunner::add_range(http::Headers& headers) const {
  const auto have = sum_.length();
  const auto& slice = source_.slice;
  headers.add("Range", source_.file ? fmt::format("bytes={}-{}", slice.first + have, slice.last)
                                    : fmt::format("bytes={}-", have));
  headers.add("If-Range", source_.file ? source_.file->validator() : etag_);
}

/// The timer sends the request, because this is called inside a callback of the fetch, which must return first.
void FillRunner::schedule_request() {
  request_timer_ = worker_.loop.after(std::chrono::milliseconds(0), [this] { guard_memory([this] { request(); }); });
}

/// This candidate does not have the object; the next one may. After the last one the origin's failure is reported, or
/// all are asked again.
void FillRunner::try_next(FillFailure failure) {
  if (!candidates_.has_next()) return origin_failure_ ? report_origin_failure() : hold_or_fail(std::move(failure));
  parts_.metrics.passed_over.add();
  parts_.log.debug("cache_node", "fill_passes_over",
                   {{"object", loggable(fill_->key())},
                    {"place", candidate().name},
                    {"reason", failure.reason},
                    {"error", failure.for_log()}});
  candidates_.next();
  schedule_request();
}

void FillRunner::mark_origin_lost(const FillFailure& why) {
  if (origin_failure_) return;
  origin_failure_ = why;
  fill_->mark_origin_lost();
  parts_.metrics.lost_origins.add();
}

/// No last-resort candidate had it either. An origin with an open circuit may be asked again after its rest.
void FillRunner::report_origin_failure() {
  const auto failure = *origin_failure_;
  const bool may_end = failure.reason == "circuit_open" || (failure.status != 0 && is_about_to_exist(failure.status));
  may_end ? hold_or_fail(failure) : fail(failure, true);
}

/// The origin refuses this node, or the object to everybody. A refusal that lasts is followed by the last resort: other
/// nodes, with other addresses, may get the object.
void FillRunner::on_refusal(FillFailure failure) {
  const bool may_end = is_about_to_exist(failure.status);
  ++refusals_;
  if (candidates_.has_next()) return try_next(std::move(failure));
  if ((!may_end || refusals_ > 1) && candidates_.begin_last_resort()) {
    mark_origin_lost(failure);
    return try_next(std::move(failure));
  }
  may_end ? try_next(std::move(failure)) : fail(std::move(failure), true);
}

net::Flow FillRunner::on_body(std::string_view bytes) {
  if (is_over_ || unusable_head_) return net::Flow::go_on;
  if (!paused_ && parts_.memory.is_full()) pause();
  if (paused_) return net::Flow::pause;
  (candidate().is_node() ? parts_.metrics.node_bytes : parts_.metrics.origin_bytes)
      .add(static_cast<double>(bytes.size()));
  unjudged_ ? judge_body(bytes, false) : feed(bytes);
  return net::Flow::go_on;
}

void FillRunner::feed(std::string_view bytes) {
  if (prefix_ && !matches_prefix(bytes))
    return fail({&problems::origin_broken, "the origin changed the object during the fill", "origin_changed"}, false);
  const auto limit = length_.value_or(settings_.max_object_bytes);
  if (sum_.length() + bytes.size() > limit)
    return fail(
        {&problems::origin_broken,
         length_ ? "the origin sent more bytes than its Content-Length" : "the object is larger than max_object_bytes",
         "origin_broken"},
        false);
  sum_.add(bytes);
  fill_->append(bytes, parts_.clock.steady_now());
  notify_disk_in_batches(bytes.size());
}

void FillRunner::notify_disk_in_batches(std::uint64_t bytes) {
  unannounced_bytes_ += bytes;
  if (unannounced_bytes_ >= kNotifyBytes) return notify_disk();
  if (!notify_timer_.pending())
    notify_timer_ = worker_.loop.after(kMaxNotifyDelay, [this] {
      if (unannounced_bytes_ > 0) notify_disk();
    });
}

void FillRunner::notify_disk() {
  unannounced_bytes_ = 0;
  parts_.disk.changed(fill_);
}

/// Removes from `bytes` the part that repeats the received bytes; false when it differs from them.
bool FillRunner::matches_prefix(std::string_view& bytes) {
  const auto repeated =
      static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), sum_.length() - prefix_->length()));
  prefix_->add(bytes.substr(0, repeated));
  bytes.remove_prefix(repeated);
  if (prefix_->length() < sum_.length()) return true;
  const bool same = prefix_->value() == sum_.value();
  prefix_.reset();
  return same;
}

/// The buffers are full: reading from the origin pauses. When the disk does not free memory in time, the object is
/// passed through: bytes that its readers have taken are freed.
void FillRunner::pause() {
  paused_ = true;
  notify_disk();
  parts_.metrics.pauses.add();
  if (fill_->keeping() != Fill::Keeping::nothing) {
    timer_ = worker_.loop.after(settings_.disk_patience, [this] {
      parts_.index.abandon(*fill_);
      fill_->reduce_keeping(Fill::Keeping::nothing);
      parts_.metrics.passed_through.add();
    });
  }
  parts_.memory.when_available(worker_.loop, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.lock()) resume();
  });
}

void FillRunner::resume() {
  if (!paused_ || is_over_) return;
  paused_ = false;
  timer_.cancel();
  if (fetch_) fetch_->resume();
}

void FillRunner::on_done(base::Result<void> result) {
  if (is_over_ || unusable_head_) return;  // how the rest of a rejected body ends is of no interest
  if (!result) {
    // After the head, only a timeout counts for the circuit: a node that interrupts a body may be forwarding a fault of
    // its origin.
    const auto kind = result.error().kind;
    if (!has_head_) parts_.metrics.count_result(candidate().is_node(), true);
    if (kind == base::ErrorKind::timeout || (!has_head_ && kind != base::ErrorKind::forbidden))
      candidates_.failed(result.error().text, kind == base::ErrorKind::protocol);
    if (feeding_) return on_broken_body(result.error());
    const auto failure = failure_of(result.error());
    if (candidates_.has_next()) return try_next(failure);
    if (!has_head_ && candidates_.begin_last_resort()) {
      mark_origin_lost(failure);
      return try_next(failure);
    }
    if (origin_failure_) return report_origin_failure();
    if (result.error().may_retry && candidates_.may_retry()) {
      parts_.metrics.retries.add();
      candidates_.restart();
      return schedule_request();
    }
    return fail(failure, true);
  }
  if (unjudged_) judge_body("", true);
  if (!feeding_ || is_over_) return;
  if (prefix_ || (length_ && sum_.length() != *length_))
    return on_broken_body(
        {base::ErrorKind::protocol, base::Fault::origin, true, "the body ended before its Content-Length"});
  complete();
}

void FillRunner::on_broken_body(const base::Error& error) {
  const auto have = sum_.length();
  const bool got_further = have > received_at_resume_;
  const bool elsewhere = candidates_.has_next();             // the next candidate may continue the body
  const bool nothing_missing = length_ && have >= *length_;  // the body was too long: there is nothing to request
  if (nothing_missing || error.kind == base::ErrorKind::too_large || error.kind == base::ErrorKind::forbidden ||
      resumes_ >= settings_.max_resumes + static_cast<std::int64_t>(candidates_.number()) ||
      (!got_further && !elsewhere)) {
    // Before the first received byte nothing was sent to clients: the next request may try at once.
    return fail(failure_of(error), have == 0);
  }
  ++resumes_;
  received_at_resume_ = have;
  parts_.metrics.resumes.add();
  parts_.log.info(
      "cache_node", "fill_resumed",
      {{"object", loggable(fill_->key())}, {"received", have}, {"place", candidate().name}, {"error", error.text}});
  if (elsewhere) candidates_.next();
  schedule_request();
}

/// No candidate has it yet: all are asked again until the hold ends.
void FillRunner::hold_or_fail(FillFailure failure) {
  candidates_.restart();
  const auto pause = candidates_.next_retry_delay();
  if (!pause) return fail(std::move(failure), true);
  timer_ = worker_.loop.after(*pause, [this] {
    parts_.metrics.retries.add();
    guard_memory([this] { request(); });
  });
}

void FillRunner::complete() {
  const auto now = parts_.clock.steady_now();
  parts_.metrics.stored.add();
  parts_.metrics.seconds.observe(std::chrono::duration<double>(now - candidates_.started()).count());
  fill_->finish(etag_of_body(sum_.value(), sum_.length()), base::unix_seconds(parts_.clock.wall_now()) - age_,
                sum_.value());
  end();
}

void FillRunner::fail(FillFailure failure, bool remember) {
  parts_.metrics.failed.add();
  parts_.metrics.failures.add();
  parts_.log.warning("cache_node", "fill_failed",
                     {{"object", loggable(fill_->key())},
                      {"reason", failure.reason},
                      {"error", failure.for_log()},
                      {"received", sum_.length()},
                      {"waiters", fill_->readers()}});
  // A node that was refused is not the last word, so the origin was asked again: once a second.
  const auto kept = is_refused_by_node_ ? std::max(settings_.keep_errors, kRefusalKept) : settings_.keep_errors;
  failure.stale_usable =
      remember ? parts_.index.abandon(*fill_, failure, parts_.clock.steady_now() + kept) : parts_.index.abandon(*fill_);
  if (parts_.index.sliced().find(fill_->key().id)) failure.stale_usable = true;
  fill_->fail(std::move(failure));
  end();
}

void FillRunner::end() {
  is_over_ = true;
  timer_.cancel();
  request_timer_.cancel();
  notify_timer_.cancel();
  parts_.disk.changed(fill_);
  on_over_();
}

}  // namespace tribune::cache_node
