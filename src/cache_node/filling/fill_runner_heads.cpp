// How a response head changes the fill: it continues, ends, or the next candidate is asked.
#include <fmt/format.h>

#include <utility>

#include "base/hash.h"
#include "cache_node/filling/fill_response.h"
#include "cache_node/filling/fill_runner.h"
#include "contracts/canonical.h"
#include "contracts/peer_mark.h"
#include "http/storing.h"

namespace tribune::cache_node {

namespace {
namespace problems = http::problems;
constexpr http::FreshnessRules kNoGuesses{std::chrono::seconds(0), std::chrono::seconds(0)};
}  // namespace

void FillRunner::on_head(const net::FetchHead& head) {
  has_head_ = true;
  // A failing origin sends 5xx; a node that sends any response is alive.
  if (candidate().is_node() || (head.status < 500 && !(head.status == 200 && must_see_bytes(head))))
    candidates_.answered();
  else if (head.status >= 500)
    candidates_.failed(fmt::format("the response has status {}", head.status));
  if (!candidate().is_node())
    parts_.origin_answers.add(source_.channel, base::TextHash{}(fill_->key().text), head.status);
  const bool waits = head.headers.first(contracts::kVerdictHeader).value_or("") == contracts::kVerdictWaiting;
  // The status of the origin does not show whether the route from this node works.
  if (!waits) parts_.metrics.count_result(candidate().is_node(), candidate().is_node() && head.status >= 500);
  const bool declined = candidate().is_node() && node_declined(head);
  if (!declined) source_.file ? slice_head(head) : feeding_ ? resumed_head(head) : first_head(head);
  if (unusable_head_) fetch_.reset();
}

/// Reads another node's verdict. True when the response cannot be used.
bool FillRunner::node_declined(const net::FetchHead& head) {
  if (head.status == 200 || ((feeding_ || source_.file) && head.status == 206) ||
      (source_.file && head.status == 416) || (is_conditional_ && head.status == 304))
    return false;
  const auto verdict = head.headers.first(contracts::kVerdictHeader).value_or("");
  const auto status = origin_status_of(head.headers);
  unusable_head_ = status ? failure_of_status(*status) : failure_of_node(candidate().name, head.status);
  const auto sliced = verdict == kVerdictSliced
                          ? contracts::read_decimal(head.headers.first(kSlicedLength).value_or(""))
                          : std::nullopt;
  if (sliced && *sliced > 0 && settings_.slice_bytes > 0 && !source_.file && !feeding_) {
    switch_to_slices(head, static_cast<std::uint64_t>(*sliced));
    return true;
  }
  if (verdict == contracts::kVerdictWaiting && candidates_.waits_for_node()) {
    parts_.metrics.waits.add();
    schedule_request();
  } else if (status && !feeding_ && !is_refusal(*status)) {
    fail(*unusable_head_, true);  // the node asked the origin, with the same hold and retries as this one
  } else {
    // The next candidate may still have it. A refusal may be meant for the address of that node.
    is_refused_by_node_ = is_refused_by_node_ || (status && is_refusal(*status));
    try_next(*unusable_head_);
  }
  return true;
}

/// The origin revalidated the stale object that the fill would have replaced.
void FillRunner::confirm_previous(const net::FetchHead& head) {
  auto terms = fill_->previous()->terms;
  if (source_.retention.asks_origin()) terms = http::updated(terms, stored_head(head));
  if (candidate().is_node()) terms.age = std::chrono::seconds(0);
  const auto age = candidate().is_node() ? http::age_of(head.headers).count() : 0;
  if (const auto object =
          parts_.index.revalidated(*fill_, base::unix_seconds(parts_.clock.wall_now()) - age, std::move(terms)))
    parts_.disk.revalidated(object);
  parts_.metrics.revalidated.add();
  unusable_head_ =
      FillFailure{&problems::origin_unavailable, "the origin answered 304, and the stored object no longer exists",
                  "revalidated", true, 304};
  fill_->fail(*unusable_head_);
  end();
}

/// Under retention "origin", a response that varies by fields that no rule names matches no later request.
http::StoredHead FillRunner::stored_head(const net::FetchHead& head) const {
  http::StoredHead stored{head.status, head.headers, requested_at_, parts_.clock.wall_now()};
  if (source_.retention.by == Retention::By::origin && !unlisted_fields(head.headers, source_.variant).empty())
    stored.headers.set("Vary", "*");
  return stored;
}

/// Warns the operator that viewers may get a response meant for others, and which fields vary_on should name.
void FillRunner::note_variants(const net::FetchHead& head) {
  if (candidate().is_node()) return;
  const auto fields = unlisted_fields(head.headers, source_.variant);
  if (fields.empty()) return;
  parts_.metrics.varied.add();
  const auto object = loggable(fill_->key());
  const auto channel = object.substr(0, object.find('/'));
  if (!parts_.varied.is_first(channel)) return;
  parts_.log.warning("cache_node", "origin_varies",
                     {{"channel", channel},
                      {"object", object},
                      {"fields", fmt::format("{}", fmt::join(fields, ", "))},
                      {"kept", source_.retention.by != Retention::By::origin}});
}

/// Stores the origin's terms with the object when the retention rule uses them.
void FillRunner::take_terms(ObjectHead& object, const net::FetchHead& head) const {
  if (!source_.retention.asks_origin()) return;
  object.terms = http::terms_of(stored_head(head));
  if (candidate().is_node())
    object.terms.age = std::chrono::seconds(0);  // included in the time at which it was complete
}

/// Under retention "origin", an object that the origin forbids caches to store is sent only to the waiting requests,
/// and the previous object is dropped.
void FillRunner::apply_storing_rules(const net::FetchHead& head) {
  if (source_.retention.by != Retention::By::origin) return;
  const auto storing = http::decide_storing(http::Method::get, {}, stored_head(head), kNoGuesses);
  if (storing == http::Storing::yes) return;
  if (const auto gone = parts_.index.forget_previous(*fill_)) parts_.disk.discard(gone);
  parts_.index.abandon(*fill_);
  fill_->keep_nothing(http::to_string(storing));
}

void FillRunner::first_head(const net::FetchHead& head) {
  if (head.status == 304 && is_conditional_) return confirm_previous(head);
  if (head.status != 200) {
    unusable_head_ = failure_of_status(head.status);
    if (is_refusal(head.status)) return on_refusal(*unusable_head_);
    if (is_about_to_exist(head.status)) return try_next(*unusable_head_);
    return fail(*unusable_head_, true);
  }
  const auto broken = [this, &head](std::string detail) {
    unusable_head_ = FillFailure{&problems::origin_broken, std::move(detail), "origin_broken", false, head.status};
    fail(*unusable_head_, true);
  };
  if (const auto why = unusable_body(head); !why.empty()) return broken(std::string(why));
  if (head.content_length.value_or(0) > settings_.max_object_bytes && !is_for_slices(head))
    return broken("the object is larger than max_object_bytes");
  if (!must_see_bytes(head)) return accept_head(head);
  unjudged_ = head;
}

/// Until the first bytes show that it may be media, no byte of the body reaches a viewer.
void FillRunner::judge_body(std::string_view bytes, bool is_end) {
  unjudged_bytes_.append(bytes);
  const auto kind = body_kind(*unjudged_, unjudged_bytes_, is_end);
  if (kind == BodyKind::more_bytes_needed) return;
  const auto head = std::move(*unjudged_);
  unjudged_.reset();
  if (kind == BodyKind::empty) return reject_body("the origin sent an empty body");
  if (kind == BodyKind::html_page) return reject_body("the origin sent an HTML page instead of media");
  if (!candidate().is_node()) candidates_.answered();
  accept_head(head);
  if (feeding_) feed(std::exchange(unjudged_bytes_, {}));
}

/// A failure of this candidate: the next one may have the media, or this one in a moment.
void FillRunner::reject_body(std::string_view why) {
  if (!candidate().is_node()) candidates_.failed(why, true);
  unusable_head_ = FillFailure{&problems::origin_broken, std::string(why), "origin_broken", false, 200};
  try_next(*unusable_head_);
}

void FillRunner::accept_head(const net::FetchHead& head) {
  note_variants(head);
  if (candidate().is_node() && origin_failure_ && is_refusal(origin_failure_->status))
    parts_.metrics.refused_alone.add();
  if (is_for_slices(head)) return switch_to_slices(head, *head.content_length);
  length_ = head.content_length;
  etag_ = head.headers.first("ETag").value_or("");
  feeding_ = true;
  feeding_candidate_ = candidates_.number();
  if (candidate().is_node()) age_ = http::age_of(head.headers).count();
  auto object = head_of(head.headers);
  take_terms(object, head);
  fill_->begin(std::move(object), length_);
  apply_storing_rules(head);
}

/// Whether the body is large enough for slices and the origin supports ranges.
bool FillRunner::is_for_slices(const net::FetchHead& head) const {
  if (settings_.slice_bytes == 0 || head.content_length.value_or(0) <= settings_.slice_above) return false;
  if (!offers_parts(head)) return false;
  return source_.retention.by != Retention::By::origin ||
         http::decide_storing(http::Method::get, {}, stored_head(head), kNoGuesses) == http::Storing::yes;
}

/// The file's head is enough: its body is not read, and the waiting requests are looked up again.
void FillRunner::switch_to_slices(const net::FetchHead& head, std::uint64_t size) {
  auto file = std::make_shared<SlicedFile>();
  file->key = fill_->key();
  file->head = head_of(head.headers);
  take_terms(file->head, head);
  file->size = size;
  file->slice_bytes = settings_.slice_bytes;
  file->seen =
      base::unix_seconds(parts_.clock.wall_now()) - (candidate().is_node() ? http::age_of(head.headers).count() : 0);
  parts_.index.sliced().put(std::move(file));
  if (const auto gone = parts_.index.forget_previous(*fill_)) parts_.disk.discard(gone);
  parts_.index.abandon(*fill_);
  unusable_head_ =
      FillFailure{&problems::origin_unavailable, "the object is stored in slices", "sliced", true, head.status};
  fill_->fail(*unusable_head_);
  end();
}

void FillRunner::slice_head(const net::FetchHead& head) {
  const auto& slice = source_.slice;
  if (is_part_of(*source_.file, {slice.first + sum_.length(), slice.last}, head)) {
    if (std::exchange(feeding_, true)) return;
    length_ = slice.length();
    etag_ = source_.file->head.etag;
    feeding_candidate_ = candidates_.number();
    auto object = source_.file->head;
    object.terms = {};  // the file has them, and the file is what is revalidated
    return fill_->begin(std::move(object), length_);
  }
  unusable_head_ = failure_of_status(head.status);
  if (head.status < 300 || head.status == 416) {
    // Another node may have another version for reasons of its own: the origin decides which one is current.
    return candidate().is_node() && candidates_.has_next() ? try_next(*unusable_head_) : on_file_changed();
  }
  if (is_refusal(head.status) && !feeding_) return on_refusal(*unusable_head_);
  if (is_about_to_exist(head.status))
    return feeding_ && !candidates_.has_next() ? fail(*unusable_head_, false) : try_next(*unusable_head_);
  fail(*unusable_head_, !feeding_);
}

/// Keeps bytes of another version out of the slice, and forgets the file.
void FillRunner::on_file_changed() {
  parts_.index.sliced().forget(source_.file);
  unusable_head_ =
      FillFailure{&problems::origin_broken, "the origin changed the file between two slices", "origin_changed"};
  fail(*unusable_head_, false);
}

/// The response to a resumed body. A 206 continues it; a 200 starts again and must repeat the received bytes.
void FillRunner::resumed_head(const net::FetchHead& head) {
  const Received here{sum_.length(), length_, etag_};
  const bool begins_anew = head.status == 200 && unusable_body(head).empty();
  if (head.status == 206 ? !continues_body(here, head)
                         : begins_anew && !may_repeat(here, candidates_.number() == feeding_candidate_, head)) {
    unusable_head_ =
        FillFailure{&problems::origin_broken, "the origin changed the object during the fill", "origin_changed"};
    return fail(*unusable_head_, false);
  }
  if (head.status == 206) return;
  if (begins_anew) {  // the bytes are compared, and the result is that candidate's whole body
    prefix_.emplace();
    return;
  }
  unusable_head_ = failure_of_status(head.status);
  if (candidates_.has_next()) return try_next(*unusable_head_);
  fail(*unusable_head_, false);
}

}  // namespace tribune::cache_node
