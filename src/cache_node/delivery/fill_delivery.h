#pragma once
// One response whose body is a fill: it waits for the fill's head, answers, and sends the bytes while they arrive. The
// body pump limits how much is queued. Holds no copy of the body.
//
// Lifetime
//   waiting     no byte of the body is here; a failure is sent as a problem document      (advance)
//   streaming   the response has begun; a failure cuts the connection                     (advance)
//   ended       finished, cut, or the client left; on_over ran                            (advance, on_gone)

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "cache_node/delivery/body_pump.h"
#include "cache_node/delivery/delivery_facts.h"
#include "cache_node/delivery/object_response.h"
#include "cache_node/load/node_metrics.h"
#include "cache_node/objects/fill.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"

namespace tribune::cache_node {

/// Owned by one worker.
class FillDelivery {
 public:
  /// `on_over` must not destroy the delivery at once, but from a later call of the loop.
  FillDelivery(net::EventLoop&, const base::Clock&, NodeMetrics&, DeliveryFacts, std::shared_ptr<Fill>,
               std::unique_ptr<net::Exchange>, std::function<void()> on_over);
  ~FillDelivery();
  FillDelivery(const FillDelivery&) = delete;
  FillDelivery& operator=(const FillDelivery&) = delete;

  /// False when the fill accepts no further readers; take_exchange() then gives the exchange back.
  bool start();
  std::unique_ptr<net::Exchange> take_exchange() { return pump_.take_exchange(); }
  /// Runs with the exchange when the fill failed before any byte was sent and a stale object may be served instead.
  using OnStaleUsable = std::function<void(std::unique_ptr<net::Exchange>, const FillFailure&)>;
  void on_stale_usable(OnStaleUsable call) { on_stale_usable_ = std::move(call); }

 private:
  void advance();
  void answer_or_send();
  bool can_answer(const Fill::View&) const;
  void begin_response(const Fill::View&);
  void count_outcome(const Fill::View&);
  http::Body take_first_part();
  void send();
  void cut();
  void wait_for_socket();
  void fail(const FillFailure&);
  void reply_waiting();
  void end();
  AnswerFacts answer_facts(const Fill::View&) const;

  net::EventLoop& loop_;
  const base::Clock& clock_;
  NodeMetrics& metrics_;
  const DeliveryFacts facts_;
  const std::shared_ptr<Fill> fill_;
  const std::function<void()> on_over_;
  OnStaleUsable on_stale_usable_;
  const base::SteadyTime joined_at_;

  BodyPump pump_;
  std::unique_ptr<FillReader> reader_;
  net::Timer waiting_timer_;  // for a request of another node: runs until the first byte
  bool is_streaming_ = false;
};

}  // namespace tribune::cache_node
