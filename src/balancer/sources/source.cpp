#include "balancer/sources/source.h"

#include <fmt/format.h>

#include <algorithm>

namespace tribune::balancer {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortestInterval{100};
constexpr milliseconds kLongestInterval{10'000};
constexpr milliseconds kMaxRetryAfter{1'000};  // the longest wait between two fetches of a failing source
constexpr milliseconds kFirstRetryAfter{250};
constexpr auto kForever = base::SteadyTime::max(), kNever = base::SteadyTime::min();

template <class Duration>
base::SteadyTime after(base::SteadyTime t, Duration d) {
  return t + std::chrono::duration_cast<base::SteadyTime::duration>(d);
}

}  // namespace

bool SourceFacts::contains(const BlockingReload& want) const { return ended || want.is_in(end_msn, trailing_parts); }

bool SourceFacts::is_too_far(const BlockingReload& want) const { return want.msn > end_msn + 1; }

base::Error too_far_ahead() {
  return {base::ErrorKind::invalid_input, base::Fault::client, false, "_HLS_msn is too far ahead of the playlist"};
}

std::int64_t SourceSlot::oldest_link_in_use(base::SteadyTime now, base::WallTime wall,
                                            std::int64_t link_lifetime_s) const {
  const auto oldest = oldest_link.load(std::memory_order_relaxed);
  const auto listed_for = listed_for_s.load(std::memory_order_relaxed);
  const bool is_in_use =
      now - last_requested() < std::chrono::milliseconds{used_for_ms.load(std::memory_order_relaxed)};
  if (is_in_use || listed_for == kNeverUnlisted) return oldest;
  if (listed_for == 0) return kNoLink;
  // What the next viewer finds listed was first listed within this time.
  return std::max(oldest, base::unix_seconds(wall) - listed_for + link_lifetime_s);
}

Source::Source(Environment& environment, std::shared_ptr<SourceSlot> slot, const SourceSettings& settings)
    : environment_(environment), slot_(std::move(slot)), settings_(settings) {}

Source::~Source() = default;

milliseconds Source::interval() const {
  const auto& facts = now_.facts;
  if (now_.is_failing) {
    const auto usual = now_.snapshot && !facts.is_multivariant ? facts.target_duration / 2 : kMaxRetryAfter;
    return std::clamp(std::min(usual, kFirstRetryAfter * now_.failures), kShortestInterval, kMaxRetryAfter);
  }
  if (!now_.snapshot) return kMaxRetryAfter;  // the response is not published yet
  if (facts.is_multivariant) return settings_.multivariant_age;
  if (facts.ended) return kLongestInterval;
  const bool by_parts = facts.part_target.count() > 0 && facts.can_block_reload;
  return std::clamp((by_parts ? facts.part_target : facts.target_duration) / 2, kShortestInterval, kLongestInterval);
}

milliseconds Source::idle_bound() const {
  if (now_.facts.is_multivariant) return milliseconds{0};
  return std::max<milliseconds>(3 * now_.facts.target_duration, milliseconds{3'000});
}

PlaylistAnswer Source::answer(bool stale, bool waited, std::optional<BlockingReload> want) const {
  return {now_.snapshot, stale, waited, want, now_.publication};
}

bool Source::is_wanted() const {
  return !waiters_.empty() || slot_->last_requested() >= fetch_started_ ||
         environment_.now() - slot_->last_requested() <= idle_bound();
}

void Source::request(Waiter waiter) {
  const auto now = environment_.now();
  if (is_closed_)
    return waiter.deliver(
        base::failure(base::ErrorKind::unavailable, base::Fault::tribune, "the source is closed", true));
  if (is_draining_) waiter.want.reset();
  const bool is_good = now_.snapshot && now < now_.good_until;
  if (now_.is_failing && !is_good && now < now_.retry_at && !is_busy_)
    return waiter.deliver(tl::unexpected(*now_.error));
  if (now_.is_failing && is_good && now < now_.retry_at && !waiter.want) return waiter.deliver(answer(true, false));
  if (waiter.want && !now_.snapshot) waiter.want.reset();  // the first snapshot answers it, whatever it contains
  waiters_.push_back(std::move(waiter));
  wake();
  tick();
}

void Source::wake() {
  if (is_awake_ || is_closed_) return;
  const auto now = environment_.now();
  is_awake_ = true;
  was_last_ = false;
  has_overslept_ = now_.snapshot && now >= now_.usable_until;
  // A playlist that was fetched within its interval is not fetched again at once.
  due_ = now_.is_failing ? now_.retry_at : now_.snapshot && !has_overslept_ ? after(fetch_started_, interval()) : now;
  publish();
  plan();
}

void Source::tick() {
  expire_waiters();
  answer_waiters();
  const auto now = environment_.now();
  if (is_awake_ && !is_busy_ && now >= due_) {
    if (is_wanted() || (!was_last_ && !now_.facts.is_multivariant && now_.snapshot)) {
      was_last_ = !is_wanted();
      start_fetch();
    } else {
      is_awake_ = false;
      publish();
    }
  }
  plan();
}

void Source::plan() {
  auto next = is_awake_ && !is_busy_ ? due_ : kForever;
  for (const auto& waiter : waiters_) next = std::min(next, waiter.deadline);
  if (next != kForever) environment_.schedule(next);
}

void Source::start_fetch() {
  is_busy_ = true;
  fetch_started_ = environment_.now();
  fetch_ =
      environment_.fetch(validators_, [this](base::Result<net::WholeAnswer> answer) { on_answer(std::move(answer)); });
}

void Source::on_answer(base::Result<net::WholeAnswer> answer) {
  const auto finished = std::move(fetch_);  // may be destroyed inside its own callback
  if (!answer) return fail(std::move(answer.error()));
  const auto status = answer->head.status;
  if (status == 304 && now_.snapshot) return confirm("unchanged", true);
  if (status != 200) {
    const bool is_broken = status < 400;
    return fail({is_broken ? base::ErrorKind::protocol : base::ErrorKind::unavailable, base::Fault::origin, true,
                 fmt::format("the origin responds with status {}", status)});
  }
  http::Headers validators;
  if (const auto etag = answer->head.headers.first("ETag")) validators.add("If-None-Match", *etag);
  if (const auto modified = answer->head.headers.first("Last-Modified")) validators.add("If-Modified-Since", *modified);
  environment_.parse(std::move(*answer), [this, validators = std::move(validators),
                                          alive = std::weak_ptr<int>(alive_)](base::Result<Refresh> refresh) {
    if (!alive.expired()) on_parsed(std::move(refresh), validators);
  });
}

void Source::on_parsed(base::Result<Refresh> refresh, http::Headers validators) {
  if (!refresh) return fail(std::move(refresh.error()));
  const auto result = refresh->result;
  const bool is_current = refresh->is_current;
  if (refresh->snapshot) {
    accept(std::move(*refresh));
    changed_ = environment_.now();
    stall_reported_ = false;
    validators_ = std::move(validators);
  }
  confirm(result, is_current);
}

void Source::accept(Refresh refresh) {
  now_.snapshot = std::move(refresh.snapshot);
  now_.publication = std::move(refresh.publication);
  now_.facts = std::move(refresh.facts);
}

void Source::confirm(std::string_view result, bool is_current) {
  const auto now = environment_.now();
  is_busy_ = false;
  if (is_current) has_overslept_ = false;
  if (now_.is_failing) environment_.on_recovered(now_.failures);
  now_.is_failing = false;
  now_.failures = 0;
  now_.error.reset();
  now_.confirmed = now;
  environment_.on_refreshed(result);
  const auto& facts = now_.facts;
  const auto unchanged = std::chrono::duration_cast<milliseconds>(now - changed_);
  if (now_.snapshot && !facts.is_multivariant && !facts.ended && !stall_reported_ &&
      unchanged > facts.target_duration * 5 / 2) {
    stall_reported_ = true;
    environment_.on_stalled(unchanged);
  }
  due_ = std::max(after(fetch_started_, interval()), after(now, kShortestInterval / 2));
  publish();
  answer_waiters();
  plan();
}

void Source::fail(base::Error error) {
  const auto now = environment_.now();
  is_busy_ = false;
  has_overslept_ = false;
  now_.is_failing = true;
  ++now_.failures;
  environment_.on_failed(error, now_.failures);
  now_.error = std::move(error);
  if (auto renewed = environment_.with_new_links()) accept(std::move(*renewed));
  now_.retry_at = due_ = after(now, interval());
  publish();
  const bool is_good = now_.snapshot && now < now_.good_until;
  for (auto& waiter : take_waiters()) {
    if (waiter.want && is_good)
      waiters_.push_back(std::move(waiter));  // the origin may recover before the deadline
    else if (is_good)
      waiter.deliver(answer(true, true));
    else
      waiter.deliver(tl::unexpected(*now_.error));
  }
  plan();
}

void Source::publish() {
  const auto& facts = now_.facts;
  const auto age = settings_.multivariant_age;
  if (facts.is_multivariant) {
    now_.fresh_until = after(now_.confirmed, age);
    now_.usable_until = after(now_.confirmed, 3 * age);
    now_.good_until = kForever;
  } else {
    now_.good_until = facts.ended
                          ? kForever
                          : after(now_.confirmed, std::max(environment_.stale_time(), facts.target_duration * 3 / 2));
    const auto asleep_until =
        facts.ended ? environment_.links_usable_until() : after(now_.confirmed, facts.target_duration);
    now_.usable_until = has_overslept_ ? kNever : is_awake_ ? now_.good_until : asleep_until;
    now_.fresh_until = is_awake_ ? now_.usable_until : kNever;  // an answer from memory wakes the source
  }
  slot_->state.publish(std::make_shared<const SourceState>(now_));
}

void Source::answer_waiters() {
  if (waiters_.empty() || !now_.snapshot) return;
  const auto now = environment_.now();
  // A request waits because the snapshot in memory was too old, so only a later refresh answers it.
  const bool is_current = now < now_.usable_until && !now_.is_failing;
  for (auto& waiter : take_waiters()) {
    const bool is_there = !waiter.want || now_.facts.contains(*waiter.want);
    if (is_current && is_there)
      waiter.deliver(answer(false, true, waiter.want));
    else if (is_current && now_.facts.is_too_far(*waiter.want))
      waiter.deliver(tl::unexpected(too_far_ahead()));
    else
      waiters_.push_back(std::move(waiter));
  }
}

void Source::expire_waiters() {
  const auto now = environment_.now();
  const bool is_good = now_.snapshot && now < now_.good_until;
  for (auto& waiter : take_waiters()) {
    if (now < waiter.deadline)
      waiters_.push_back(std::move(waiter));
    else if (is_good && now_.is_failing)
      waiter.deliver(answer(true, true));
    else if (waiter.want)
      waiter.deliver(base::failure(base::ErrorKind::unavailable, base::Fault::origin,
                                   "the awaited segment did not appear in time", true));
    else if (is_good)
      waiter.deliver(answer(true, true));
    else
      waiter.deliver(
          base::failure(base::ErrorKind::timeout, base::Fault::origin, "the origin did not answer in time", true));
  }
}

std::vector<Source::Waiter> Source::take_waiters() {
  std::vector<Waiter> waiting;
  waiting.swap(waiters_);
  return waiting;
}

void Source::drain() {
  is_draining_ = true;
  for (auto& waiter : waiters_) waiter.want.reset();
  tick();
}

void Source::close(const base::Error& error) {
  is_closed_ = true;
  is_awake_ = false;
  fetch_.reset();
  publish();
  for (auto& waiter : take_waiters()) waiter.deliver(tl::unexpected(error));
}

}  // namespace tribune::balancer
