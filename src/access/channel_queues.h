#pragma once
// The queues of all channels. Creates the queue of a channel on its first use, restores its lanes from the store, and
// keeps the queue: channels that leave the configuration keep their sessions.

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "access/access_settings.h"
#include "access/access_store.h"
#include "access/capacity.h"
#include "access/channel_queue.h"
#include "access/sessions.h"
#include "base/metrics.h"

namespace tribune::access {

/// Owned by its Admission, under whose lock it is used.
class ChannelQueues {
 public:
  ChannelQueues(base::Metrics&, const AccessSettings&, ChannelLabelsPtr, Capacity&, AccessStore&);

  /// Returns the channel's queue, and creates it on first use.
  ChannelQueue& at(std::string_view channel);
  /// nullptr when the channel has no queue.
  ChannelQueue* find(std::string_view channel) const;

  /// Calls `f(id, queue)` in the order of the ids.
  template <class F>
  void each(F f) const {
    for (const auto& [id, queue] : queues_) f(id, *queue);
  }
  template <class F>
  void each_lane(F f) const {
    for (const auto& [id, queue] : queues_)
      for (auto& lane : queue->lanes) f(*lane);
  }

  /// The smallest prediction for one viewer of all channels; nullopt when there is no channel.
  std::optional<std::int64_t> least_kbps() const;
  /// Whether no ticket waits, is deferred or has a reservation.
  bool is_idle() const;
  /// Writes the lanes that changed.
  void save_lanes();

 private:
  base::Metrics& metrics_;
  const AccessSettings& settings_;
  const ChannelLabelsPtr labels_;
  Capacity& capacity_;
  AccessStore& store_;
  std::map<std::string, std::unique_ptr<ChannelQueue>, std::less<>> queues_;
};

}  // namespace tribune::access
