// A model: a disk that refuses writes, a source that begins again, and a process that is killed, at every point.
#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "balancer/playlist_texts.h"
#include "balancer/timeline/timeline.h"
#include "base/clock.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using test::live;

namespace {

const std::string kTrack = "v1/index.m3u8";
constexpr int kSteps = 7;

/// What happens in one run of the model; a step is a refresh, 2 s after the one before.
struct Script {
  int restarts[2];     // steps before which the source begins again
  int kills[2];        // steps before which the process is killed and started again
  int refused;         // the first write that the disk refuses
  bool is_last;        // it takes none after it; false: it refuses one
  bool nodes_lag;      // the nodes have not heard of what was listed in the step before the kill
  std::int64_t begin;  // the first number of the source
};

/// The source reuses its names.
struct PackagerModel {
  std::int64_t first = 0, end = 0;
  void begin(std::int64_t msn) {
    first = msn;
    end = msn + 2;
  }
  hls::Playlist playlist() const { return live(std::max(first, end - 4), end); }
};

struct DiskModel {
  const Script& script;
  std::map<std::string, std::string> records = {};
  int writes = 0;
  bool write(const std::string& key, std::string value) {
    const auto number = writes++;
    if (script.is_last ? number >= script.refused : number == script.refused) return false;
    records[key] = std::move(value);
    return true;
  }
};

/// A viewer who never leaves. What is listed to them keeps its text, and the numbers never decrease.
struct ViewerModel {
  std::int64_t msn = 0, discontinuity = 0, next = 0;
  std::map<std::int64_t, std::string> texts = {};
  std::vector<std::string> problems = {};

  void see(const hls::Playlist& shown, const Timeline& timeline) {
    const auto front = shown.segments.front().discontinuity_sequence;
    if (shown.media_sequence < msn) problems.push_back("MSN " + std::to_string(shown.media_sequence));
    if (front < discontinuity) problems.push_back("discontinuity " + std::to_string(front));
    msn = shown.media_sequence;
    discontinuity = front;
    const auto former_next = next;
    for (const auto& segment : shown.segments) {
      const auto epoch = timeline.generation(segment.generation).epoch;
      const auto text = epoch + " " + shown.uris[segment.uri_use].uri;
      const auto [known, is_new] = texts.emplace(segment.msn, text);
      if (known->second != text) problems.push_back("number " + std::to_string(segment.msn) + " twice");
      if (is_new && segment.msn < former_next) problems.push_back("below " + std::to_string(former_next));
      next = std::max(next, segment.msn + 1);
    }
  }
};

struct BalancerModel {
  explicit BalancerModel(const Script& s) : script(s) {}

  const Script& script;
  base::ManualClock clock;
  DiskModel disk{script};
  PackagerModel source = {};
  ViewerModel viewer = {};
  std::optional<Timeline> timeline = {};
  std::int64_t saved_revision = 0;
  std::optional<Timeline::Standing> at_nodes = {};
  int epochs = 0;

  void start() {
    timeline.emplace([this](std::size_t) { return "e" + std::to_string(++epochs); });
    const auto now = clock.steady_now();
    const auto wall = clock.wall_now();
    if (disk.records.contains("")) timeline->load_channel(disk.records[""], now, wall);
    if (disk.records.contains(kTrack)) timeline->load_track(kTrack, disk.records[kTrack], now, wall);
    saved_revision = timeline->revision();
    if (!timeline->use_source("s", true, now)) timeline->expect_restart();
    if (at_nodes && timeline->continue_above(*at_nodes, now)) disk.records.erase(kTrack);
  }

  /// Nobody knows what was listed in the last second, once the disk has become full in it: no viewer loads that here.
  void refresh(bool nodes_hear) {
    const auto seen = timeline->observe(kTrack, source.playlist(), 0, clock.steady_now());
    REQUIRE(seen);
    if (!seen->playlist) return;
    const auto now = clock.steady_now();
    const auto wall = clock.wall_now();
    bool is_known = disk.write(kTrack, timeline->save_track(kTrack, now, wall)) || nodes_hear;
    if (timeline->revision() != saved_revision) {
      // Viewers see a generation when it is on disk, or when the nodes know it.
      const bool is_saved = disk.write("", timeline->save_channel(now, wall));
      nodes_hear |= !is_saved;
      is_known |= nodes_hear;
      saved_revision = timeline->revision();
    }
    if (nodes_hear) at_nodes = timeline->standing();
    if (is_known) viewer.see(*seen->playlist, *timeline);
  }

  std::vector<std::string> run() {
    source.begin(script.begin);
    start();
    for (int step = 0; step < kSteps; ++step) {
      for (const auto restart : script.restarts)
        if (restart == step) source.begin(1);
      for (const auto kill : script.kills)
        if (kill == step) start();
      const bool is_killed_next = script.kills[0] == step + 1 || script.kills[1] == step + 1;
      refresh(!script.nodes_lag || !is_killed_next);
      ++source.end;
      clock.advance(2s);
    }
    return viewer.problems;
  }
};

}  // namespace

TEST_CASE("numbers never go back, whichever writes fail, whenever the source begins again and the process is killed") {
  int runs = 0;
  Script script{};
  for (script.restarts[0] = 1; script.restarts[0] < kSteps; ++script.restarts[0])
    for (script.restarts[1] = script.restarts[0]; script.restarts[1] < kSteps; ++script.restarts[1])
      for (script.kills[0] = 1; script.kills[0] < kSteps; ++script.kills[0])
        for (script.kills[1] = script.kills[0]; script.kills[1] < kSteps; ++script.kills[1])
          for (script.refused = 0; script.refused < kSteps; ++script.refused)
            for (const bool is_last : {true, false})
              for (const bool nodes_lag : {true, false}) {
                script.is_last = is_last;
                script.nodes_lag = nodes_lag;
                script.begin = runs++ % 2 == 0 ? 59'553 : 2;
                const auto problems = BalancerModel{script}.run();
                if (problems.empty()) continue;
                CAPTURE(script.restarts[0]);
                CAPTURE(script.restarts[1]);
                CAPTURE(script.kills[0]);
                CAPTURE(script.kills[1]);
                CAPTURE(script.refused);
                CAPTURE(is_last);
                CAPTURE(nodes_lag);
                CAPTURE(script.begin);
                FAIL(problems.front());
              }
  CHECK(runs > 10'000);
}

TEST_CASE("without a node that knows, a restart continues above what may have been listed since an old record") {
  Script script{{}, {}, 1'000, true, false, 0};
  BalancerModel balancer{script};
  balancer.source.begin(59'553);
  balancer.start();
  balancer.refresh(false);
  balancer.at_nodes.reset();
  balancer.clock.advance(1h);
  balancer.source.begin(1);
  balancer.start();
  const auto shown = balancer.timeline->observe(kTrack, balancer.source.playlist(), 0, balancer.clock.steady_now());
  REQUIRE(shown);
  CHECK(shown->playlist->media_sequence == 59'555 + 3'600 * kListedPerSecond);
}

TEST_CASE("what others have seen of a numbering that the records contain changes nothing while the source continues") {
  Script script{{}, {}, 1'000, true, false, 0};
  BalancerModel balancer{script};
  balancer.source.begin(100);
  balancer.start();
  balancer.refresh(true);
  const auto epoch = balancer.timeline->current().epoch;
  for (const std::int64_t seen : {101, 102, 103}) {
    CAPTURE(seen);
    balancer.at_nodes->next_msn = seen;
    balancer.start();
    ++balancer.source.end;
    balancer.refresh(true);
    CHECK(balancer.timeline->current().epoch == epoch);
    CHECK(balancer.viewer.next == balancer.source.end);
    CHECK(balancer.viewer.problems.empty());
  }
}

TEST_CASE("an unknown epoch is continued above when either its numbers or its discontinuities are larger") {
  struct Seen {
    const char* what;
    std::int64_t msn, discontinuity;
    bool is_above;
  };
  for (const auto& seen : {Seen{"neither", 10, 0, false}, Seen{"only the numbers", 200'000, 0, true},
                           Seen{"only the discontinuities", 10, 7, true}}) {
    CAPTURE(std::string(seen.what));
    base::ManualClock clock;
    Timeline timeline{[](std::size_t) { return std::string("e"); }};
    REQUIRE(timeline.observe(kTrack, live(1'000, 1'004), 0, clock.steady_now()));
    CHECK(timeline.continue_above({"unknown", seen.msn, seen.discontinuity}, clock.steady_now()) == seen.is_above);
    const auto shown = timeline.observe(kTrack, live(1'001, 1'005), 0, clock.steady_now());
    REQUIRE(shown);
    CHECK(shown->playlist->discontinuity_sequence >= seen.discontinuity);
    CHECK(shown->playlist->media_sequence >= seen.msn);
  }
}
