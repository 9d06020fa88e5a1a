#pragma once
// Warns before the signing keys end: in the log, as a metric, and in the status of the role.
//
// States of the keys
//   lasting      a key signs for longer than kFirstAlarm                          (look)
//   ends_soon    the last one ends within kFirstAlarm, kSecondAlarm, kLastAlarm: logged once at each (look)
//   ended        no key signs: new viewers cannot be served                          (look)

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

/// The time from which no key of the event signs; nullopt when one has no end, or when there are no keys.
std::optional<base::WallTime> signing_ends(const Event&);
/// The reason why no key of the event signs at `now`; empty when a key signs, or when there are no keys.
std::string no_key_signs(const Event&, base::WallTime now);

/// Any thread; locks inside.
class KeyWatch {
 public:
  static constexpr std::chrono::hours kFirstAlarm{7 * 24};
  static constexpr std::chrono::hours kSecondAlarm{24};
  static constexpr std::chrono::hours kLastAlarm{1};

  /// `role` is its name in the log and the metric.
  KeyWatch(const base::Clock&, base::Log&, base::Metrics&, std::string_view role);

  /// Replaces the watched keys by those of this event.
  void watch(const Event&);
  /// Call it about once a second.
  void look();

  /// The error text when no key signs; empty while one does.
  std::string trouble() const;
  /// "keys": "ok", or the warning.
  void describe(base::json::Writer&) const;

 private:
  std::string text() const;

  const base::Clock& clock_;
  base::Log& log_;
  const std::string role_;
  base::Gauge seconds_left_;
  mutable std::mutex mutex_;            // guards the members below
  std::optional<base::WallTime> ends_;  // the time from which no key signs; nullopt: never, or no keys
  int logged_alarm_ = 0;                // alarms logged for these keys
};

}  // namespace tribune::contracts
