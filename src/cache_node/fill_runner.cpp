#include "cache_node/fill_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "base/memory.h"
#include "cache_node/fill_answer.h"

namespace tribune::cache_node {

namespace problems = http::problems;

namespace {
// The disk's thread is called for so much at once, or for less after so long: each call is two changes of threads.
constexpr std::uint64_t kWorthWriting = 256 * 1024;
constexpr std::chrono::milliseconds kUntoldFor{20};
}  // namespace

FillRunner::FillRunner(const FillParts& parts, runtime::Worker& worker, FillSettings settings, FillSource source, std::shared_ptr<Fill> fill,
                       std::function<void()> on_over)
    : parts_(parts), worker_(worker), settings_(settings), source_(std::move(source)), fill_(std::move(fill)),
      on_over_(std::move(on_over)), turns_(source_.places, parts.circuits, parts.clock, settings_) {}

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
  const bool found = turns_.find_one_to_ask();
  FillFailure left_alone{turns_.answers_badly() ? &problems::origin_broken : &problems::origin_unavailable,
                         "the origin failed too often and is left alone for a moment", "circuit_open"};
  if (!turns_.is_last_resort()) left_alone.cause = place().name + " failed too often and is left alone for a moment";
  if (turns_.is_last_resort()) note_lost_origin(left_alone);
  if (found) return send(place());
  parts_.metrics.asked_in_vain(!turns_.is_last_resort() && place().is_node(), true);
  blame_ ? give_up() : hold_or_fail(std::move(left_alone));
}

void FillRunner::send(const Place& to) {
  answers_ = false;
  is_conditional_ = false;
  asked_ = parts_.clock.wall_now();
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
  request.max_body_bytes = std::numeric_limits<std::int64_t>::max();   // looked at with the head, and as bytes come
  if (source_.file || (feeding_ && is_strong(etag_))) {
    add_range(request.headers);
  } else if (!feeding_ && fill_->previous()) {
    const auto conditions = conditions_of(*fill_->previous(), to.is_node());
    is_conditional_ = !conditions.empty();
    for (const auto& field : conditions.all()) request.headers.add(field.name, field.value);
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

/// From inside a callback of the fetch, which ends here.
void FillRunner::ask_soon() {
  again_ = worker_.loop.after(std::chrono::milliseconds(0), [this] { as_memory_lasts([this] { ask(); }); });
}

/// This place does not have it: the next one may. After the last, who is to blame is told, or all are asked again.
void FillRunner::pass_over(FillFailure failure) {
  if (!turns_.has_next()) return blame_ ? give_up() : hold_or_fail(std::move(failure));
  parts_.metrics.passed_over.add();
  parts_.log.debug("cache_node", "fill_passes_over", {{"object", loggable(fill_->key())}, {"place", place().name}, {"reason", failure.reason}, {"error", failure.for_log()}});
  turns_.next();
  ask_soon();
}

void FillRunner::note_lost_origin(const FillFailure& why) {
  if (blame_) return;
  blame_ = why;
  fill_->lose_origin();
  parts_.metrics.lost_origins.add();
}

/// Nobody of the last resort had it either. An origin that is only left alone may be asked again in a moment.
void FillRunner::give_up() {
  const auto blame = *blame_;
  blame.reason == "circuit_open" ? hold_or_fail(blame) : fail(blame, true);
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
  tell_disk_sometimes(bytes.size());
  return net::Flow::go_on;
}

void FillRunner::tell_disk_sometimes(std::uint64_t bytes) {
  untold_ += bytes;
  if (untold_ >= kWorthWriting) return tell_disk();
  if (!tell_.pending()) tell_ = worker_.loop.after(kUntoldFor, [this] {
    if (untold_ > 0) tell_disk();
  });
}

void FillRunner::tell_disk() {
  untold_ = 0;
  parts_.disk.changed(fill_);
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
  tell_disk();
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
    if (!answers_) parts_.metrics.asked_in_vain(place().is_node(), true);
    if (kind == base::ErrorKind::timeout || (!answers_ && kind != base::ErrorKind::forbidden)) turns_.failed(result.error().text, kind == base::ErrorKind::protocol);
    if (feeding_) return broke_off(result.error());
    const auto failure = failure_of(result.error());
    if (turns_.has_next()) return pass_over(failure);
    if (!answers_ && turns_.begin_last_resort()) {
      note_lost_origin(failure);
      return pass_over(failure);
    }
    if (blame_) return give_up();
    if (result.error().may_retry && turns_.may_retry()) {
      parts_.metrics.retries.add();
      turns_.begin_again();
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
  const bool elsewhere = turns_.has_next();   // a body that broke off at one place may go on at the next
  const bool nothing_missing = length_ && have >= *length_;   // it went on beyond its end: there is nothing to ask for
  if (nothing_missing || error.kind == base::ErrorKind::too_large || error.kind == base::ErrorKind::forbidden ||
      resumes_ >= settings_.max_resumes + static_cast<std::int64_t>(turns_.number()) || (!got_further && !elsewhere)) {
    // Nothing went out yet where nothing came in: the next request may try at once.
    return fail(failure_of(error), have == 0);
  }
  ++resumes_;
  received_at_resume_ = have;
  parts_.metrics.resumes.add();
  parts_.log.info("cache_node", "fill_resumed", {{"object", loggable(fill_->key())}, {"received", have}, {"place", place().name}, {"error", error.text}});
  if (elsewhere) turns_.next();
  ask_soon();
}

/// Nobody has it yet: all are asked again while it is worth waiting.
void FillRunner::hold_or_fail(FillFailure failure) {
  turns_.begin_again();
  const auto pause = turns_.next_pause();
  if (!pause) return fail(std::move(failure), true);
  timer_ = worker_.loop.after(*pause, [this] {
    parts_.metrics.retries.add();
    as_memory_lasts([this] { ask(); });
  });
}

void FillRunner::complete() {
  const auto now = parts_.clock.steady_now();
  parts_.metrics.stored.add();
  parts_.metrics.seconds.observe(std::chrono::duration<double>(now - turns_.started()).count());
  fill_->finish(etag_of_body(sum_.value(), sum_.length()), base::unix_seconds(parts_.clock.wall_now()) - age_, sum_.value());
  over();
}

void FillRunner::fail(FillFailure failure, bool remember) {
  parts_.metrics.failed.add();
  parts_.metrics.failures.add();
  parts_.log.warning("cache_node", "fill_failed", {{"object", loggable(fill_->key())}, {"reason", failure.reason}, {"error", failure.for_log()},
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
  tell_.cancel();
  parts_.disk.changed(fill_);
  on_over_();
}

}  // namespace tribune::cache_node
