#include "cache_node/objects/checksum.h"

#include <doctest/doctest.h>

#include "support/sample_body.h"

using namespace tribune::cache_node;

TEST_CASE("the checksum is XXH64 with seed 0") {
  CHECK(checksum("") == 0xEF46DB3751D8E999ULL);
  CHECK(checksum("a") == 0xD24EC4F1A98C6E5BULL);
  CHECK(checksum("abc") == 0x44BC2CF5AD770999ULL);
  CHECK(checksum("xxhash is a fast non-cryptographic hash algorithm") ==
        checksum(std::string("xxhash is a fast ") + "non-cryptographic hash algorithm"));
}

TEST_CASE("a body has the same checksum however it is split into pieces") {
  const auto body = tribune::test::body_of(10'000);
  for (const std::size_t piece : {1u, 7u, 31u, 32u, 33u, 4096u, 9'999u}) {
    Checksum sum;
    for (std::size_t at = 0; at < body.size(); at += piece) sum.add(std::string_view(body).substr(at, piece));
    CHECK(sum.value() == checksum(body));
    CHECK(sum.length() == body.size());
  }
}

TEST_CASE("one flipped bit anywhere changes the checksum") {
  auto body = tribune::test::body_of(200);
  const auto sum = checksum(body);
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ (1 << (bit % 8)));
    CHECK(checksum(body) != sum);
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ (1 << (bit % 8)));
  }
}
