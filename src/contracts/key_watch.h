#pragma once
// Says in good time that the signing keys end: in the log, as a metric, and to whoever asks how the role is.
//
// Standing of the keys
//   lasting      a key signs for longer than kFirstAlarm                          (look)
//   ends_soon    the last one ends within kFirstAlarm, kSecondAlarm, kLastAlarm: a line of the log at each (look)
//   ended        none signs: no new viewer can be served                          (look)

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

namespace tribune::contracts {

struct Event;

/// From when on no key of the event signs; nothing when one has no end, or there is none at all.
std::optional<base::WallTime> signing_ends(const Event&);
/// Why no key of the event signs at `now`; empty when one does, or there is none at all.
std::string no_key_signs(const Event&, base::WallTime now);

/// Any thread; locks inside.
class KeyWatch {
 public:
  static constexpr std::chrono::hours kFirstAlarm{7 * 24};
  static constexpr std::chrono::hours kSecondAlarm{24};
  static constexpr std::chrono::hours kLastAlarm{1};

  /// `role`: names it in the log and the metric.
  KeyWatch(const base::Clock&, base::Log&, base::Metrics&, std::string_view role);

  /// The keys of this event, from now on.
  void watch(const Event&);
  /// To be called every second or so.
  void look();

  /// That no key signs; empty while one does.
  std::string trouble() const;
  /// "keys": "ok", or what is about to happen.
  void describe(base::json::Writer&) const;

 private:
  std::string text() const;

  const base::Clock& clock_;
  base::Log& log_;
  const std::string role_;
  base::Gauge seconds_left_;
  mutable std::mutex mutex_;            // guards what follows
  std::optional<base::WallTime> ends_;  // from when on no key signs; nothing: never, or there are none
  int said_ = 0;                        // alarms of these keys
};

}  // namespace tribune::contracts
