#include "contracts/keyed_text.h"

#include <doctest/doctest.h>

using namespace tribune::contracts;

TEST_CASE("a text with a prefix and a key id is read back as what was written") {
  for (const std::string& bytes : {std::string("x"), std::string(), std::string(40, '\xff'), std::string("\0\n", 2)}) {
    const auto text = write_keyed_text("abc_", "k1", bytes);
    CHECK(text.size() == max_keyed_text_characters("abc_", bytes.size()) - 14);
    const auto parsed = parse_keyed_text(text, "abc_", text.size());
    REQUIRE(parsed);
    CHECK(parsed->key_id == "k1");
    CHECK(parsed->bytes == bytes);
    CHECK_FALSE(parse_keyed_text(text, "abc_", text.size() - 1));
    CHECK_FALSE(parse_keyed_text(text, "abd_", text.size()));
  }
}

TEST_CASE("a text with a wrong key id or in another than the canonical base64url is refused") {
  CHECK(parse_keyed_text("abc_k1.AQ", "abc_", 100));
  for (const char* text : {"abc_.AQ", "abc_K.AQ", "abc_abcdefghij0123456.AQ", "abc_k1", "abc_k1.AQ.AQ", "abc_k1.AQ==",
                           "abc_k1.AR", "abc_k1.A", "abc_k1.+w", "abc_k1.A Q", "abc_k1.AQ\n", "bc_k1.AQ", ""})
    CHECK_FALSE(parse_keyed_text(text, "abc_", 100));
}
