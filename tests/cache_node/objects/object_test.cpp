#include "cache_node/objects/object.h"

#include <doctest/doctest.h>

using namespace tribune::cache_node;

TEST_CASE("an object returns the head that was stored, whatever its strings are") {
  const std::vector<ObjectHead> heads = {{"video/mp2t", "\"65f1-200000\"", 1'699'999'990, ""},
                                         {"video/mp2t", "", -1, ""},
                                         {"text/odd; charset=x", "", 5, ""},
                                         {"text/odd", "W/\"a\"", 5, ""},
                                         {"", "\"only a tag\"", -1, ""},
                                         {"", "", -1, ""},
                                         {"video/MP2T", "", -1, ""},
                                         {"application/octet-stream", "\"\"", 1, ""},
                                         {"video/mp4", "", -1, " a b"},
                                         {"text/odd", "\"x\"", 3, " a"},
                                         {"video/mp4", "", -1, "", {"no-cache", "max-age=6", std::chrono::seconds(7)}},
                                         {"text/odd", "\"x\"", 3, " a", {"max-age=6", "", std::chrono::seconds(0)}}};
  for (const auto& head : heads) {
    Object object;
    object.set_head(head);
    CHECK(object.head() == head);
  }
}

TEST_CASE("an ETag that was generated from the bytes is generated again, not stored") {
  Object object;
  object.size = 7;
  object.checksum = 99;
  const ObjectHead head{"video/mp4", etag_of_body(99, 7), -1, ""};
  object.set_head(head);
  CHECK(object.head() == head);
}

TEST_CASE("an object takes at most 56 bytes") { CHECK(sizeof(Object) <= 56); }

TEST_CASE("a later head replaces an earlier one") {
  Object object;
  object.set_head({"text/odd", "\"a\"", 5, ""});
  object.set_head({"video/mp4", "\"b\"", -1, ""});
  CHECK(object.head() == ObjectHead{"video/mp4", "\"b\"", -1, ""});
}
