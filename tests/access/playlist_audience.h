#pragma once
// Simulated players of one session that fetch its live playlist, for tests of ConcurrentViewing.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "access/concurrent_viewing.h"

namespace tribune::test {

using Random = std::mt19937;

inline constexpr double kHandoverSeconds = 120;  // the default of access.handover

inline double uniform(Random& random, double from, double to) {
  return from + (to - from) * (static_cast<double>(random()) / 4294967296.0);
}

/// A live playlist: a version is published about each `segment` seconds.
struct LiveStream {
  double target = 6, segment = 6, jitter = 0.1;
  std::uint64_t first = 1'000;

  double published_at(std::uint64_t version) const {  // seconds
    const auto hash = (version * 2'654'435'761U) % 1'024;
    return static_cast<double>(version - first) * segment + jitter * static_cast<double>(hash) / 1'024;
  }
  std::uint64_t version_at(double time) const {
    auto version = first + static_cast<std::uint64_t>(time / segment);
    if (version > first && published_at(version) > time) --version;
    return version;
  }
};

/// When a player fetches the playlist again.
enum class Polling {
  standard,  // RFC 8216 section 6.3.4: the target duration after a change, else half of it
  half,      // each half target duration, whether or not the playlist changed
  third,
  segment,   // the duration of the last segment after a change, else half the target duration
  blocking,  // the server answers when the next version is published
  parts,     // as blocking, with parts of a tenth of a segment
};

/// The network of a request at a time, in seconds.
using Path = std::function<std::uint32_t(double)>;

class SimulatedPlayer {
 public:
  SimulatedPlayer(const LiveStream& stream, Polling polling, Path path, double begin = 0, double lag = 0)
      : stream_(stream), polling_(polling), path_(std::move(path)), next_(begin), lag_(lag) {}

  /// Without it, no request is lost and the round trip is 50 ms. A request is lost when the network changes while it is
  /// in flight, and the player repeats it in the new network. A request that waits for a version is always lost; it is
  /// answered nevertheless.
  void use_mobile_network(double round_trip) {
    is_lossy_ = true;
    round_trip_ = round_trip;
  }

  double next() const { return next_; }
  void stop() { next_ = 1e18; }

  struct Fetch {
    std::uint32_t network;
    std::uint64_t version;
  };
  Fetch fetch(Random& random) {
    const auto now = next_;
    const auto version = stream_.version_at(std::max(0.0, now - lag_));
    const auto network = path_(now);
    const bool is_held = polling_ == Polling::blocking || polling_ == Polling::parts;
    if (is_lossy_ && network_ != 0 && network != network_ && (is_held || random() % 20 == 0)) {
      next_ = now + (is_held ? round_trip_ : uniform(random, 0.1, 2));
      return {std::exchange(network_, network), version};
    }
    network_ = network;
    const bool is_changed = version > seen_;
    seen_ = version;
    next_ = now + wait(now, version, is_changed) + round_trip_ + uniform(random, 0, 0.01);
    return {network, version};
  }

 private:
  double wait(double now, std::uint64_t version, bool is_changed) const {
    switch (polling_) {
      case Polling::standard: return is_changed ? stream_.target : stream_.target / 2;
      case Polling::half: return stream_.target / 2;
      case Polling::third: return stream_.target / 3;
      case Polling::segment: return is_changed ? stream_.segment : stream_.target / 2;
      case Polling::blocking: return std::max(0.0, stream_.published_at(version + 1) + lag_ - now);
      case Polling::parts: return stream_.segment / 10;
    }
    return stream_.target;
  }

  LiveStream stream_;
  Polling polling_;
  Path path_;
  double next_, lag_;
  std::uint64_t seen_ = 0;
  std::uint32_t network_ = 0;
  bool is_lossy_ = false;
  double round_trip_ = 0.05;
};

struct Watched {
  std::optional<double> found_at;      // seconds
  std::uint32_t found_network = 0;     // whose fetch it was
  std::vector<std::uint64_t> refused;  // fetches of each player
  std::vector<std::uint64_t> served;
};

/// Lets the players watch until `end` seconds, or until they are found if `is_until_found`.
inline Watched watch(std::vector<SimulatedPlayer> players, double end, Random& random, bool is_until_found = true,
                     const access::ConcurrencyRule& rule = {}) {
  access::ConcurrentViewing viewing;
  Watched result{{}, 0, std::vector<std::uint64_t>(players.size()), std::vector<std::uint64_t>(players.size())};
  for (;;) {
    std::size_t index = 0;
    for (std::size_t i = 1; i < players.size(); ++i)
      if (players[i].next() < players[index].next()) index = i;
    const auto now = players[index].next();
    if (now >= end) return result;
    const auto fetch = players[index].fetch(random);
    const auto time = base::SteadyTime{} + std::chrono::milliseconds{static_cast<std::int64_t>(now * 1'000)};
    const auto verdict = viewing.record(fetch.network, fetch.version, time, rule);
    ++(verdict.is_refused ? result.refused : result.served)[index];
    if (verdict.is_found && !result.found_at) {
      result.found_at = now;
      result.found_network = fetch.network;
      if (is_until_found) return result;
    }
  }
}

// Paths of one device.

inline Path fixed_path(std::uint32_t network) {
  return [network](double) { return network; };
}

/// A random network of a pool for each request.
inline Path path_per_request(Random& random, std::uint32_t first, std::uint32_t pool) {
  return [&random, first, pool](double) { return first + random() % pool; };
}

/// A network of a pool for each connection, which carries a request or more: `requests` on average.
inline Path path_per_connection(Random& random, std::uint32_t first, std::uint32_t pool, double requests) {
  return [&random, first, pool, requests, network = first](double) mutable {
    if (uniform(random, 0, requests) < 1) network = first + random() % pool;
    return network;
  };
}

/// Changes between the networks of a pool after times between `shortest` and `longest` seconds, while `begin` to `end`.
inline Path changing_path(Random& random, std::uint32_t first, std::uint32_t pool, double shortest, double longest,
                          double begin = 0, double end = 1e18) {
  return [&random, first, pool, shortest, longest, end, network = first, change = begin](double now) mutable {
    while (change <= now && change < end) {
      network = pool == 2 ? first + (network == first) : first + random() % pool;
      change += uniform(random, shortest, longest);
    }
    return change >= end ? first + 1 : network;
  };
}

}  // namespace tribune::test
