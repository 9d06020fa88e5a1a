#include "base/typed_code.h"

#include <doctest/doctest.h>

using namespace tribune;

TEST_CASE("a code has groups of four characters") {
  const auto code = base::new_typed_code(12);
  REQUIRE(code.size() == 14);
  CHECK(code[4] == '-');
  CHECK(code[9] == '-');
  CHECK(base::new_typed_code(4).size() == 4);
  CHECK(base::new_typed_code(16) != base::new_typed_code(16));
}

TEST_CASE("a code is the same with other dashes, spaces and letters, and no other one is") {
  const auto hash = base::typed_code_hash("abcd-efgh-2345");
  CHECK(hash.size() == 64);
  CHECK(base::typed_code_hash("ABCDEFGH2345") == hash);
  CHECK(base::typed_code_hash(" abcd efgh-2345 ") == hash);
  CHECK(base::typed_code_hash("abcd-efgh-2346") != hash);
}
