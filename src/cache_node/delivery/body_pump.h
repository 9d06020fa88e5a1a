#pragma once
// Hands the bytes of one response body to its exchange, never further ahead of the client's socket than a fixed window,
// and counts them. Holds no copy of the body: a queued piece refers to shared bytes or to a file. FillDelivery and
// SlicedDelivery decide what is sent; the pump decides how much of it is queued now.
//
// States
//   running   bytes may be written
//   stopped   the response has ended, or the client has left; nothing is written any more   (stop)

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>

#include "base/metrics.h"
#include "cache_node/objects/fill.h"
#include "net/server/exchange.h"

namespace tribune::cache_node {

/// Owned by one worker.
class BodyPump {
 public:
  /// The most bytes that are queued and not yet taken by the socket.
  static constexpr std::uint64_t kWindow = 256 * 1024;
  /// A full window is refilled when no more than this is queued.
  static constexpr std::uint64_t kLowWater = 64 * 1024;
  static constexpr std::uint64_t kUnknown = std::numeric_limits<std::uint64_t>::max();

  /// `channel_bytes`: the channel's counter of sent bytes; may be null.
  BodyPump(std::unique_ptr<net::Exchange> exchange, base::Counter sent_bytes, std::atomic<std::uint64_t>* channel_bytes)
      : exchange_(std::move(exchange)), sent_bytes_(sent_bytes), channel_bytes_(channel_bytes) {}

  net::Exchange& exchange() { return *exchange_; }
  const net::Exchange& exchange() const { return *exchange_; }
  /// Gives the exchange back without its on_gone callback. Only before the response has begun.
  std::unique_ptr<net::Exchange> take_exchange();
  /// Destroys the exchange: the client gets a 500 response, or a cut connection when the response has begun.
  void abort() { exchange_.reset(); }

  /// Bytes of the body that are not queued yet; kUnknown until the length is known.
  std::uint64_t remaining() const { return remaining_; }
  void set_remaining(std::uint64_t bytes) { remaining_ = bytes; }

  bool is_stopped() const { return is_stopped_; }
  void stop() { is_stopped_ = true; }

  bool is_window_full() const { return exchange_->unsent() >= kWindow; }
  /// Calls back once when the socket has taken the queued bytes down to kLowWater. A second call meanwhile is ignored.
  template <class Call>
  void when_writable(Call call) {
    if (waits_for_socket_) return;
    waits_for_socket_ = true;
    exchange_->when_drained(kLowWater, [this, call] {
      waits_for_socket_ = false;
      call();
    });
  }

  /// Counts bytes that go out with the response's head.
  void count(std::uint64_t bytes);
  /// Queues one piece.
  void write(http::Body body, std::uint64_t bytes);

  enum class Outcome {
    sent,         // all of `bytes` is queued
    window_full,  // call when_writable()
    waiting,      // the fill has no further bytes yet; its reader's callback runs when it has
    ended,        // the fill is complete and has fewer bytes
    failed,       // the fill failed
    lost,         // the bytes are in neither RAM nor file
    stopped,      // the client left
  };
  /// Queues up to `bytes` from the reader. `before_write(phase)` runs before each piece, with the fill's phase.
  template <class BeforeWrite>
  Outcome send(FillReader& reader, std::uint64_t bytes, BeforeWrite before_write) {
    while (bytes > 0) {
      if (is_window_full()) return Outcome::window_full;
      auto piece = reader.take(std::min(bytes, kWindow));
      if (piece.lost) return Outcome::lost;
      if (piece.phase == Fill::Phase::failed) return Outcome::failed;
      if (piece.length == 0) return piece.phase == Fill::Phase::complete ? Outcome::ended : Outcome::waiting;
      before_write(piece.phase);
      if (is_stopped_) return Outcome::stopped;
      write(std::move(piece.body), piece.length);
      if (is_stopped_) return Outcome::stopped;
      bytes -= piece.length;
    }
    return Outcome::sent;
  }

 private:
  std::unique_ptr<net::Exchange> exchange_;
  base::Counter sent_bytes_;
  std::atomic<std::uint64_t>* const channel_bytes_;
  std::uint64_t remaining_ = kUnknown;
  bool waits_for_socket_ = false;
  bool is_stopped_ = false;
};

}  // namespace tribune::cache_node
