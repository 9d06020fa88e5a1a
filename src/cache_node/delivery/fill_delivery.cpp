#include "cache_node/delivery/fill_delivery.h"

#include <algorithm>
#include <limits>
#include <new>

#include "base/memory.h"
#include "cache_node/filling/fill_response.h"
#include "http/problem.h"
#include "http/storing.h"

namespace tribune::cache_node {

namespace {
// A queued piece is a reference to shared bytes or to the file; ahead of the socket only as far as keeps it busy.
constexpr std::uint64_t kMostAhead = 256 * 1024;
constexpr std::uint64_t kLowWater = 64 * 1024;
// All who wait get a packet's worth before any of them gets more: the last of a thousand has its first byte several
// times sooner.
constexpr std::uint64_t kFirstPart = 1024;
// Less than any node's answer_timeout: it must not take a node that waits for one that is dead.
constexpr std::chrono::milliseconds kNodePatience{300};
constexpr std::uint64_t kUnknown = std::numeric_limits<std::uint64_t>::max();

std::string_view to_string(const DeliveryFacts& facts) {
  return facts.met == CacheOutcome::held ? facts.served.word : facts.met == CacheOutcome::waited ? "waited" : "miss";
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
      exchange_(std::move(exchange)),
      on_over_(std::move(on_over)),
      joined_(clock.steady_now()) {}

FillDelivery::~FillDelivery() {
  if (reader_) metrics_.waiters.add(-1);
}

bool FillDelivery::start() {
  reader_ = fill_->join(loop_, [this] { advance(); });
  if (!reader_) return false;
  metrics_.waiters.add(1);
  exchange_->on_gone([this] {
    if (is_over_) return;
    metrics_.cut.add();
    over();
  });
  if (facts_.for_node)
    patience_ =
        loop_.after(fill_->lost_origin() ? std::chrono::milliseconds(0) : kNodePatience, [this] { say_waiting(); });
  advance();
  return true;
}

void FillDelivery::say_waiting() {
  if (is_over_ || streaming_) return;
  const FillFailure lost{&http::problems::origin_unavailable, "this node does not reach the origin", "no_origin"};
  if (fill_->lost_origin()) return refuse(lost);
  exchange_->note.reason = "waiting";
  exchange_->reply(answer_while_waiting());
  over();
}

void FillDelivery::advance() {
  if (is_over_) return;
  try {
    go_on();
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
    metrics_.broken.add();
    exchange_.reset();  // says so, or cuts
    over();
  }
}

void FillDelivery::go_on() {
  if (streaming_) return pump();
  const auto view = fill_->view();
  if (view.phase == Fill::Phase::failed) return refuse(view.failure);
  // Nothing before the first byte: until then a failure can still be told as one.
  if (view.phase == Fill::Phase::asking || !has_enough(view)) return;
  decide(view);
}

/// Whether the question can be answered now: with the length known, always; without it, what a range asks must be
/// known.
bool FillDelivery::has_enough(const Fill::View& view) const {
  return view.length || !needs_length(exchange_->request(), view.head);
}

AnswerFacts FillDelivery::facts(const Fill::View& view) const {
  const auto now = base::unix_seconds(clock_.wall_now());
  AnswerFacts facts;
  facts.node = facts_.node;
  facts.link_life = facts_.link_expires - now;
  facts.keep = facts_.keep;
  facts.for_node = facts_.for_node;
  facts.vary = facts_.for_node && view.not_kept == http::to_string(http::Storing::vary_any) ? "*" : facts_.vary;
  facts.age = view.phase == Fill::Phase::complete ? std::max<std::int64_t>(now - view.stored, 0) : -1;
  if (facts_.met == CacheOutcome::held) {
    facts.cache = facts_.served.cache;
    return facts;
  }
  facts.cache.forward = fill_->previous() ? http::Forward::stale : http::Forward::miss;
  facts.cache.forward_status = 200;
  facts.cache.collapsed = facts_.met == CacheOutcome::waited;
  facts.cache.stored = fill_->keeping() == Fill::Keeping::disk;
  facts.cache.detail = view.not_kept;
  return facts;
}

void FillDelivery::decide(const Fill::View& view) {
  exchange_->note.node = facts_.node;
  exchange_->note.cache = to_string(facts_);
  if (!view.not_kept.empty()) exchange_->note.reason = view.not_kept;
  (facts_.met == CacheOutcome::held     ? metrics_.hits
   : facts_.met == CacheOutcome::waited ? metrics_.waited
                                        : metrics_.misses)
      .add();
  if (joined_ <= view.first_byte)
    metrics_.first_byte_lag.observe(std::chrono::duration<double>(clock_.steady_now() - view.first_byte).count());
  if (!view.length) {
    left_ = kUnknown;
    auto response = answer_of_unknown_length(view.head, facts(view));
    response.body = first_part();
    exchange_->begin(std::move(response), std::nullopt);
    return wait_for_socket();
  }
  const auto& request = exchange_->request();
  const auto choice = choose(request, view.head, *view.length);
  auto response = answer(choice, view.head, *view.length, facts(view));
  if (choice.status != 200 && choice.status != 206) {
    exchange_->reply(std::move(response));
    return over();
  }
  left_ = request.method == http::Method::head ? 0 : choice.length;
  reader_->skip_to(choice.part.first);
  response.body = first_part();
  exchange_->begin(std::move(response), choice.length);
  if (is_over_) return;
  if (left_ == 0 || view.phase == Fill::Phase::complete) return pump();
  wait_for_socket();
}

/// What goes out with the head. Nothing when it is not here: then pump() meets the reason.
http::Body FillDelivery::first_part() {
  streaming_ = true;
  if (left_ == 0) return {};
  const auto now = reader_->take(std::min(left_, facts_.met == CacheOutcome::waited ? kFirstPart : kMostAhead));
  count(now.length);
  return now.body;
}

void FillDelivery::count(std::uint64_t bytes) {
  if (left_ != kUnknown) left_ -= bytes;
  metrics_.sent_bytes.add(static_cast<double>(bytes));
  if (facts_.channel_bytes) facts_.channel_bytes->fetch_add(bytes, std::memory_order_relaxed);
}

void FillDelivery::pump() {
  while (left_ > 0 && exchange_->unsent() < kMostAhead) {
    auto piece = reader_->take(std::min(left_, kMostAhead));
    if (piece.lost || piece.phase == Fill::Phase::failed) {
      metrics_.cut.add();
      const auto failure = fill_->view().failure;
      metrics_.refused_with(failure.problem ? *failure.problem : http::problems::internal, failure.status);
      exchange_->note.reason = "fill_failed";
      return over();  // streaming: destroying the exchange cuts the connection
    }
    if (piece.length == 0) {
      if (piece.phase != Fill::Phase::complete) return;  // the fill wakes us
      left_ = 0;                                         // the length was not known before
      break;
    }
    count(piece.length);
    exchange_->write(std::move(piece.body));
    if (is_over_) return;
  }
  if (left_ == 0) {
    exchange_->finish();
    return over();
  }
  wait_for_socket();
}

void FillDelivery::wait_for_socket() {
  if (waits_for_socket_) return;
  waits_for_socket_ = true;
  exchange_->when_drained(kLowWater, [this] {
    waits_for_socket_ = false;
    advance();
  });
}

std::unique_ptr<net::Exchange> FillDelivery::take_exchange() {
  exchange_->on_gone([] {});
  return std::move(exchange_);
}

void FillDelivery::refuse(const FillFailure& failure) {
  if (failure.look_again && when_stale_serves_) {
    auto exchange = take_exchange();
    over();
    return when_stale_serves_(std::move(exchange), failure);
  }
  metrics_.failed.add();
  metrics_.refused_with(*failure.problem, failure.status);
  exchange_->note.cache = to_string(facts_);
  exchange_->note.reason = failure.reason;
  exchange_->note.node = facts_.node;
  auto response = http::problem(*failure.problem, failure.detail);
  if (facts_.for_node) add_verdict(response.headers, failure);
  exchange_->reply(std::move(response));
  over();
}

void FillDelivery::over() {
  is_over_ = true;
  on_over_();
}

}  // namespace tribune::cache_node
