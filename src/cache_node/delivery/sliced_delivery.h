#pragma once
// One response whose body is a file stored in slices: the requested slices in order, each from its stored object or
// from its running fill. The body pump limits how much is queued. Holds no copy of the body.
//
// Lifetime
//   waiting     nothing was sent; a failure is a problem document, a changed file is looked up anew   (next_slice)
//   streaming   the response has begun; a failure or a changed file cuts the connection          (next_slice, send)
//   ended       finished, cut, given back, or the client left; on_over ran              (next_slice, send, on_gone)

#include <cstdint>
#include <functional>
#include <memory>

#include "cache_node/delivery/body_pump.h"
#include "cache_node/delivery/delivery_facts.h"
#include "cache_node/delivery/object_response.h"
#include "cache_node/disk/disk_maintenance.h"
#include "cache_node/disk/open_files.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/objects/sliced_files.h"
#include "net/event_loop.h"

namespace tribune::cache_node {

/// The parts that a delivery uses. They outlive it.
struct SlicedDeliveryContext {
  net::EventLoop& loop;
  const base::Clock& clock;
  NodeMetrics& metrics;
  DiskMaintenance& disk_maintenance;
  OpenFiles& open_files;
  /// Finds the slice; when it is neither stored nor being filled, begins and runs its fill.
  std::function<ObjectIndex::Found(std::uint64_t slice)> find;
  std::function<void(std::unique_ptr<net::Exchange>)> on_changed;
};

/// Owned by one worker.
class SlicedDelivery {
 public:
  /// `on_over` must not destroy the delivery at once, but from a later call of the loop.
  SlicedDelivery(SlicedDeliveryContext, DeliveryFacts, SlicedFilePtr, std::unique_ptr<net::Exchange>,
                 std::function<void()> on_over);
  ~SlicedDelivery();
  SlicedDelivery(const SlicedDelivery&) = delete;
  SlicedDelivery& operator=(const SlicedDelivery&) = delete;

  void start();

 private:
  void advance();
  void next_slice();
  void send_stored(const ObjectPtr&);
  void join(const ObjectIndex::Joined&);
  void send();
  void begin_response(CacheOutcome);
  std::uint64_t position() const;
  http::ByteRange current_slice() const;
  AnswerFacts answer_facts() const;
  void wait_for_socket();
  void fail(const FillFailure&);
  void reply_waiting();
  void reply_sliced();
  void leave_fill();
  void finish();
  void end();

  const SlicedDeliveryContext context_;
  const DeliveryFacts facts_;
  const SlicedFilePtr file_;
  const std::function<void()> on_over_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // checked by calls from other threads

  BodyPump pump_;
  std::unique_ptr<FillReader> reader_;
  std::shared_ptr<Fill> fill_;  // the fill that reader_ reads
  net::Timer waiting_timer_;    // for a request of another node: runs until the first byte
  Choice choice_;
  int attempts_ = 0;         // to find the current slice
  bool began_fill_ = false;  // this request began fill_
  bool is_streaming_ = false;
};

}  // namespace tribune::cache_node
