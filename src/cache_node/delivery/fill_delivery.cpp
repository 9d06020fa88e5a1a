#include "cache_node/delivery/fill_delivery.h"

#include <algorithm>
#include <new>

#include "base/memory.h"
#include "http/problem.h"
#include "http/storing.h"

namespace tribune::cache_node {

namespace {
// With the head, each waiting client gets one packet's worth of the body before any client gets more: with 1,000
// waiting clients the last one has its first byte several times sooner.
constexpr std::uint64_t kFirstPart = 1024;

std::string_view log_value(const DeliveryFacts& facts) {
  return facts.outcome == CacheOutcome::held     ? facts.from_store.log_value
         : facts.outcome == CacheOutcome::waited ? "waited"
                                                 : "miss";
}
}  // namespace

FillDelivery::FillDelivery(net::EventLoop& loop, const base::Clock& clock, NodeMetrics& metrics, DeliveryFacts facts,
                           std::shared_ptr<Fill> fill, std::unique_ptr<net::Exchange> exchange,
                           std::function<void()> on_over)
    : loop_(loop),
      clock_(clock),
      metrics_(metrics),
      facts_(std::move(facts)),
      fill_(std::move(fill)),
      on_over_(std::move(on_over)),
      joined_at_(clock.steady_now()),
      pump_(std::move(exchange), metrics.sent_bytes, facts_.channel_bytes) {}

FillDelivery::~FillDelivery() {
  if (reader_) metrics_.waiters.add(-1);
}

bool FillDelivery::start() {
  reader_ = fill_->join(loop_, [this] { advance(); });
  if (!reader_) return false;
  metrics_.waiters.add(1);
  pump_.exchange().on_gone([this] {
    if (pump_.is_stopped()) return;
    metrics_.cut.add();
    end();
  });
  if (facts_.for_node)
    waiting_timer_ =
        loop_.after(fill_->lost_origin() ? std::chrono::milliseconds(0) : kNodeWaitLimit, [this] { reply_waiting(); });
  advance();
  return true;
}

void FillDelivery::reply_waiting() {
  if (pump_.is_stopped() || is_streaming_) return;
  if (fill_->lost_origin()) return fail(no_origin_failure());
  pump_.exchange().note.reason = "waiting";
  pump_.exchange().reply(answer_while_waiting());
  end();
}

void FillDelivery::advance() {
  if (pump_.is_stopped()) return;
  try {
    answer_or_send();
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
    metrics_.broken.add();
    pump_.abort();
    end();
  }
}

void FillDelivery::answer_or_send() {
  if (is_streaming_) return send();
  const auto view = fill_->view();
  if (view.phase == Fill::Phase::failed) return fail(view.failure);
  // The head waits for the first byte: until then a failure can be reported with a status.
  if (view.phase == Fill::Phase::asking || !can_answer(view)) return;
  begin_response(view);
}

/// Whether the response can begin: the length is known, or the response does not depend on it.
bool FillDelivery::can_answer(const Fill::View& view) const {
  return view.length || !needs_length(pump_.exchange().request(), view.head);
}

AnswerFacts FillDelivery::answer_facts(const Fill::View& view) const {
  const auto now = base::unix_seconds(clock_.wall_now());
  AnswerFacts facts;
  facts.node = facts_.node;
  facts.link_life = facts_.link_expires - now;
  facts.retention = facts_.retention;
  facts.for_node = facts_.for_node;
  facts.vary = facts_.for_node && view.not_kept == http::to_string(http::Storing::vary_any) ? "*" : facts_.vary;
  facts.age = view.phase == Fill::Phase::complete ? std::max<std::int64_t>(now - view.stored, 0) : -1;
  if (facts_.outcome == CacheOutcome::held) {
    facts.cache = facts_.from_store.cache;
    return facts;
  }
  facts.cache.forward = fill_->previous() ? http::Forward::stale : http::Forward::miss;
  facts.cache.forward_status = 200;
  facts.cache.collapsed = facts_.outcome == CacheOutcome::waited;
  // A body that is still arriving may break off, and is then not stored.
  facts.cache.stored = view.phase == Fill::Phase::complete && fill_->keeping() == Fill::Keeping::disk;
  facts.cache.detail = view.not_kept;
  return facts;
}

void FillDelivery::count_outcome(const Fill::View& view) {
  auto& note = pump_.exchange().note;
  note.node = facts_.node;
  note.cache = log_value(facts_);
  if (!view.not_kept.empty()) note.reason = view.not_kept;
  (facts_.outcome == CacheOutcome::held     ? metrics_.hits
   : facts_.outcome == CacheOutcome::waited ? metrics_.waited
                                            : metrics_.misses)
      .add();
  if (joined_at_ <= view.first_byte)
    metrics_.first_byte_lag.observe(std::chrono::duration<double>(clock_.steady_now() - view.first_byte).count());
}

void FillDelivery::begin_response(const Fill::View& view) {
  count_outcome(view);
  auto& exchange = pump_.exchange();
  if (!view.length) {
    auto response = answer_of_unknown_length(view.head, answer_facts(view));
    response.body = take_first_part();
    exchange.begin(std::move(response), std::nullopt);
    return wait_for_socket();
  }
  const auto& request = exchange.request();
  const auto choice = choose(request, view.head, *view.length);
  auto response = answer(choice, view.head, *view.length, answer_facts(view));
  if (choice.status != 200 && choice.status != 206) {
    exchange.reply(std::move(response));
    return end();
  }
  pump_.set_remaining(request.method == http::Method::head ? 0 : choice.length);
  reader_->skip_to(choice.part.first);
  response.body = take_first_part();
  exchange.begin(std::move(response), choice.length);
  if (pump_.is_stopped()) return;
  if (pump_.remaining() == 0 || view.phase == Fill::Phase::complete) return send();
  wait_for_socket();
}

/// The part of the body that goes out with the head. Empty when the reader has none; send() then handles the cause.
http::Body FillDelivery::take_first_part() {
  is_streaming_ = true;
  if (pump_.remaining() == 0) return {};
  const auto most = facts_.outcome == CacheOutcome::waited ? kFirstPart : BodyPump::kWindow;
  auto piece = reader_->take(std::min(pump_.remaining(), most));
  pump_.count(piece.length);
  return std::move(piece.body);
}

void FillDelivery::send() {
  using Outcome = BodyPump::Outcome;
  switch (pump_.send(*reader_, pump_.remaining(), [](Fill::Phase) {})) {
    case Outcome::window_full: return wait_for_socket();
    case Outcome::waiting:
    case Outcome::stopped: return;
    case Outcome::failed:
    case Outcome::lost: return cut();
    case Outcome::ended:  // the length of the body was not known
    case Outcome::sent: break;
  }
  pump_.exchange().finish();
  end();
}

/// Ends a response that has begun: destroying the exchange without finish() cuts the connection.
void FillDelivery::cut() {
  metrics_.cut.add();
  const auto failure = fill_->view().failure;
  metrics_.refused_with(failure.problem ? *failure.problem : http::problems::internal, failure.status);
  pump_.exchange().note.reason = "fill_failed";
  end();
}

void FillDelivery::wait_for_socket() {
  pump_.when_writable([this] { advance(); });
}

void FillDelivery::fail(const FillFailure& failure) {
  if (failure.stale_usable && on_stale_usable_) {
    auto exchange = take_exchange();
    end();
    return on_stale_usable_(std::move(exchange), failure);
  }
  auto& exchange = pump_.exchange();
  exchange.note.cache = log_value(facts_);
  exchange.note.node = facts_.node;
  reply_with_failure(exchange, metrics_, failure, facts_.for_node);
  end();
}

void FillDelivery::end() {
  pump_.stop();
  on_over_();
}

}  // namespace tribune::cache_node
