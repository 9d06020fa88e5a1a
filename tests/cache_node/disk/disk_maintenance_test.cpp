// The removal of files and records, in an order that is safe when the node is killed.
#include "cache_node/disk/disk_maintenance.h"

#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

struct DiskMaintenanceFixture {
  Folder folder;
  NodeUnderTest node{folder.path()};

  ObjectPtr stored(std::string_view path) {
    return std::get<ObjectPtr>(node.index.find_or_begin(object_key(node.link(path)), node.clock.steady_now()));
  }
  void wait_until_no_file_of(const Object& object) {
    while (node.files.open(object)) std::this_thread::yield();
  }
  /// The generation of the record on disk, as a node that starts now would read it.
  std::optional<std::uint32_t> recorded_generation(const ObjectId& id) {
    std::optional<std::uint32_t> found;
    REQUIRE(node.journal
                .each([&](const ReadRecord& record) {
                  if (record.object->id == id) found = record.object->generation;
                })
                .has_value());
    return found;
  }
};

}  // namespace

TEST_CASE_FIXTURE(DiskMaintenanceFixture,
                  "a file is removed after its record was, so that a kill leaves no record without a file") {
  node.fill("seg1.ts", "one");
  const auto object = stored("seg1.ts");
  REQUIRE(recorded_generation(object->id) == object->generation);
  REQUIRE(node.index.drop(object));
  node.disk_maintenance.evicted({object});
  wait_until_no_file_of(*object);
  CHECK_FALSE(recorded_generation(object->id));
}

TEST_CASE_FIXTURE(DiskMaintenanceFixture, "a damaged file is removed after its record was") {
  node.fill("seg1.ts", "one");
  const auto object = stored("seg1.ts");
  node.disk_maintenance.damaged(object, "a test says so");
  wait_until_no_file_of(*object);
  CHECK_FALSE(recorded_generation(object->id));
}

TEST_CASE_FIXTURE(DiskMaintenanceFixture, "a replaced file is removed after the record of the new one was written") {
  node.fill("seg1.ts", "one");
  const auto before = stored("seg1.ts");
  REQUIRE(node.index.purge(before->id, true).found);
  const auto seen = node.ask("seg1.ts");
  node.answer(node.origin(1), "two");
  REQUIRE(seen->wait_end());
  wait_until_no_file_of(*before);
  const auto after = recorded_generation(before->id);
  REQUIRE(after.has_value());
  CHECK(*after != before->generation);
}

TEST_CASE_FIXTURE(DiskMaintenanceFixture, "an object that was evicted while it was revalidated gets no record again") {
  node.fill("seg1.ts", "one");
  const auto object = stored("seg1.ts");
  REQUIRE(node.index.drop(object));
  node.disk_maintenance.evicted({object});
  node.disk_maintenance.revalidated(object);  // its record is still on disk, and the removal is queued
  std::promise<void> done;
  node.disk_maintenance.add([&] { done.set_value(); });
  done.get_future().wait();
  node.journal.flush();
  CHECK_FALSE(recorded_generation(object->id));
}
