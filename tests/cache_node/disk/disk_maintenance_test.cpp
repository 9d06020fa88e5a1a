// Files and records that go: what a node finds that was killed in between.
#include "cache_node/disk/disk_maintenance.h"

#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::cache_node::testing;

namespace {

struct Fixture {
  Folder folder;
  NodeUnderTest node{folder.path()};

  ObjectPtr stored(std::string_view path) {
    return std::get<ObjectPtr>(node.index.find_or_begin(object_key(node.link(path)), node.clock.steady_now()));
  }
  void wait_until_no_file_of(const Object& object) {
    while (node.files.open(object)) std::this_thread::yield();
  }
  /// On disk, as a node would find it that is started now.
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

TEST_CASE_FIXTURE(Fixture,
                  "a file goes when the disk knows that its record is gone: a kill leaves no record without a file") {
  node.fill("seg1.ts", "one");
  const auto object = stored("seg1.ts");
  REQUIRE(recorded_generation(object->id) == object->generation);
  REQUIRE(node.index.drop(object));
  node.disk_maintenance.evicted({object});
  wait_until_no_file_of(*object);
  CHECK_FALSE(recorded_generation(object->id));
}

TEST_CASE_FIXTURE(Fixture, "so does a damaged one") {
  node.fill("seg1.ts", "one");
  const auto object = stored("seg1.ts");
  node.disk_maintenance.damaged(object, "a test says so");
  wait_until_no_file_of(*object);
  CHECK_FALSE(recorded_generation(object->id));
}

TEST_CASE_FIXTURE(Fixture, "a file that was replaced goes when the disk knows the new one") {
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

TEST_CASE_FIXTURE(Fixture, "an object that was evicted while it was asked about gets no record again") {
  node.fill("seg1.ts", "one");
  const auto object = stored("seg1.ts");
  REQUIRE(node.index.drop(object));
  node.disk_maintenance.evicted({object});
  node.disk_maintenance.revalidated(object);  // its record is still on disk, and its end on the way
  std::promise<void> done;
  node.disk_maintenance.add([&] { done.set_value(); });
  done.get_future().wait();
  node.journal.flush();
  CHECK_FALSE(recorded_generation(object->id));
}
