#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "balancer/sessions/session_pins.h"
#include "balancer/tables.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using test::node;
using test::table;

namespace {

constexpr access::SessionId kRecordedViewer = 0xfedcba9876543210ull;

/// Pins over a store that outlives them, as at a restart.
struct PinsDisk {
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("pin_records_test_{}", ::getpid());
  base::Log log{test::silent()};
  base::ManualClock clock;
  base::Metrics metrics;
  NodeTable nodes = table({node("a"), node("b")});
  std::unique_ptr<store::Store> store;
  std::unique_ptr<SessionPins> session_pins;

  PinsDisk() { restart(); }
  ~PinsDisk() {
    session_pins.reset();
    store.reset();
    std::filesystem::remove_all(folder);
  }
  void restart() {
    session_pins.reset();
    store.reset();  // commits what is queued
    auto opened = store::Store::open({folder.string(), {std::string(kPinsTable)}, 1 << 24, 1ms, "test 1"}, log);
    REQUIRE(opened);
    store = std::move(*opened);
    session_pins = std::make_unique<SessionPins>(clock, metrics);
    REQUIRE(session_pins->load(*store));
  }
  void sweep() {
    for (int i = 0; i < 8; ++i) session_pins->sweep();
  }
  std::string see(const std::string& chosen, std::int64_t first, std::int64_t next,
                  std::chrono::milliseconds held = 1min) {
    std::string out;
    for (const auto& pin :
         session_pins->pin(kRecordedViewer, {first, next, held}, nodes, nodes.find(chosen)->address, false))
      out += (out.empty() ? "" : " ") + std::to_string(pin.first_msn) + "=" + pin.node_url.substr(7);
    return out;
  }
  int records() const {
    int count = 0;
    CHECK(store->flush());
    CHECK(store->scan(kPinsTable, [&](auto, auto) { return ++count > 0; }));
    return count;
  }
};

}  // namespace

TEST_CASE("pin records are read as they were written, and malformed ones are refused") {
  const PinRecord record{"city", {{100, node("a").address}, {106, node("b").address}, {110, nullptr}}, 90s};
  CHECK(to_text(record) == "2 90 c:city 100 a http://a 106 b http://b 110 - -");
  for (const auto& text :
       {to_text(record), std::string("2 1 c:"), std::string("2 1 c:city"), std::string("2 1 c: 0 a http://a")}) {
    const auto read = pins_from_text(text);
    REQUIRE(read);
    CHECK(to_text(*read) == text);
  }
  CHECK(to_text(*pins_from_text("1 c:city 5 a http://a")) ==
        "2 600 c:city 5 a http://a");  // a record of a former version
  for (const auto* bad : {"", "2 c:", "2 x c:", "3 1 c:", "2 1", "1 c:city 1", "1 c:city 1 a", "1 c: x a http://a",
                          "1 c: 5 a http://a 5 b http://b", "1 c: -1 a http://a"})
    CHECK_FALSE(pins_from_text(bad));
}

TEST_CASE("after a restart a session's listed segments keep their nodes") {
  PinsDisk disk;
  disk.see("a", 100, 106);
  CHECK(disk.see("b", 101, 107) == "0=a 106=b");
  disk.session_pins->prefer(kRecordedViewer, "b");
  disk.restart();
  CHECK(disk.session_pins->last_node(kRecordedViewer) == "b");
  CHECK(disk.session_pins->preferred(kRecordedViewer) == "b");
  CHECK(disk.see("b", 102, 108) == "0=a 106=b");
}

TEST_CASE("a change after a restart begins after everything that any rendition may have listed") {
  PinsDisk disk;
  disk.see("a", 100, 106);
  disk.restart();
  CHECK(disk.see("b", 100, 106) == "0=a");
  CHECK(disk.see("b", 103, 109) == "0=a 107=b");
}

TEST_CASE("the record of a session is removed with it, or when it does not return") {
  PinsDisk disk;
  disk.see("a", 100, 106);
  CHECK(disk.records() == 1);
  CHECK(disk.session_pins->unsaved() == 0);
  disk.session_pins->release(kRecordedViewer);
  CHECK(disk.records() == 0);
  disk.see("a", 100, 106);
  disk.restart();
  disk.clock.advance(10min - 1s);
  disk.sweep();
  CHECK(disk.records() == 1);
  disk.clock.advance(1s);
  disk.sweep();
  CHECK(disk.records() == 0);
}

TEST_CASE("after a restart the pins of a long window are held as long as without one") {
  PinsDisk disk;
  disk.see("a", 100, 106, 4h);
  disk.see("b", 101, 107, 4h);
  disk.restart();
  disk.clock.advance(4h - 1s);
  disk.sweep();
  CHECK(disk.see("b", 101, 107, 4h) == "0=a 106=b");
  disk.see("b", 102, 108, 5h + 1min);  // written again, because the window has grown
  disk.restart();
  disk.clock.advance(5h);
  disk.sweep();
  CHECK(disk.see("b", 102, 108, 5h) == "0=a 106=b");
}

TEST_CASE("a session that returned stays when the others are removed") {
  PinsDisk disk;
  disk.see("a", 100, 106);
  disk.restart();
  disk.see("a", 101, 107);
  disk.clock.advance(10min);
  disk.sweep();
  CHECK(disk.records() == 1);
  CHECK(disk.session_pins->last_node(kRecordedViewer) == "a");
}
