#include "base/recent_map.h"

#include <doctest/doctest.h>

#include <string>

using tribune::base::RecentMap;

namespace {

std::string keys(const RecentMap<int, std::string>& map) {
  std::string out;
  for (const auto& [key, value] : map) out += (out.empty() ? "" : " ") + std::to_string(key);
  return out;
}

}  // namespace

TEST_CASE("a map returns its least recently used entry") {
  RecentMap<int, std::string> map;
  CHECK(map.oldest() == nullptr);
  for (const int key : {1, 2, 3}) CHECK(map.try_emplace(key, "made").second);
  CHECK(keys(map) == "1 2 3");
  CHECK(map.find(1));
  CHECK(keys(map) == "2 3 1");
  CHECK_FALSE(map.try_emplace(2, "again").second);
  CHECK(*map.peek(2) == "made");
  CHECK(keys(map) == "3 1 2");
  CHECK(map.oldest()->first == 3);
  CHECK(map.find(9) == nullptr);
  CHECK(map.peek(9) == nullptr);
}

TEST_CASE("an erased entry can be inserted again") {
  RecentMap<int, std::string> map;
  for (const int key : {1, 2, 3, 4}) map.try_emplace(key, std::to_string(key));
  CHECK(map.erase(2));
  CHECK_FALSE(map.erase(2));
  map.erase_if([](int key, const std::string& value) { return key == 3 && value == "3"; });
  CHECK(keys(map) == "1 4");
  CHECK(map.size() == 2);
  CHECK(map.try_emplace(2, "anew").second);
  CHECK(keys(map) == "1 4 2");
  map.clear();
  CHECK(map.empty());
}
