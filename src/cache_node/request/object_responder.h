#pragma once
// How an object that the index found answers a request: as a hit, stale, after revalidation, in slices, or along with
// its running fill. An object that must not be served is refused. RFC 9111 section 4, RFC 5861.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "cache_node/delivery/fill_delivery.h"
#include "cache_node/delivery/sliced_delivery.h"
#include "cache_node/policy/reuse.h"
#include "cache_node/request/fill_starter.h"
#include "cache_node/request/media_flow_parts.h"
#include "runtime/role.h"
#include "runtime/task_set.h"

namespace tribune::cache_node {

/// Any thread; a delivery that runs belongs to the worker that took the request.
class ObjectResponder {
 public:
  /// Looks the request's object up again: the entry has changed since.
  using RetryLookup = std::function<void(runtime::Worker&, MediaExchange, MediaRequest)>;

  /// The references outlive it.
  ObjectResponder(const MediaFlowParts&, FillStarter&, const std::vector<std::unique_ptr<runtime::Worker>>&,
                  RetryLookup);

  /// `found` holds a stored object.
  void serve_stored(runtime::Worker&, MediaExchange, MediaRequest, const ObjectIndex::Found& found);
  /// `found` holds a fill, running or complete in RAM.
  void serve_fill(runtime::Worker&, MediaExchange, MediaRequest, const ObjectIndex::Found& found);
  /// Serves a file in slices. False when the origin must be asked about the file first; with `may_be_stale` the origin
  /// was asked already.
  bool serve_sliced(runtime::Worker&, MediaExchange&, const MediaRequest&, const SlicedFilePtr&, bool may_be_stale);

 private:
  struct Complete {
    const ObjectHead& head;
    std::int64_t stored = 0;  // unix seconds
    bool is_stale = false;
  };
  HeldObject held_object(const MediaRequest&, const ObjectHead&, std::int64_t stored) const;
  std::optional<ServedFromStore> decide(net::Exchange&, const MediaRequest&, const Complete&,
                                        const ObjectIndex::Found&);
  void drop(const ObjectIndex::Found&);
  ServedFromStore served_as(const MediaRequest&, const HeldObject&, bool is_stale) const;
  bool serve_while_revalidating(runtime::Worker&, MediaExchange&, const MediaRequest&, const ObjectIndex::Joined&);
  void send_file(runtime::Worker&, MediaExchange, MediaRequest, const ObjectPtr&, const ServedFromStore&);
  void verify_file(runtime::Worker&, MediaExchange, MediaRequest, const ObjectPtr&);
  void follow_fill(runtime::Worker&, MediaExchange, MediaRequest, const ObjectIndex::Joined&, const ServedFromStore&);
  DeliveryFacts delivery_facts(const net::Exchange&, const MediaRequest&, CacheOutcome, ServedFromStore) const;

  struct Running {
    explicit Running(net::EventLoop& loop) : fills(loop), sliced(loop) {}
    runtime::TaskSet<FillDelivery> fills;
    runtime::TaskSet<SlicedDelivery> sliced;
  };
  const MediaFlowParts& parts_;
  FillStarter& fills_;
  const RetryLookup retry_lookup_;
  std::vector<std::unique_ptr<Running>> running_;  // by worker
};

}  // namespace tribune::cache_node
