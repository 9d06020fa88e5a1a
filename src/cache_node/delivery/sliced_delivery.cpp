#include "cache_node/delivery/sliced_delivery.h"

#include <algorithm>
#include <new>

#include "base/memory.h"
#include "contracts/peer_mark.h"
#include "http/problem.h"

namespace tribune::cache_node {

namespace {
constexpr int kMaxSliceAttempts = 3;  // a slice that disappears during its look-up is looked up again
}  // namespace

SlicedDelivery::SlicedDelivery(SlicedDeliveryContext context, DeliveryFacts facts, SlicedFilePtr file,
                               std::unique_ptr<net::Exchange> exchange, std::function<void()> on_over)
    : context_(std::move(context)),
      facts_(std::move(facts)),
      file_(std::move(file)),
      on_over_(std::move(on_over)),
      pump_(std::move(exchange), context_.metrics.sent_bytes, facts_.channel_bytes) {}

SlicedDelivery::~SlicedDelivery() { leave_fill(); }

void SlicedDelivery::start() {
  pump_.exchange().on_gone([this] {
    if (pump_.is_stopped()) return;
    context_.metrics.cut.add();
    end();
  });
  const auto& request = pump_.exchange().request();
  choice_ = choose(request, file_->head, file_->size);
  pump_.set_remaining(request.method == http::Method::head ? 0 : choice_.length);
  if (facts_.for_node && choice_.status == 200 && pump_.remaining() > 0) return reply_sliced();
  if (pump_.remaining() == 0) return begin_response(CacheOutcome::held);
  if (facts_.for_node) waiting_timer_ = context_.loop.after(kNodeWaitLimit, [this] { reply_waiting(); });
  advance();
}

/// The offset in the file of the first byte that the pump has not queued yet.
std::uint64_t SlicedDelivery::position() const { return choice_.part.first + (choice_.length - pump_.remaining()); }

http::ByteRange SlicedDelivery::current_slice() const { return file_->slice(file_->slice_at(position())); }

void SlicedDelivery::advance() {
  if (pump_.is_stopped()) return;
  try {
    reader_ ? send() : next_slice();
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
    context_.metrics.broken.add();
    pump_.abort();
    end();
  }
}

void SlicedDelivery::next_slice() {
  while (!pump_.is_stopped() && !reader_) {
    if (pump_.is_window_full()) return wait_for_socket();
    if (++attempts_ > kMaxSliceAttempts)
      return fail({&http::problems::overloaded, "a slice was removed during the lookup", "overloaded"});
    const auto found = context_.find(file_->slice_at(position()));
    if (const auto* failure = std::get_if<FillFailure>(&found)) return fail(*failure);
    if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found)) {
      join(*joined);
      continue;
    }
    const auto& object = std::get<ObjectPtr>(found);
    if (!object->verified) {
      return context_.disk_maintenance.check(object, context_.loop, [this, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.lock()) advance();
      });
    }
    send_stored(object);
  }
}

void SlicedDelivery::send_stored(const ObjectPtr& object) {
  const auto slice = current_slice();
  auto file = context_.open_files.open(object);
  if (!file && file.error().kind == base::ErrorKind::unavailable)
    return fail(
        {&http::problems::overloaded, "this node has no free file descriptors for another file", "descriptors_spent"});
  if (!file || object->size != slice.length())
    return context_.disk_maintenance.damaged(
        object, file ? "the length of a slice differs from its record" : file.error().text);
  if (!is_streaming_) begin_response(CacheOutcome::held);
  if (pump_.is_stopped()) return;
  const auto from = position();
  const auto length = std::min(pump_.remaining(), slice.last - from + 1);
  pump_.write(base::FileSlice{std::move(*file), from - slice.first, length}, length);
  if (pump_.is_stopped()) return;
  attempts_ = 0;
  if (pump_.remaining() == 0) finish();
}

void SlicedDelivery::join(const ObjectIndex::Joined& joined) {
  reader_ = joined.fill->join(context_.loop, [this] { advance(); });
  if (!reader_) return;
  fill_ = joined.fill;
  context_.metrics.waiters.add(1);
  reader_->skip_to(position() - current_slice().first);
  began_fill_ = joined.began;
  // The timer runs at the next turn of the loop, not inside this call: the bytes may have arrived already.
  if (facts_.for_node && !is_streaming_ && fill_->lost_origin())
    waiting_timer_ = context_.loop.after(std::chrono::milliseconds(0), [this] { reply_waiting(); });
  send();
}

void SlicedDelivery::send() {
  using Outcome = BodyPump::Outcome;
  const auto before = pump_.remaining();
  const auto outcome =
      pump_.send(*reader_, std::min(before, current_slice().last + 1 - position()), [this](Fill::Phase phase) {
        if (is_streaming_) return;
        begin_response(began_fill_                      ? CacheOutcome::began
                       : phase == Fill::Phase::complete ? CacheOutcome::held
                                                        : CacheOutcome::waited);
      });
  if (pump_.remaining() < before) attempts_ = 0;
  switch (outcome) {
    case Outcome::window_full: return wait_for_socket();
    case Outcome::waiting:
    case Outcome::stopped: return;
    case Outcome::lost:
      return fail({&http::problems::origin_broken, "bytes of the slice are no longer available", "fill_failed"});
    case Outcome::failed: return fail(fill_->view().failure);
    case Outcome::ended:  // shorter than the slice: it is looked up again, at most kMaxSliceAttempts times
    case Outcome::sent: leave_fill();
  }
  if (pump_.remaining() == 0) return finish();
  next_slice();
}

AnswerFacts SlicedDelivery::answer_facts() const {
  const auto now = base::unix_seconds(context_.clock.wall_now());
  AnswerFacts facts;
  facts.node = facts_.node;
  facts.age = std::max<std::int64_t>(now - file_->seen, 0);
  facts.link_life = facts_.link_expires - now;
  facts.retention = facts_.retention;
  facts.for_node = facts_.for_node;
  facts.vary = facts_.vary;
  facts.cache = facts_.from_store.cache;
  return facts;
}

/// A node that requests the whole file gets the file's fields and length instead. It then requests the slices, so that
/// this node fetches none that belong to other nodes.
void SlicedDelivery::reply_sliced() {
  auto response = answer(choice_, file_->head, file_->size, answer_facts());
  response.status = http::problems::node_unavailable.status;
  response.headers.add(contracts::kVerdictHeader, kVerdictSliced);
  response.headers.add(kSlicedLength, std::to_string(file_->size));
  pump_.exchange().note.reason = kVerdictSliced;
  pump_.exchange().reply(std::move(response));
  end();
}

/// Sends the head. Cache-Status describes the first slice.
void SlicedDelivery::begin_response(CacheOutcome outcome) {
  auto facts = answer_facts();
  auto& exchange = pump_.exchange();
  auto& metrics = context_.metrics;
  const bool is_held = outcome == CacheOutcome::held, began = outcome == CacheOutcome::began;
  exchange.note.node = facts_.node;
  exchange.note.cache = is_held ? facts_.from_store.log_value : began ? "miss" : "waited";
  (is_held ? metrics.hits : began ? metrics.misses : metrics.waited).add();
  if (!is_held) {
    facts.cache = {};
    facts.cache.forward = http::Forward::partial;
    facts.cache.forward_status = 206;
    facts.cache.collapsed = !began;
  }
  auto response = answer(choice_, file_->head, file_->size, facts);
  const bool has_body = choice_.status == 200 || choice_.status == 206;
  is_streaming_ = true;
  waiting_timer_.cancel();
  if (!has_body) {
    exchange.reply(std::move(response));
    return end();
  }
  exchange.begin(std::move(response), choice_.length);
  if (!pump_.is_stopped() && pump_.remaining() == 0) finish();
}

void SlicedDelivery::wait_for_socket() {
  pump_.when_writable([this] { advance(); });
}

void SlicedDelivery::fail(const FillFailure& failure) {
  leave_fill();
  if (is_streaming_) {
    context_.metrics.cut.add();
    context_.metrics.refused_with(*failure.problem, failure.status);
    pump_.exchange().note.reason = failure.reason;
    return end();  // destroying the exchange without finish() cuts the connection
  }
  auto exchange = pump_.take_exchange();
  end();
  if (failure.reason == "origin_changed") return context_.on_changed(std::move(exchange));
  reply_with_failure(*exchange, context_.metrics, failure, facts_.for_node);
}

void SlicedDelivery::reply_waiting() {
  if (pump_.is_stopped() || is_streaming_) return;
  if (fill_ && fill_->lost_origin()) return fail(no_origin_failure());
  pump_.exchange().note.reason = "waiting";
  pump_.exchange().reply(answer_while_waiting());
  end();
}

void SlicedDelivery::leave_fill() {
  if (!reader_) return;
  context_.metrics.waiters.add(-1);
  reader_.reset();
  fill_.reset();
}

void SlicedDelivery::finish() {
  pump_.exchange().finish();
  end();
}

void SlicedDelivery::end() {
  if (pump_.is_stopped()) return;
  pump_.stop();
  on_over_();
}

}  // namespace tribune::cache_node
