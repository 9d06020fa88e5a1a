// The disk with the state takes no writes.
#include <memory>

#include "access/admission_fixture.h"
#include "support/scripted_store.h"

using namespace tribune;
using namespace tribune::test;
using access::Admission;
using access::DenyReason;

namespace {

struct FullDisk {
  ScriptedStore store;
  std::unique_ptr<Gate> gate;

  Gate& start(std::int64_t max_sessions = 1'000) {
    gate = std::make_unique<Gate>();
    gate->settings.max_sessions = max_sessions;
    gate->open({{"main", 5}}, &store);
    return *gate;
  }
  void pass_second() {
    store.settle();
    gate->pass(1s);
    store.settle();
  }
};

}  // namespace

TEST_CASE("who watches goes on after a start on a full disk, nobody is admitted until it has room") {
  FullDisk disk;
  const auto watching = disk.start().granted(disk.gate->ask());
  disk.store.settle();
  disk.store.is_full = true;
  const auto unwritten = disk.gate->granted(disk.gate->ask());
  disk.store.settle();

  auto& gate = disk.start();
  gate.pass(gate.settings.restart_grace + 1s);  // those who did not return are released
  CHECK_FALSE(gate.admission->admits());
  CHECK(gate.refusal(gate.ask()) == DenyReason::busy);
  for (const auto session : {watching, unwritten}) {
    const auto renewal = gate.admission->renew(session, {.channel = "main"}, 10s);
    CHECK((renewal == Admission::Renewal::known || renewal == Admission::Renewal::adopted));
  }
  CHECK(gate.admission->sessions() == 2);
  disk.pass_second();
  CHECK_FALSE(gate.admission->admits());

  disk.store.is_full = false;
  disk.pass_second();
  CHECK(gate.admission->admits());
  for (int second = 0; second < 30; ++second) disk.pass_second();  // the grace after the restart
  CHECK(gate.is_granted(gate.ask()));
}

TEST_CASE("a running event admits while the disk is full, and records the sessions once it has room") {
  FullDisk disk;
  disk.start();
  disk.store.settle();
  disk.store.is_full = true;
  std::vector<access::SessionId> sessions;
  for (int i = 0; i < 80; ++i) sessions.push_back(disk.gate->granted(disk.gate->ask()));
  CHECK(disk.gate->admission->admits());
  const auto unsaved = [&] {
    base::json::Writer w;
    w.begin_object();
    disk.gate->admission->describe(w);
    const auto text = w.end_object().take();
    return base::json::parse(text)->find("access")->whole("unsaved_sessions");
  };
  for (int second = 0; second < 3; ++second) {
    disk.pass_second();
    CHECK(unsaved() == 80);
  }
  CHECK(disk.gate->admission->release(sessions.back()));
  disk.store.is_full = false;
  disk.pass_second();
  CHECK(unsaved() == 0);

  auto& gate = disk.start();
  CHECK(gate.admission->sessions() == 79);
  CHECK(gate.admission->renew(sessions.front(), {.channel = "main"}, 10s) == Admission::Renewal::known);
}

TEST_CASE("more sessions than are written again at once are all recorded") {
  FullDisk disk;
  disk.start(20'000);
  disk.store.is_full = true;
  disk.store.settle();
  disk.store.is_full = false;
  disk.pass_second();
  disk.store.is_full = true;
  for (int i = 0; i < 10'000; ++i) disk.gate->ask();
  disk.store.settle();
  disk.store.is_full = false;
  for (int second = 0; second < 3; ++second) disk.pass_second();
  CHECK(disk.start(20'000).admission->sessions() == 10'000);
}
