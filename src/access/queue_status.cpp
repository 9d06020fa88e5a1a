#include "access/queue_status.h"

#include <utility>

#include "base/json.h"

namespace tribune::access {
namespace {

// 128 bits, for a product of two counts. __extension__: the type is no part of the standard.
__extension__ using Wide = unsigned __int128;

/// The inverse of `a` modulo `n`, by Euclid's algorithm; they have no common divisor.
std::uint64_t inverse(std::uint64_t a, std::uint64_t n) {
  std::int64_t t = 0, next_t = 1;
  auto r = static_cast<std::int64_t>(n), next_r = static_cast<std::int64_t>(a % n);
  while (next_r != 0) {
    const auto quotient = r / next_r;
    t = std::exchange(next_t, t - quotient * next_t);
    r = std::exchange(next_r, r - quotient * next_r);
  }
  return static_cast<std::uint64_t>(t < 0 ? t + static_cast<std::int64_t>(n) : t);
}

double seconds_of(std::chrono::milliseconds t) { return static_cast<double>(t.count()) / 1000; }

}  // namespace

std::uint64_t Lottery::place_of(std::uint64_t number) const {
  if (number < first || number >= end) return number;
  const auto count = end - first;
  return first + static_cast<std::uint64_t>((Wide{multiplier} * (number - first) + offset) % count);
}

std::uint64_t Lottery::number_at(std::uint64_t place) const {
  if (place < first || place >= end) return place;
  const auto count = end - first;
  if (count == 1) return place;
  const auto shifted = (place - first + count - offset % count) % count;
  return first + static_cast<std::uint64_t>(Wide{inverse(multiplier, count)} * shifted % count);
}

std::string to_json(const QueueStatus& status) {
  base::json::Writer w;
  w.begin_object().member("channel", status.channel).member("open", status.is_open);
  if (status.opens_in) w.member("opens_in_seconds", seconds_of(*status.opens_in));
  w.member("overload_emulation", status.overload_emulation)
      .member("refresh_seconds", seconds_of(status.refresh))
      .member("lease_seconds", seconds_of(status.lease));
  w.key("lanes").begin_array();
  for (const auto& lane : status.lanes) {
    w.begin_object()
        .member("name", lane.name)
        .member("served", lane.served)
        .member("next", lane.next)
        .member("waiting", lane.waiting);
    if (lane.places_per_second) w.member("rate", *lane.places_per_second);
    if (lane.lottery.first != lane.lottery.end) {
      w.key("lottery").begin_object().member("first", lane.lottery.first).member("end", lane.lottery.end);
      w.member("multiplier", lane.lottery.multiplier).member("offset", lane.lottery.offset).end_object();
    }
    w.end_object();
  }
  return w.end_array().end_object().take();
}

}  // namespace tribune::access
