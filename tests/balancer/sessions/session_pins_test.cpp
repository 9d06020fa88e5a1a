#include "balancer/sessions/session_pins.h"

#include <array>
#include <barrier>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include <doctest/doctest.h>

#include "balancer/tables.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using test::node;
using test::table;

namespace {

constexpr access::SessionId kViewer = 7;

/// "0=a 105=b": first MSN and node of each pin.
std::string text(const LinkPins& pins) {
  std::string out;
  for (const auto& pin : pins)
    out += (out.empty() ? "" : " ") + std::to_string(pin.first_msn) + "=" + pin.node_url.substr(7);
  return out;
}

struct PinsFixture {
  NodeTable nodes = table({node("a"), node("b"), node("c")});
  base::ManualClock clock;
  base::Metrics metrics;
  SessionPins session_pins{clock, metrics};

  std::string see(const std::string& chosen, std::int64_t first, std::int64_t next, bool is_direct_player = false,
                  access::SessionId viewer = kViewer) {
    return text(session_pins.pin(viewer, {first, next}, nodes, nodes.find(chosen)->address, is_direct_player));
  }
  /// A live window of 30 s that the viewer's player may use for a minute.
  std::string see_held(const std::string& chosen, std::int64_t first, std::int64_t next, std::chrono::milliseconds held,
                       const std::string& token_node = "") {
    const auto* named = token_node.empty() ? nullptr : nodes.find(token_node);
    return text(session_pins.pin(kViewer, {first, next, held}, nodes, nodes.find(chosen)->address, false, {},
                                 named ? named->address : nullptr));
  }
  void sweep() {
    for (int i = 0; i < 8; ++i) session_pins.sweep();
  }
  double metric(const std::string& name) {
    const auto scraped = metrics.scrape();
    const auto at = scraped.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(scraped.substr(at + name.size() + 2));
  }
  void kill(const std::string& id) {
    for (auto& state : nodes.nodes)
      if (state.address->id == id) state.condition = NodeCondition::down;
  }
};

}  // namespace

TEST_CASE("all viewers of one node have one equal pin, whenever they came") {
  PinsFixture s;
  CHECK(s.see("a", 100, 106) == "0=a");
  CHECK(s.see("a", 104, 110) == "0=a");
  CHECK(s.see("a", 104, 110, false, 8) == "0=a");
}

TEST_CASE("another node begins at the first MSN not yet listed") {
  PinsFixture s;
  s.see("a", 100, 106);
  CHECK(s.see("b", 101, 107) == "0=a 106=b");
  CHECK(s.see("b", 103, 109) == "0=a 106=b");
}

TEST_CASE("a change without a new segment does not change the text") {
  PinsFixture s;
  s.see("a", 100, 106);
  CHECK(s.see("b", 100, 106) == "0=a");
  CHECK(s.see("b", 101, 107) == "0=a 106=b");
}

TEST_CASE("all renditions change at the same MSN") {
  PinsFixture s;
  s.see("a", 100, 106);                  // video
  s.see("a", 99, 105);                   // audio trails
  CHECK(s.see("b", 100, 106) == "0=a");  // decided here
  CHECK(s.see("b", 99, 105) == "0=a");
  CHECK(s.see("b", 101, 107) == "0=a 106=b");
  CHECK(s.see("b", 100, 106) == "0=a");
  CHECK(s.see("b", 101, 107) == "0=a 106=b");
}

TEST_CASE("a rendition that is ahead is not limited by one that trails") {
  PinsFixture s;
  s.see("a", 100, 106);
  s.see("a", 102, 108);  // another rendition listed two more
  CHECK(s.see("b", 101, 107) == "0=a");
  CHECK(s.see("b", 103, 109) == "0=a 108=b");
}

TEST_CASE("a change that was reverted before it was listed leaves no trace") {
  PinsFixture s;
  s.see("a", 100, 106);
  CHECK(s.see("b", 100, 106) == "0=a");
  CHECK(s.see("a", 101, 107) == "0=a");
  CHECK(s.see("c", 101, 107) == "0=a");
  CHECK(s.see("c", 102, 108) == "0=a 107=c");
}

TEST_CASE("pins are dropped when the window has passed them, after the slowest rendition") {
  PinsFixture s;
  s.see("a", 100, 106);
  s.see("b", 101, 107);
  CHECK(s.see("b", 106, 112) == "0=b");
  CHECK(s.see("b", 105, 111) == "0=a 106=b");  // a trailing rendition still has the old text
  CHECK(s.see("b", 200, 206) == "0=b");
  CHECK(s.see("b", 105, 111) == "0=b");
}

TEST_CASE("however often a session changes its node, no listed segment gets another one") {
  PinsFixture s;
  std::int64_t next = 106;
  std::map<std::int64_t, std::string> listed;
  int changed = 0;
  bool has_redirects = false;
  const auto look = [&](const std::string& chosen) {
    const auto pins = s.session_pins.pin(kViewer, {0, next}, s.nodes, s.nodes.find(chosen)->address, false);
    CHECK(pins.size() <= kMaxPins);
    for (std::int64_t msn = 0; msn < next; ++msn) {
      std::string url = pins.front().node_url;
      for (const auto& pin : pins)
        if (pin.first_msn <= msn) url = pin.node_url;
      has_redirects |= url.empty();
      const auto [entry, is_new] = listed.emplace(msn, url);
      if (!is_new && entry->second != url) ++changed;
    }
  };
  look("a");
  for (int i = 0; i < 9; ++i, ++next) look(i % 2 ? "a" : "b");
  CHECK_FALSE(has_redirects);
  for (int i = 0; i < 100; ++i, ++next) look(i % 2 ? "a" : "b");
  CHECK(changed == 0);
  CHECK(has_redirects);  // the segments after the last remaining pin are redirected
  CHECK(s.metric("tribune_balancer_pins_full_total") == 1);
  CHECK(!s.session_pins.last_node(kViewer).empty());
  CHECK(s.see("c", 400, 406) == "0=c");  // the window has passed them all
}

TEST_CASE("a short rendition does not make a long one forget its nodes") {
  PinsFixture s;
  s.see("a", 0, 1000);  // hours of video
  CHECK(s.see("b", 1, 1001) == "0=a 1000=b");
  CHECK(s.see("b", 1100, 1106) == "0=b");  // a minute of subtitles
  CHECK(s.see("b", 101, 1106) == "0=a 1000=b");
}

TEST_CASE("pins outlast their session while its player may use what was listed") {
  PinsFixture s;
  s.see_held("a", 100, 106, 10min);
  CHECK(s.see_held("b", 101, 107, 10min) == "0=a 106=b");
  s.session_pins.lapse(kViewer);
  s.clock.advance(9min);
  s.sweep();
  CHECK(s.see_held("b", 101, 107, 10min, "a") == "0=a 106=b");
  s.session_pins.lapse(kViewer);
  s.clock.advance(10min);
  s.sweep();
  CHECK(s.session_pins.size() == 0);
}

TEST_CASE("pins of a session that lasts are not removed, however long its playlist is not requested") {
  PinsFixture s;
  s.see_held("a", 100, 106, 1min);
  s.clock.advance(24h);
  s.sweep();
  CHECK(s.session_pins.last_node(kViewer) == "a");
  s.clock.advance(kPinsIdleLifetime);
  s.sweep();
  CHECK(s.session_pins.size() == 0);  // no lapse was reported, but no session lasts that long
}

TEST_CASE("a session whose first node is gone gets no links to it when its pins are recreated") {
  PinsFixture s;
  s.kill("a");
  CHECK(s.see_held("b", 100, 106, 1min, "a") == "0=b");
}

TEST_CASE("the number of sessions is bounded: the least recently seen is evicted, and counted") {
  PinsFixture s;
  SessionPins small(s.clock, s.metrics, 128);
  for (access::SessionId viewer = 1; viewer <= 10'000; ++viewer) {
    small.pin(viewer, {100, 106}, s.nodes, s.nodes.find("a")->address, false);
    small.pin(1, {100, 106}, s.nodes, s.nodes.find("b")->address, false);
  }
  CHECK(small.size() <= 128);
  CHECK(small.last_node(1) == "b");  // seen all the time
  CHECK(small.last_node(10'000) == "a");
  CHECK(s.metric("tribune_balancer_pins_given_up_total") ==
        doctest::Approx(10'000 - static_cast<double>(small.size())));
}

TEST_CASE("listed links of a failed node change to the new one for players that accept it") {
  PinsFixture s;
  s.see("a", 100, 106, true);
  s.kill("a");
  CHECK(s.see("b", 100, 106, true) == "0=b");
  CHECK(s.see("b", 101, 107, true) == "0=b");
}

TEST_CASE("a failed node that returns does not get its old links back") {
  PinsFixture s;
  s.see("a", 100, 106, true);
  s.kill("a");
  s.see("b", 101, 107, true);
  s.nodes = table({node("a"), node("b"), node("c")});
  CHECK(s.see("a", 102, 108, true) == "0=b 107=a");
}

TEST_CASE("listed links of a failed node keep their text for all other players") {
  PinsFixture s;
  s.see("a", 100, 106);
  s.kill("a");
  CHECK(s.see("b", 101, 107) == "0=a 106=b");
}

TEST_CASE("a node that left the configuration or changed its address counts as gone") {
  PinsFixture s;
  s.see("a", 100, 106, true);
  s.nodes = table({node("b")});
  CHECK(s.see("b", 101, 107, true) == "0=b");
  s.nodes.nodes[0].address = std::make_shared<NodeAddress>(NodeAddress{"b", "http://elsewhere"});
  CHECK(s.see("b", 102, 108, true) == "0=elsewhere");
}

TEST_CASE("sessions do not share pins, and a released one is forgotten") {
  PinsFixture s;
  s.see("a", 100, 106);
  s.see("b", 100, 106, false, 8);
  CHECK(s.session_pins.size() == 2);
  s.session_pins.prefer(kViewer, "city");
  CHECK(s.session_pins.preferred(kViewer) == "city");
  CHECK(s.session_pins.preferred(8).empty());
  s.session_pins.release(kViewer);
  s.session_pins.release(8);
  CHECK(s.session_pins.size() == 0);
  CHECK(s.session_pins.preferred(kViewer).empty());
}

TEST_CASE("an empty window can be pinned") {
  PinsFixture s;
  CHECK(s.see("a", 0, 0) == "0=a");
  CHECK(s.see("b", 0, 0) == "0=b");
  CHECK(s.see("c", 0, 3) == "0=c");
}

TEST_CASE("whatever threads and renditions do, a listed MSN keeps its node") {
  PinsFixture s;
  std::int64_t live = 106;  // changes while all threads wait
  std::mt19937 pace(1);
  std::barrier together(4, [&]() noexcept { live += pace() % 2; });
  std::mutex mutex;
  std::map<std::int64_t, std::string> listed;  // guarded by mutex
  int changed = 0;                             // guarded by mutex
  const std::array<std::string, 3> names{"a", "b", "c"};

  const auto watch = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 1'000; ++i) {
      const auto next = live - static_cast<std::int64_t>(random() % 3), first = next - 6;  // renditions trail
      const auto& chosen = names[static_cast<std::size_t>(live / 4) % names.size()];
      const auto pins = s.session_pins.pin(kViewer, {first, next}, s.nodes, s.nodes.find(chosen)->address, false);
      {
        const std::lock_guard lock(mutex);
        for (auto msn = first; msn < next; ++msn) {
          std::string url = pins.front().node_url;
          for (const auto& pin : pins)
            if (pin.first_msn <= msn) url = pin.node_url;
          const auto [entry, is_new] = listed.emplace(msn, url);
          if (!is_new && entry->second != url) ++changed;
        }
      }
      together.arrive_and_wait();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) threads.emplace_back(watch, t + 1);
  for (auto& thread : threads) thread.join();
  CHECK(changed == 0);
  CHECK(listed.size() > 300);
}

TEST_CASE("every call may run on any thread while others run") {
  PinsFixture s;
  std::barrier together(3, []() noexcept {});
  const auto run = [&](const std::function<void(access::SessionId)>& calls) {
    return std::thread([&together, calls] {
      for (access::SessionId i = 0; i < 300; ++i) {
        together.arrive_and_wait();
        calls(kViewer + i % 3);
      }
    });
  };
  const auto& chosen = s.nodes.find("a")->address;
  std::vector<std::thread> threads;
  threads.push_back(run([&](auto id) {
    s.session_pins.begin(id);
    s.session_pins.pin(id, {0, 6}, s.nodes, chosen, false, "b");
    s.session_pins.prefer(id, id % 2 == 0 ? "a" : "b");
  }));
  threads.push_back(run([&](auto id) {
    s.session_pins.preferred(id);
    s.session_pins.last_node(id, "b");
    s.session_pins.size();
  }));
  threads.push_back(run([&](auto id) {
    s.session_pins.lapse(id);
    s.session_pins.sweep();
    s.session_pins.release(id);
  }));
  for (auto& thread : threads) thread.join();
  CHECK(s.session_pins.size() <= 3);
}

TEST_CASE("the playlist below each pathway has its own pins, which are removed with their session") {
  PinsFixture s;
  const auto see = [&](const std::string& chosen, std::int64_t first, std::string_view pathway) {
    return text(
        s.session_pins.pin(kViewer, {first, first + 6}, s.nodes, s.nodes.find(chosen)->address, false, pathway));
  };
  CHECK(see("a", 100, "near") == "0=a");
  CHECK(see("b", 101, "far") == "0=b");
  CHECK(see("c", 102, "near") == "0=a 106=c");
  CHECK(see("b", 103, "far") == "0=b");
  CHECK(see("a", 103, "") == "0=a");
  CHECK(s.session_pins.last_node(kViewer, "near") == "c");
  CHECK(s.session_pins.size() == 1);
  s.session_pins.release(kViewer);
  CHECK(s.session_pins.last_node(kViewer, "near").empty());
  CHECK(see("b", 103, "near") == "0=b");
}

TEST_CASE("a session has pins for a bounded number of pathways; further ones share the pins without pathway") {
  PinsFixture s;
  const auto see = [&](const std::string& pathway) {
    return text(s.session_pins.pin(kViewer, {100, 106}, s.nodes, s.nodes.find("a")->address, false, pathway));
  };
  for (std::size_t i = 0; i < 4 * kMaxPinnedPathways; ++i) CHECK(see("g" + std::to_string(i)) == "0=a");
  s.session_pins.release(kViewer);
  CHECK(s.session_pins.size() == 0);
}

TEST_CASE("for a session that another process opened, everything is assumed to be listed from the node of its token") {
  PinsFixture s;
  const auto see = [&](access::SessionId viewer, std::int64_t first, std::string_view pathway = "") {
    return text(s.session_pins.pin(viewer, {first, first + 6}, s.nodes, s.nodes.find("b")->address, false, pathway,
                                   s.nodes.find("a")->address));
  };
  CHECK(see(1, 100) == "0=a");
  CHECK(see(1, 101) == "0=a");  // an unseen rendition may be ahead
  CHECK(see(1, 102) == "0=a 107=b");
  CHECK(see(1, 100, "near") == "0=a");
  s.session_pins.begin(2);
  CHECK(see(2, 100) == "0=b");  // opened here: nothing was listed before
  CHECK(see(2, 100, "near") == "0=b");
  s.session_pins.prefer(3, "b");  // the preferred node does not state what was listed
  CHECK(see(3, 100) == "0=a");
}
