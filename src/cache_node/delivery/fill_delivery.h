#pragma once
// One viewer who reads along with a fill: waits for its head, answers, and hands on what came, never more than a little
// ahead of what the viewer's socket takes. Holds no copy of the body.
//
// Lifetime
//   waiting     no byte of the body yet; a failure is still a problem document     (advance)
//   streaming   the answer has begun; a failure cuts the connection                (advance)
//   over        finished, cut, or the viewer left; on_over ran                     (advance, on_gone)

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "cache_node/delivery/object_response.h"
#include "cache_node/load/node_metrics.h"
#include "cache_node/objects/fill.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"

namespace tribune::cache_node {

/// How a request met the fill: it began it, it found it running, or it found it complete in RAM.
enum class CacheOutcome { began, waited, held };

/// What the cache did with a request that is answered with what it holds.
struct ServedFromStore {
  http::CacheStatus cache;
  std::string_view word = "hit";  // as the access log says it
};

struct DeliveryFacts {
  std::string node;
  std::int64_t link_expires = 0;  // unix seconds
  CacheOutcome met = CacheOutcome::waited;
  std::atomic<std::uint64_t>* channel_bytes = nullptr;  // what goes out is added; null: nowhere
  bool for_node = false;  // another node asks: it hears verdicts, and that we wait (contracts/peer_mark.h)
  Retention keep;
  ServedFromStore served;  // where it is held
  std::string vary = {};   // the fields that choose the object's variant
};

/// Owned by one worker.
class FillDelivery {
 public:
  /// `on_over` must not destroy the delivery at once, but from a later call of the loop.
  FillDelivery(net::EventLoop&, const base::Clock&, NodeMetrics&, DeliveryFacts, std::shared_ptr<Fill>,
               std::unique_ptr<net::Exchange>, std::function<void()> on_over);
  ~FillDelivery();
  FillDelivery(const FillDelivery&) = delete;
  FillDelivery& operator=(const FillDelivery&) = delete;

  /// False when the fill takes no newcomers; take_exchange() then gives the exchange back.
  bool start();
  std::unique_ptr<net::Exchange> take_exchange();
  /// Called with the exchange when the fill brought nothing, nothing went out yet, and a stale object may serve
  /// instead.
  using WhenStale = std::function<void(std::unique_ptr<net::Exchange>, const FillFailure&)>;
  void when_stale_serves(WhenStale call) { when_stale_serves_ = std::move(call); }

 private:
  void advance();
  void go_on();
  void decide(const Fill::View&);
  bool has_enough(const Fill::View&) const;
  void begin(const Fill::View&);
  http::Body first_part();
  void pump();
  void count(std::uint64_t bytes);
  void wait_for_socket();
  void refuse(const FillFailure&);
  void say_waiting();
  void over();
  AnswerFacts facts(const Fill::View&) const;

  net::EventLoop& loop_;
  const base::Clock& clock_;
  NodeMetrics& metrics_;
  const DeliveryFacts facts_;
  const std::shared_ptr<Fill> fill_;
  std::unique_ptr<net::Exchange> exchange_;
  const std::function<void()> on_over_;
  WhenStale when_stale_serves_;
  const base::SteadyTime joined_;

  std::unique_ptr<FillReader> reader_;
  net::Timer patience_;  // of another node, before the first byte
  bool streaming_ = false;
  bool is_over_ = false;
  bool waits_for_socket_ = false;
  std::uint64_t left_ = 0;  // bytes to send; all there are when the length is not known
};

}  // namespace tribune::cache_node
