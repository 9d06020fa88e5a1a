#include "cache_node/disk/object_files.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "cache_node/node_under_test.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

constexpr std::uint32_t kGeneration = 0x1a;

struct ObjectFilesFixture {
  Folder folder;
  ObjectFiles files{folder.path()};
  const ObjectId id = object_key(std::string_view("bbb/1/seg1.ts")).id;
  const std::string name = id.hex() + "-0000001a";

  Object object;

  ObjectFilesFixture() {
    object.id = id;
    object.generation = kGeneration;
  }
  bool holds(const std::string& path) const { return std::filesystem::exists(folder.path() + path); }
};

}  // namespace

TEST_CASE_FIXTURE(ObjectFilesFixture, "a complete object is in one of the folders that were created at the start") {
  REQUIRE(files.prepare());
  REQUIRE(holds("/objects/" + id.hex().substr(0, 2)));
  REQUIRE(files.begin(id, kGeneration));
  CHECK_FALSE(files.open(object));
  REQUIRE(files.make_visible(id, kGeneration));
  CHECK(holds("/objects/" + id.hex().substr(0, 2) + '/' + name));
  CHECK(files.open(object));
}

TEST_CASE_FIXTURE(ObjectFilesFixture,
                  "the sweep finds the files of a deeper tree, moves the needed ones and removes the others") {
  REQUIRE(files.prepare());
  const auto deep = "/objects/" + id.hex().substr(0, 2) + "/00/";
  std::filesystem::create_directories(folder.path() + deep);
  const auto unwanted = deep + std::string(32, '0') + "-00000001";
  std::ofstream(folder.path() + deep + name) << "";
  std::ofstream(folder.path() + unwanted) << "";
  const auto removed =
      files.sweep([&](const ObjectId& found, std::uint32_t) { return found == id; }, [] { return false; });
  CHECK(removed == 1);
  CHECK_FALSE(holds(unwanted));
  CHECK_FALSE(holds(deep + name));
  CHECK(files.open(object));
}
