#pragma once
// One viewer of a file that is kept in slices: the slices of what was asked for, one after the other, each from its
// file or along with its fill. Holds no copy of the body.
//
// Lifetime
//   waiting     nothing went out; a failure is a problem document, a file that changed is looked up anew     (next)
//   streaming   the answer has begun; a failure, or a file that changed, cuts the connection                 (next,
//   pump) over        finished, cut, given back, or the viewer left; on_over ran (next, pump, on_gone)

#include <cstdint>
#include <functional>
#include <memory>

#include "cache_node/delivery/fill_delivery.h"
#include "cache_node/disk/disk_maintenance.h"
#include "cache_node/disk/open_files.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/objects/sliced_files.h"

namespace tribune::cache_node {

/// What it needs; outlives it.
struct SlicedDeliveryContext {
  net::EventLoop& loop;
  const base::Clock& clock;
  NodeMetrics& metrics;
  DiskMaintenance& disk_maintenance;
  OpenFiles& open_files;
  std::function<ObjectIndex::Found(std::uint64_t slice)> find;  // begins and runs its fill where there is neither
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
  void go_on();
  void next();
  void take_object(const ObjectPtr&);
  void join(const ObjectIndex::Joined&);
  void pump();
  enum class From { held, own_fill, others_fill };
  void begin(From);
  void sent(std::uint64_t bytes);
  AnswerFacts facts() const;
  void wait_for_socket();
  void failed(const FillFailure&);
  void say_waiting();
  void say_sliced();
  void leave_fill();
  void over();

  const SlicedDeliveryContext tools_;
  const DeliveryFacts facts_;
  const SlicedFilePtr file_;
  std::unique_ptr<net::Exchange> exchange_;
  const std::function<void()> on_over_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // watched by calls of other threads

  std::unique_ptr<FillReader> reader_;
  std::shared_ptr<Fill> fill_;  // that reader_ reads
  net::Timer patience_;         // of another node, before the first byte
  Choice choice_;
  std::uint64_t position_ = 0;  // in the file
  std::uint64_t left_ = 0;      // bytes to send
  int tries_ = 0;               // of this slice
  bool began_ = false;          // this viewer began fill_
  bool streaming_ = false;
  bool is_over_ = false;
  bool waits_for_socket_ = false;
};

}  // namespace tribune::cache_node
