#pragma once
// The sessions that watch and their deadlines. A session is opened once, renewed by every playlist request, and
// released when it was not renewed for its channel's idle time. It does not handle HTTP, and applies no limit except
// its own bound.
//
// A session's states
//   open       open(), insert(), or renew() of one that this process does not know
//   renewed    renew() or extend() moved its deadline
//   leaving    shorten(): its deadline is near, and a renewal moves it back
//   released   release(), or its deadline passed (sweep, release_overdue)

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/concurrent_viewing.h"
#include "access/session_networks.h"
#include "base/channel_labels.h"
#include "base/clock.h"
#include "base/metrics.h"

namespace tribune::access {

using ChannelLabelsPtr = std::shared_ptr<base::ChannelLabels>;  // null: each channel has a label of its own

using SessionId = std::uint64_t;

/// Any thread; locks inside, held for about a microsecond and never across a callback. A session costs some 150 bytes.
class Sessions {
 public:
  /// `max_known` bounds the memory: more sessions than this are not opened.
  Sessions(const base::Clock&, base::Metrics&, std::size_t max_known = 2'000'000, ChannelLabelsPtr = nullptr);
  ~Sessions();

  /// Opens a session on the channel with a random id. nullopt at the bound.
  std::optional<SessionId> open(std::string_view channel, std::chrono::milliseconds idle);

  /// Moves the deadline, never back. A session that this process does not know (it restarted, or released the session)
  /// is adopted: its token proves that it was admitted. At the bound it is uncounted: the caller may serve it, but it
  /// cannot be counted or released.
  enum class Renewal { known, adopted, uncounted };
  Renewal renew(SessionId, std::string_view channel, std::chrono::milliseconds idle);

  /// The separate steps of open() and renew(), for an owner that counts sessions itself. insert() returns false at the
  /// bound or when the id is in use.
  bool insert(SessionId, std::string_view channel, std::chrono::milliseconds idle);
  /// `save_due`: the session is known, its idle time is above kLongIdle, and its deadline is a quarter of the idle time
  /// later than at its opening or at the last `save_due`. An owner that stores deadlines stores this one.
  enum class Extension { unknown, known, save_due };
  Extension extend(SessionId, std::chrono::milliseconds idle);
  /// Records a request for the session from a network. Returns `allowed` for a session that is not known.
  SessionNetworks::Usage record_network(SessionId, std::uint32_t network, const NetworkRule&);
  /// Records a fetch of the live playlist; without a version, only whether the network is refused. A session that is
  /// not known is served.
  ConcurrentViewing::Verdict record_progress(SessionId, std::uint32_t network, std::optional<std::uint64_t> version,
                                             const ConcurrencyRule&);
  bool is_full() const;
  bool contains(SessionId) const;

  bool release(SessionId);

  /// Brings the deadline forward to `rest` from now; a renewal moves it back. False when it is not known. An owner that
  /// stores deadlines stores the new one.
  bool shorten(SessionId, std::chrono::milliseconds rest);

  /// Releases overdue sessions, calling `on_released` for each outside the lock. Called once a second by one worker.
  std::size_t sweep(const std::function<void(SessionId)>& on_released = {});

  /// The separate steps of sweep(): overdue() returns the overdue sessions, release_overdue() releases one that is
  /// still overdue.
  std::vector<SessionId> overdue();
  bool release_overdue(SessionId);

  std::size_t count() const;
  std::size_t count(std::string_view channel) const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace tribune::access
