#include "net/server/request_id.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

using namespace tribune;
using namespace tribune::net;

TEST_CASE("an id from a trusted proxy is kept, and any other is replaced") {
  RequestIds ids;
  const auto settled = [&](std::vector<std::string> given, bool believed) {
    http::Request request;
    for (const auto& id : given) request.headers.add("x-request-id", id);
    settle_request_id(request, believed, ids);
    REQUIRE(request.headers.count("X-Request-Id") == 1);
    return std::string(*request.headers.first("X-Request-Id"));
  };
  CHECK(settled({"abc-1.2_3"}, true) == "abc-1.2_3");
  CHECK(settled({"abc-1.2_3"}, false).size() == 16);
  CHECK(settled({}, true).size() == 16);
  CHECK(settled({"two", "ids"}, true).size() == 16);
  for (const std::string wrong : {"", "a b", "a\tb", "a\"b", "a,b", "\xc3\xa4"})
    CHECK(settled({wrong}, true).size() == 16);
  CHECK(settled({std::string(64, 'x')}, true).size() == 64);
  CHECK(settled({std::string(65, 'x')}, true).size() == 16);
}

TEST_CASE("ids are unique, from one source and from several") {
  std::set<std::string> seen;
  RequestIds a, b;
  for (int i = 0; i < 10'000; ++i) {
    CHECK(is_request_id(a.next()));
    seen.insert(a.next());
    seen.insert(b.next());
  }
  CHECK(seen.size() == 20'000);
}
