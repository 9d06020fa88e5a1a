#pragma once
// Who is watching. A session is opened once, renewed by every playlist request, and released when it was not renewed
// for its channel's idle time. Knows no HTTP.
//
// Lifetime
//   open       open(), or renew() of one that this process does not know   (balancer, api)
//   renewed    renew() moves its deadline                                  (balancer)
//   leaving    shorten(): its deadline is near, and a renewal brings it back (the page that closes)
//   released   release(), or its deadline passed                           (balancer, sweep)

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/session_networks.h"
#include "base/channel_labels.h"
#include "base/clock.h"
#include "base/metrics.h"

namespace tribune::access {

using ChannelLabelsPtr = std::shared_ptr<base::ChannelLabels>;  // nothing: each channel has its own

using SessionId = std::uint64_t;

/// Any thread; locks inside, held for about a microsecond and never across a callback. A session costs some 130 bytes.
class Sessions {
 public:
  /// `max_known` bounds the memory: more sessions than this are not opened.
  Sessions(const base::Clock&, base::Metrics&, std::size_t max_known = 2'000'000, ChannelLabelsPtr = nullptr);
  ~Sessions();

  /// A new session on the channel; its id is random. Nothing when as many as may be are open.
  std::optional<SessionId> open(std::string_view channel, std::chrono::milliseconds idle);

  /// Moves the deadline, never back. A session that this process does not know (it restarted, or the session was
  /// released a moment ago) is adopted: its token proves that it was admitted. At the bound it is served, but nobody
  /// can count or release it.
  enum class Renewal { known, adopted, uncounted };
  Renewal renew(SessionId, std::string_view channel, std::chrono::milliseconds idle);

  /// The steps of the above one by one, for an owner that keeps books of its own. insert(): false at the bound or when
  /// the id is taken.
  bool insert(SessionId, std::string_view channel, std::chrono::milliseconds idle);
  /// `outgrown`: it is known, its idle time is above kLongIdle, and it lasts a quarter of that longer than was said the
  /// last time, or at its opening. Who keeps it elsewhere notes it there.
  enum class Extension { unknown, known, outgrown };
  Extension extend(SessionId, std::chrono::milliseconds idle);
  /// Which network a session was asked for from; fine for one that is not known.
  SessionNetworks::Hearing hear(SessionId, std::uint32_t network, const NetworkRule&);
  bool is_full() const;
  bool contains(SessionId) const;

  bool release(SessionId);

  /// Brings the deadline forward to `rest` from now; a renewal moves it back. False when it is not known. Its owner
  /// notes the new deadline.
  bool shorten(SessionId, std::chrono::milliseconds rest);

  /// Releases what is overdue, calling `on_released` for each outside the lock. Called once a second by one worker.
  std::size_t sweep(const std::function<void(SessionId)>& on_released = {});

  /// The same in two steps: who is overdue (for release_overdue() to look again), and the release of one that still is.
  std::vector<SessionId> overdue();
  bool release_overdue(SessionId);

  std::size_t count() const;
  std::size_t count(std::string_view channel) const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace tribune::access
