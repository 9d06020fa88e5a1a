// What the head of an answer makes of the fill: it goes on, ends, or the next place is asked.
#include <fmt/format.h>

#include <utility>

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

void FillRunner::head_came(const net::FetchHead& head) {
  answers_ = true;
  // An origin that breaks down says 5xx; a node that says anything is there.
  if (place().is_node() || head.status < 500)
    turns_.answered();
  else
    turns_.failed(fmt::format("it answered {}", head.status));
  const bool waits = head.headers.first(contracts::kVerdictHeader).value_or("") == contracts::kVerdictWaiting;
  // What the origin itself answers says nothing against this node's way to it.
  if (!waits) parts_.metrics.asked_in_vain(place().is_node(), place().is_node() && head.status >= 500);
  const bool declined = place().is_node() && node_declined(head);
  if (!declined) source_.file ? slice_head(head) : feeding_ ? resumed_head(head) : first_head(head);
  if (refusal_) fetch_.reset();
}

/// What another node says beside a body. True when it was no answer to go on with.
bool FillRunner::node_declined(const net::FetchHead& head) {
  if (head.status == 200 || ((feeding_ || source_.file) && head.status == 206) ||
      (source_.file && head.status == 416) || (is_conditional_ && head.status == 304))
    return false;
  const auto verdict = head.headers.first(contracts::kVerdictHeader).value_or("");
  const auto status = origin_status_of(head.headers);
  refusal_ = status ? failure_of_status(*status) : failure_of_node(place().name, head.status);
  const auto sliced = verdict == kVerdictSliced
                          ? contracts::read_decimal(head.headers.first(kSlicedLength).value_or(""))
                          : std::nullopt;
  if (sliced && *sliced > 0 && settings_.slice_bytes > 0 && !source_.file && !feeding_) {
    go_in_slices(head, static_cast<std::uint64_t>(*sliced));
    return true;
  }
  if (verdict == contracts::kVerdictWaiting && turns_.waits_for_node()) {
    parts_.metrics.waits.add();
    ask_soon();
  } else if (status && !feeding_) {
    fail(*refusal_, true);  // it asked the origin, and held and retried as we would
  } else {
    pass_over(*refusal_);  // what it could not get says nothing of what the next one can
  }
  return true;
}

/// The stale object, which the fill would have replaced, is right after all.
void FillRunner::nothing_changed(const net::FetchHead& head) {
  auto terms = fill_->previous()->terms;
  if (source_.keep.asks_origin()) terms = http::updated(terms, stored_head(head));
  if (place().is_node()) terms.age = std::chrono::seconds(0);
  const auto age = place().is_node() ? http::age_of(head.headers).count() : 0;
  if (const auto object =
          parts_.index.revalidated(*fill_, base::unix_seconds(parts_.clock.wall_now()) - age, std::move(terms)))
    parts_.disk.revalidated(object);
  parts_.metrics.revalidated.add();
  refusal_ = FillFailure{&problems::origin_unavailable, "the origin says that nothing changed, and the object is gone",
                         "revalidated", true, 304};
  fill_->fail(*refusal_);
  over();
}

/// Where the origin's word counts to the letter, an answer for requests that this node does not tell apart matches no
/// later one.
http::StoredHead FillRunner::stored_head(const net::FetchHead& head) const {
  http::StoredHead stored{head.status, head.headers, asked_, parts_.clock.wall_now()};
  if (source_.keep.by == Retention::By::origin && !untold_fields(head.headers, source_.variant).empty())
    stored.headers.set("Vary", "*");
  return stored;
}

/// That its viewers may get what was meant for others is the operator's to know, and to say what tells them apart
/// (vary_on).
void FillRunner::note_variants(const net::FetchHead& head) {
  if (place().is_node()) return;
  const auto fields = untold_fields(head.headers, source_.variant);
  if (fields.empty()) return;
  parts_.metrics.varied.add();
  const auto object = loggable(fill_->key());
  const auto channel = object.substr(0, object.find('/'));
  if (!parts_.varied.is_first(channel)) return;
  parts_.log.warning("cache_node", "origin_varies",
                     {{"channel", channel},
                      {"object", object},
                      {"fields", fmt::format("{}", fmt::join(fields, ", "))},
                      {"kept", source_.keep.by != Retention::By::origin}});
}

/// What the origin tells caches stays with the object where it counts.
void FillRunner::take_terms(ObjectHead& object, const net::FetchHead& head) const {
  if (!source_.keep.asks_origin()) return;
  object.terms = http::terms_of(stored_head(head));
  if (place().is_node()) object.terms.age = std::chrono::seconds(0);  // in the time at which it was complete
}

/// Where the origin's word counts to the letter, what it wants kept by nobody goes to those who wait, and what was
/// there before is no longer right either.
void FillRunner::keep_as_allowed(const net::FetchHead& head) {
  if (source_.keep.by != Retention::By::origin) return;
  const auto storing = http::decide_storing(http::Method::get, {}, stored_head(head), kNoGuesses);
  if (storing == http::Storing::yes) return;
  if (const auto gone = parts_.index.forget_previous(*fill_)) parts_.disk.discard(gone);
  parts_.index.abandon(*fill_);
  fill_->keep_nothing(http::to_string(storing));
}

void FillRunner::first_head(const net::FetchHead& head) {
  if (head.status == 304 && is_conditional_) return nothing_changed(head);
  if (head.status != 200) {
    refusal_ = failure_of_status(head.status);
    if (is_about_to_exist(head.status)) return pass_over(*refusal_);
    return fail(*refusal_, true);
  }
  const auto broken = [this, &head](std::string detail) {
    refusal_ = FillFailure{&problems::origin_broken, std::move(detail), "origin_broken", false, head.status};
    fail(*refusal_, true);
  };
  if (const auto why = unusable_body(head); !why.empty()) return broken(std::string(why));
  note_variants(head);
  if (is_for_slices(head)) return go_in_slices(head, *head.content_length);
  if (head.content_length && *head.content_length > settings_.max_object_bytes)
    return broken("the object is larger than max_object_bytes");
  length_ = head.content_length;
  etag_ = head.headers.first("ETag").value_or("");
  feeding_ = true;
  feeding_place_ = turns_.number();
  if (place().is_node()) age_ = http::age_of(head.headers).count();
  auto object = head_of(head.headers);
  take_terms(object, head);
  fill_->begin(std::move(object), length_);
  keep_as_allowed(head);
}

/// A body so large, and an origin that hands out parts of it.
bool FillRunner::is_for_slices(const net::FetchHead& head) const {
  if (settings_.slice_bytes == 0 || head.content_length.value_or(0) <= settings_.slice_above) return false;
  if (!offers_parts(head)) return false;
  return source_.keep.by != Retention::By::origin ||
         http::decide_storing(http::Method::get, {}, stored_head(head), kNoGuesses) == http::Storing::yes;
}

/// What is known of the file is enough: its body is not read, and whoever waits looks it up again.
void FillRunner::go_in_slices(const net::FetchHead& head, std::uint64_t size) {
  auto file = std::make_shared<SlicedFile>();
  file->key = fill_->key();
  file->head = head_of(head.headers);
  take_terms(file->head, head);
  file->size = size;
  file->slice_bytes = settings_.slice_bytes;
  file->seen =
      base::unix_seconds(parts_.clock.wall_now()) - (place().is_node() ? http::age_of(head.headers).count() : 0);
  parts_.index.sliced().put(std::move(file));
  if (const auto gone = parts_.index.forget_previous(*fill_)) parts_.disk.discard(gone);
  parts_.index.abandon(*fill_);
  refusal_ = FillFailure{&problems::origin_unavailable, "it is kept in slices", "sliced", true, head.status};
  fill_->fail(*refusal_);
  over();
}

void FillRunner::slice_head(const net::FetchHead& head) {
  const auto& slice = source_.slice;
  if (is_part_of(*source_.file, {slice.first + sum_.length(), slice.last}, head)) {
    if (std::exchange(feeding_, true)) return;
    length_ = slice.length();
    etag_ = source_.file->head.etag;
    feeding_place_ = turns_.number();
    auto object = source_.file->head;
    object.terms = {};  // the file's, and it is the file that is asked about
    return fill_->begin(std::move(object), length_);
  }
  refusal_ = failure_of_status(head.status);
  if (head.status < 300 || head.status == 416) {
    // Another node may hold another version for its own reasons: the origin says which one is right.
    return place().is_node() && turns_.has_next() ? pass_over(*refusal_) : file_changed();
  }
  if (is_about_to_exist(head.status))
    return feeding_ && !turns_.has_next() ? fail(*refusal_, false) : pass_over(*refusal_);
  fail(*refusal_, !feeding_);
}

/// No bytes of another version come into the slice, and nobody takes the file for what it was.
void FillRunner::file_changed() {
  parts_.index.sliced().forget(source_.file);
  refusal_ = FillFailure{&problems::origin_broken, "the origin changed the file between its slices", "origin_changed"};
  fail(*refusal_, false);
}

/// The second answer for a body that broke off. 206 goes on where it broke; 200 begins anew and must repeat what is
/// here.
void FillRunner::resumed_head(const net::FetchHead& head) {
  const Received here{sum_.length(), length_, etag_};
  const bool begins_anew = head.status == 200 && unusable_body(head).empty();
  if (head.status == 206 ? !goes_on(here, head)
                         : begins_anew && !may_repeat(here, turns_.number() == feeding_place_, head)) {
    refusal_ = FillFailure{&problems::origin_broken, "the origin changed the bytes in mid-fill", "origin_changed"};
    return fail(*refusal_, false);
  }
  if (head.status == 206) return;
  if (begins_anew) {  // the bytes decide, and what comes out is that place's whole body
    prefix_.emplace();
    return;
  }
  refusal_ = failure_of_status(head.status);
  if (turns_.has_next()) return pass_over(*refusal_);
  fail(*refusal_, false);
}

}  // namespace tribune::cache_node
