// The error rates of docs/sharing.md: a crowd of viewers with one device each, and sessions that two devices watch.
// TRIBUNE_SHARING_CROWD multiplies the crowd, and prints the rates.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include <doctest/doctest.h>

#include "access/playlist_audience.h"

using namespace tribune;
using namespace tribune::test;

namespace {

constexpr int kViewers = 20'000, kSharers = 2'000;
constexpr double kViewerSeconds = 1'200;

/// A value that is drawn with its weight.
template <typename T, std::size_t N>
T draw(Random& random, const std::array<std::pair<T, int>, N>& weights) {
  int sum = 0;
  for (const auto& [value, weight] : weights) sum += weight;
  auto left = static_cast<int>(random() % static_cast<std::uint32_t>(sum));
  for (const auto& [value, weight] : weights)
    if ((left -= weight) < 0) return value;
  return weights[0].first;
}

constexpr std::array<std::pair<double, int>, 5> kTargets{{{2, 15}, {4, 25}, {6, 45}, {8, 5}, {10, 10}}};
constexpr std::array<std::pair<Polling, int>, 6> kPlayers{{{Polling::standard, 45},
                                                           {Polling::segment, 20},
                                                           {Polling::half, 15},
                                                           {Polling::blocking, 10},
                                                           {Polling::parts, 5},
                                                           {Polling::third, 5}}};

enum class Movement { still, walks, flaps, pool_per_request, pool_per_connection, pool_per_time, dual_stack };
constexpr std::array<std::pair<Movement, int>, 7> kMovements{{{Movement::still, 5},
                                                              {Movement::walks, 25},
                                                              {Movement::flaps, 20},
                                                              {Movement::pool_per_request, 15},
                                                              {Movement::pool_per_connection, 15},
                                                              {Movement::pool_per_time, 10},
                                                              {Movement::dual_stack, 10}}};

/// The path of one device whose networks begin with `first`.
Path path_of(Movement movement, Random& random, std::uint32_t first) {
  const std::uint32_t pool = 2U << (random() % 6);  // 2 to 64
  const auto begins = uniform(random, 0, kViewerSeconds);
  switch (movement) {
    case Movement::still: return fixed_path(first);
    case Movement::walks: {
      const auto ends = begins + uniform(random, 0, kHandoverSeconds);
      return changing_path(random, first, 2, 1, uniform(random, 2, 30), begins, ends);
    }
    case Movement::flaps: {
      const auto shortest = uniform(random, 1, 10);
      return changing_path(random, first, 2, shortest, shortest * uniform(random, 2, 6));
    }
    case Movement::pool_per_request: return path_per_request(random, first, pool);
    case Movement::pool_per_connection: return path_per_connection(random, first, pool, uniform(random, 1, 20));
    case Movement::pool_per_time: {
      const auto seconds = uniform(random, 1, 60);
      return changing_path(random, first, std::max(pool, 4U), seconds, seconds);
    }
    case Movement::dual_stack: return path_per_connection(random, first, 2, uniform(random, 1, 5));
  }
  return fixed_path(first);
}

LiveStream any_stream(Random& random) {
  const auto target = draw(random, kTargets);
  return {target, target * (random() % 4 ? 1.0 : uniform(random, 0.8, 1)), target * uniform(random, 0, 0.1)};
}

int crowd_factor() {
  const char* factor = std::getenv("TRIBUNE_SHARING_CROWD");
  return factor ? std::max(1, std::atoi(factor)) : 0;
}

}  // namespace

TEST_CASE("no viewer of a crowd that walks, flaps, and uses carrier NAT and two families is taken for two players") {
  Random random(20);
  std::array<int, kMovements.size()> viewers{}, mistaken{};
  const auto count = kViewers * std::max(1, crowd_factor());
  for (int i = 0; i < count; ++i) {
    const auto movement = draw(random, kMovements);
    SimulatedPlayer player(any_stream(random), draw(random, kPlayers), path_of(movement, random, 1));
    if (movement == Movement::walks || movement == Movement::flaps)
      player.use_mobile_network(uniform(random, 0.02, 0.2));
    const auto index = static_cast<std::size_t>(movement);
    ++viewers[index];
    mistaken[index] += watch({player}, kViewerSeconds, random).found_at.has_value();
  }
  int sum = 0;
  for (std::size_t i = 0; i < viewers.size(); ++i) {
    sum += mistaken[i];
    if (crowd_factor()) MESSAGE("movement ", i, ": ", viewers[i], " viewers, ", mistaken[i], " mistaken");
  }
  CHECK(sum == 0);
}

TEST_CASE("of the sessions that two devices watch, 99 of 100 are found, and the later device is refused") {
  Random random(21);
  const auto count = kSharers * std::max(1, crowd_factor());
  int found = 0, at_once = 0, right = 0;
  std::vector<double> seconds;
  for (int i = 0; i < count; ++i) {
    const auto stream = any_stream(random);
    const auto joins = uniform(random, 1, 300);
    SimulatedPlayer first(stream, draw(random, kPlayers), fixed_path(1));
    SimulatedPlayer second(stream, draw(random, kPlayers), fixed_path(2), joins);
    for (auto* player : {&first, &second}) player->use_mobile_network(uniform(random, 0.02, 0.2));
    const auto result = watch({first, second}, joins + 1'200, random, false);
    if (!result.found_at) continue;
    ++found;
    seconds.push_back(*result.found_at - joins);
    at_once += stream.target > 6 || seconds.back() <= 2 * kHandoverSeconds;
    right += result.refused[0] == 0 && result.refused[1] > 0;
  }
  CHECK(found >= count * 99 / 100);
  CHECK(at_once >= count * 97 / 100);
  CHECK(right == found);
  if (!crowd_factor() || seconds.empty()) return;
  std::sort(seconds.begin(), seconds.end());
  const auto quantile = [&](double part) { return seconds[static_cast<std::size_t>(part * (found - 1))]; };
  MESSAGE(count, " shared sessions: ", found, " found, ", at_once, " in time, ", right,
          " with the later device refused; seconds: median ", quantile(0.5), ", 99 % ", quantile(0.99), ", last ",
          quantile(1));
}
