#pragma once
// The state of a channel's queue, the same for all waiting clients. Values and pure functions.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tribune::access {

/// The order of all tickets that were issued before the opening: place = first + (multiplier * (number - first) +
/// offset) mod (end - first). The place of a number outside of [first, end) is the number itself.
struct Lottery {
  std::uint64_t first = 0, end = 0;          // equal: no lottery
  std::uint64_t multiplier = 1, offset = 0;  // the multiplier has no divisor in common with the count
  bool operator==(const Lottery&) const = default;

  std::uint64_t place_of(std::uint64_t number) const;
  std::uint64_t number_at(std::uint64_t place) const;  // the inverse
};

/// One lane of one channel, with numbers and an order of its own. Numbers count from 1.
struct LaneStatus {
  std::string name;
  std::uint64_t served = 0;                 // every place up to this one was called
  std::uint64_t next = 1;                   // the number that the next ticket gets
  std::uint64_t waiting = 0;                // live tickets that were not called
  std::optional<double> places_per_second;  // the growth of `served`; nullopt: not known yet
  Lottery lottery;
  bool operator==(const LaneStatus&) const = default;
};

struct QueueStatus {
  std::string channel;
  bool is_open = true;  // false: before the opening
  std::optional<std::chrono::milliseconds> opens_in;
  bool overload_emulation = false;            // for this channel, or for the whole event
  std::chrono::milliseconds refresh{10'000};  // the interval between two requests of a client
  std::chrono::milliseconds lease{36'000};    // a ticket that is not presented for this time loses its place
  std::vector<LaneStatus> lanes;
};

/// {"channel", "open", "opens_in_seconds"?, "refresh_seconds", "lease_seconds", "lanes": [{"name", "served", "next",
/// "waiting", "rate"?, "lottery"?}]}. With a ticket's lane and number a client computes its own place: at most
/// place - served - 1 tickets are ahead, which takes that number / rate seconds.
std::string to_json(const QueueStatus&);

}  // namespace tribune::access
