#include "contracts/key_watch.h"

#include <limits>
#include "base/rfc3339.h"
#include "contracts/event.h"
#include "http/date.h"

namespace tribune::contracts {
namespace {

/// The alarm level: 0 for no alarm, 1 to 3 for the first to the last alarm, 4 when the keys have ended.
int alarm(std::optional<base::WallTime> ends, base::WallTime now) {
  if (!ends) return 0;
  if (now >= *ends) return 4;
  const auto left = *ends - now;
  return left < KeyWatch::kLastAlarm ? 3 : left < KeyWatch::kSecondAlarm ? 2 : left < KeyWatch::kFirstAlarm ? 1 : 0;
}

}  // namespace

std::optional<base::WallTime> signing_ends(const Event& event) {
  std::optional<base::WallTime> last;
  for (const auto& key : event.keys) {
    const auto ends = base::parse_rfc3339(key.not_after);
    if (!ends) return std::nullopt;
    if (!last || *last < *ends) last = ends;
  }
  return last;
}

std::string no_key_signs(const Event& event, base::WallTime now) {
  const auto ends = signing_ends(event);
  if (!ends || now < *ends) return "";
  return "no key is valid for signing: the last one expired at " + http::format_date(*ends) +
         "; add a key, or set a later not_after";
}

KeyWatch::KeyWatch(const base::Clock& clock, base::Log& log, base::Metrics& metrics, std::string_view role)
    : clock_(clock),
      log_(log),
      role_(role),
      seconds_left_(metrics.gauge(
          "tribune_keys_seconds_left",
          "Seconds until the last signing key of the configuration expires; +Inf: a key without an expiry time exists.",
          {{"role", role}})) {
  seconds_left_.set(std::numeric_limits<double>::infinity());
}

void KeyWatch::watch(const Event& event) {
  {
    const std::lock_guard lock(mutex_);
    ends_ = signing_ends(event);
    logged_alarm_ = 0;
  }
  look();
}

void KeyWatch::look() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.wall_now();
  seconds_left_.set(ends_ ? std::chrono::duration<double>(*ends_ - now).count()
                          : std::numeric_limits<double>::infinity());
  const auto level = alarm(ends_, now);
  if (level <= logged_alarm_) return;
  logged_alarm_ = level;
  const auto left = std::chrono::duration_cast<std::chrono::minutes>(*ends_ - now).count();
  if (level == 4)
    log_.error(role_, "no_key_signs", {{"ended", http::format_date(*ends_)}});
  else
    log_.warning(role_, "keys_end_soon", {{"end", http::format_date(*ends_)}, {"minutes_left", std::int64_t{left}}});
}

std::string KeyWatch::text() const {
  const std::lock_guard lock(mutex_);
  const auto level = alarm(ends_, clock_.wall_now());
  if (level == 0) return "";
  return (level == 4 ? "no key is valid for signing: the last one expired at " : "the last signing key expires at ") +
         http::format_date(*ends_);
}

std::string KeyWatch::trouble() const {
  auto state = text();
  return state.starts_with("no key") ? state : "";
}

void KeyWatch::describe(base::json::Writer& w) const {
  const auto state = text();
  w.member("keys", state.empty() ? "ok" : state);
}

}  // namespace tribune::contracts
