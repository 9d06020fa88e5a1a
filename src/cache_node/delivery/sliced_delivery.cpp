#include "cache_node/delivery/sliced_delivery.h"

#include <algorithm>
#include <new>

#include "base/memory.h"
#include "cache_node/filling/fill_response.h"
#include "contracts/peer_mark.h"
#include "http/problem.h"

namespace tribune::cache_node {

namespace {
// As far ahead of the socket as a viewer of a whole object is served (fill_delivery.cpp).
constexpr std::uint64_t kMostAhead = 256 * 1024;
constexpr std::uint64_t kLowWater = 64 * 1024;
constexpr std::chrono::milliseconds kNodePatience{300};
constexpr int kMostTries = 3;  // a slice that goes while it is looked at is looked up again
}  // namespace

SlicedDelivery::SlicedDelivery(SlicedDeliveryContext tools, DeliveryFacts facts, SlicedFilePtr file,
                               std::unique_ptr<net::Exchange> exchange, std::function<void()> on_over)
    : tools_(std::move(tools)),
      facts_(std::move(facts)),
      file_(std::move(file)),
      exchange_(std::move(exchange)),
      on_over_(std::move(on_over)) {}

SlicedDelivery::~SlicedDelivery() { leave_fill(); }

void SlicedDelivery::start() {
  exchange_->on_gone([this] {
    if (is_over_) return;
    tools_.metrics.cut.add();
    over();
  });
  choice_ = choose(exchange_->request(), file_->head, file_->size);
  position_ = choice_.part.first;
  left_ = exchange_->request().method == http::Method::head ? 0 : choice_.length;
  if (facts_.for_node && choice_.status == 200 && left_ > 0) return say_sliced();
  if (left_ == 0) return begin(From::held);
  if (facts_.for_node) patience_ = tools_.loop.after(kNodePatience, [this] { say_waiting(); });
  go_on();
}

void SlicedDelivery::go_on() {
  if (is_over_) return;
  try {
    reader_ ? pump() : next();
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
    tools_.metrics.broken.add();
    exchange_.reset();  // says so, or cuts
    over();
  }
}

void SlicedDelivery::next() {
  while (!is_over_ && !reader_) {
    if (exchange_->unsent() >= kMostAhead) return wait_for_socket();
    if (++tries_ > kMostTries)
      return failed({&http::problems::overloaded, "a slice went while it was looked up", "overloaded"});
    const auto found = tools_.find(file_->slice_at(position_));
    if (const auto* failure = std::get_if<FillFailure>(&found)) return failed(*failure);
    if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found)) {
      join(*joined);
      continue;
    }
    const auto& object = std::get<ObjectPtr>(found);
    if (!object->verified) {
      return tools_.disk_maintenance.check(object, tools_.loop, [this, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.lock()) go_on();
      });
    }
    take_object(object);
  }
}

void SlicedDelivery::take_object(const ObjectPtr& object) {
  const auto part = file_->slice(file_->slice_at(position_));
  auto file = tools_.open_files.open(object);
  if (!file && file.error().kind == base::ErrorKind::unavailable)
    return failed(
        {&http::problems::overloaded, "this node has no descriptors for a further file", "descriptors_spent"});
  if (!file || object->size != part.length())
    return tools_.disk_maintenance.damaged(object, file ? "a slice of another length" : file.error().text);
  if (!streaming_) begin(From::held);
  if (is_over_) return;
  const auto length = std::min(left_, part.last - position_ + 1);
  exchange_->write(base::FileSlice{std::move(*file), position_ - part.first, length});
  if (!is_over_) sent(length);
}

void SlicedDelivery::join(const ObjectIndex::Joined& joined) {
  reader_ = joined.fill->join(tools_.loop, [this] { go_on(); });
  if (!reader_) return;
  fill_ = joined.fill;
  tools_.metrics.waiters.add(1);
  reader_->skip_to(position_ - file_->slice(file_->slice_at(position_)).first);
  began_ = joined.began;
  // At once, but from a call of the loop: the bytes may be here already.
  if (facts_.for_node && !streaming_ && fill_->lost_origin())
    patience_ = tools_.loop.after(std::chrono::milliseconds(0), [this] { say_waiting(); });
  pump();
}

void SlicedDelivery::pump() {
  while (!is_over_ && reader_ && exchange_->unsent() < kMostAhead) {
    const auto end = file_->slice(file_->slice_at(position_)).last + 1;
    auto piece = reader_->take(std::min({left_, kMostAhead, end - position_}));
    if (piece.lost) return failed({&http::problems::origin_broken, "bytes of the slice are gone", "fill_failed"});
    if (piece.phase == Fill::Phase::failed) return failed(fill_->view().failure);
    if (piece.length == 0) {
      if (piece.phase == Fill::Phase::complete)
        leave_fill();  // shorter than it must be: looked up again, and no more than that
      break;
    }
    if (!streaming_)
      begin(began_ ? From::own_fill : piece.phase == Fill::Phase::complete ? From::held : From::others_fill);
    exchange_->write(std::move(piece.body));
    if (is_over_) return;
    if (position_ + piece.length == end) leave_fill();
    sent(piece.length);
  }
  if (is_over_) return;
  if (!reader_) return next();
  if (exchange_->unsent() >= kMostAhead) wait_for_socket();
}

void SlicedDelivery::sent(std::uint64_t bytes) {
  tries_ = 0;
  position_ += bytes;
  left_ -= bytes;
  tools_.metrics.sent_bytes.add(static_cast<double>(bytes));
  if (facts_.channel_bytes) facts_.channel_bytes->fetch_add(bytes, std::memory_order_relaxed);
  if (left_ > 0) return;
  exchange_->finish();
  over();
}

AnswerFacts SlicedDelivery::facts() const {
  const auto now = base::unix_seconds(tools_.clock.wall_now());
  AnswerFacts facts;
  facts.node = facts_.node;
  facts.age = std::max<std::int64_t>(now - file_->seen, 0);
  facts.link_life = facts_.link_expires - now;
  facts.keep = facts_.keep;
  facts.for_node = facts_.for_node;
  facts.vary = facts_.vary;
  facts.cache = facts_.served.cache;
  return facts;
}

/// A node that asks for the whole learns what the file is, and nothing of it is fetched here that lies elsewhere.
void SlicedDelivery::say_sliced() {
  auto response = answer(choice_, file_->head, file_->size, facts());
  response.status = http::problems::node_unavailable.status;
  response.headers.add(contracts::kVerdictHeader, kVerdictSliced);
  response.headers.add(kSlicedLength, std::to_string(file_->size));
  exchange_->note.reason = kVerdictSliced;
  exchange_->reply(std::move(response));
  over();
}

/// The head: what the cache did is said of the first slice.
void SlicedDelivery::begin(From from) {
  auto facts = this->facts();
  const bool is_held = from == From::held, is_first = from == From::own_fill;
  exchange_->note.node = facts_.node;
  exchange_->note.cache = is_held ? facts_.served.word : is_first ? "miss" : "waited";
  (is_held ? tools_.metrics.hits : is_first ? tools_.metrics.misses : tools_.metrics.waited).add();
  if (!is_held) {
    facts.cache = {};
    facts.cache.forward = http::Forward::partial;
    facts.cache.forward_status = 206;
    facts.cache.collapsed = !is_first;
    facts.cache.stored = true;
  }
  auto response = answer(choice_, file_->head, file_->size, facts);
  const bool has_body = choice_.status == 200 || choice_.status == 206;
  streaming_ = true;
  patience_.cancel();
  if (!has_body) {
    exchange_->reply(std::move(response));
    return over();
  }
  exchange_->begin(std::move(response), choice_.length);
  if (is_over_ || left_ > 0) return;
  exchange_->finish();
  over();
}

void SlicedDelivery::wait_for_socket() {
  if (waits_for_socket_) return;
  waits_for_socket_ = true;
  exchange_->when_drained(kLowWater, [this] {
    waits_for_socket_ = false;
    go_on();
  });
}

void SlicedDelivery::failed(const FillFailure& failure) {
  leave_fill();
  if (streaming_) {
    tools_.metrics.cut.add();
    tools_.metrics.refused_with(*failure.problem, failure.status);
    exchange_->note.reason = failure.reason;
    return over();  // destroying the exchange cuts the connection
  }
  exchange_->on_gone([] {});
  auto exchange = std::move(exchange_);
  over();
  if (failure.reason == "origin_changed") return tools_.on_changed(std::move(exchange));
  tools_.metrics.failed.add();
  tools_.metrics.refused_with(*failure.problem, failure.status);
  exchange->note.reason = failure.reason;
  auto response = http::problem(*failure.problem, failure.detail);
  if (facts_.for_node) add_verdict(response.headers, failure);
  exchange->reply(std::move(response));
}

void SlicedDelivery::say_waiting() {
  if (is_over_ || streaming_) return;
  if (fill_ && fill_->lost_origin())
    return failed({&http::problems::origin_unavailable, "this node does not reach the origin", "no_origin"});
  exchange_->note.reason = "waiting";
  exchange_->reply(answer_while_waiting());
  over();
}

void SlicedDelivery::leave_fill() {
  if (!reader_) return;
  tools_.metrics.waiters.add(-1);
  reader_.reset();
  fill_.reset();
}

void SlicedDelivery::over() {
  if (is_over_) return;
  is_over_ = true;
  on_over_();
}

}  // namespace tribune::cache_node
