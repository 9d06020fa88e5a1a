// Parts of a representation, and what it costs to extend and to find them.
#include <doctest/doctest.h>

#include "http_cache/request_variants.h"
#include "http_cache/response_store.h"
#include "http_cache/sliced_body.h"
#include "http_cache/stored_response.h"
#include "support/sample_body.h"

using namespace tribune;
using namespace tribune::http_cache;
using namespace tribune::test;

namespace {

SlicedBody body_with(std::string bytes) {
  const auto length = bytes.size();
  return SlicedBody({base::share(std::move(bytes)), 0, length});
}

std::string text_of(const SlicedBody& body) {
  std::string text;
  for (const auto& slice : body.slices()) text += slice.view();
  return text;
}

/// The bytes from `first` on of a representation of `whole` bytes.
StoredResponsePtr part_of(std::uint64_t first, std::string bytes, std::uint64_t whole, std::string etag = "\"one\"") {
  auto part = std::make_shared<StoredResponse>();
  part->head.headers = {{"ETag", etag}};
  part->part = http::ByteRange{first, first + bytes.size() - 1};
  part->whole_length = whole;
  part->body = body_with(std::move(bytes));
  return part;
}

http::Request asking(http::Method method) {
  http::Request request;
  request.method = method;
  request.headers = {{"Range", "bytes=0-4"}};
  return request;
}

constexpr std::uint64_t kBound = 1 << 20;

}  // namespace

TEST_CASE("parts that adjoin or overlap are combined without copying a byte") {
  const auto left = part_of(0, "hel", 10), right = part_of(3, "lo", 10), overlapping = part_of(2, "llo", 10);
  for (const auto& [older, newer] : {std::pair(left, right), std::pair(right, left), std::pair(left, overlapping)}) {
    const auto both = combined(older, newer, kBound);
    CHECK(both->part == http::ByteRange{0, 4});
    CHECK(text_of(both->body) == "hello");
    CHECK(both->body.slices().front().bytes == left->body.slices().front().bytes);
  }
  const auto whole = combined(part_of(0, "hel", 5), part_of(3, "lo", 5), kBound);
  CHECK_FALSE(whole->part);
  CHECK(text_of(whole->body) == "hello");
}

TEST_CASE("parts are combined up to a bound of bytes and of slices, and the longer one stays") {
  const auto large = part_of(0, std::string(600'000, 'a'), 1 << 21);
  const auto next = part_of(600'000, std::string(500'000, 'b'), 1 << 21);
  CHECK(combined(large, next, kBound)->body.size() == 600'000);
  CHECK(combined(next, large, kBound)->body.size() == 600'000);
  StoredResponsePtr grown = part_of(0, std::string(1'000, 'a'), 1 << 21);
  for (std::uint64_t at = 1'000; at < 2'000; ++at) grown = combined(grown, part_of(at, "b", 1 << 21), kBound);
  CHECK(grown->body.slices().size() == 64);
  CHECK(grown->part == http::ByteRange{0, 1'062});
  CHECK(grown->body.held_bytes() <= kBound);
}

TEST_CASE("a part of another representation replaces the older one, and a distant one only if it is longer") {
  const auto older = part_of(0, "hello", 20);
  CHECK(text_of(combined(older, part_of(5, "x", 20, "\"two\""), kBound)->body) == "x");
  CHECK(text_of(combined(older, part_of(5, "x", 20, "W/\"one\""), kBound)->body) == "x");
  CHECK(text_of(combined(older, part_of(5, "x", 21), kBound)->body) == "x");
  CHECK(text_of(combined(older, part_of(10, "x", 20), kBound)->body) == "hello");
  CHECK(text_of(combined(older, part_of(10, "longer", 20), kBound)->body) == "longer");
}

TEST_CASE("any part of a body in slices can be taken") {
  SlicedBody body;
  for (const auto* piece : {"abc", "d", "", "efg"})
    body.append(body_with(piece).size() ? body_with(piece).slices()[0] : base::BytesSlice{});
  REQUIRE(text_of(body) == "abcdefg");
  for (std::uint64_t first = 0; first <= 7; ++first)
    for (std::uint64_t length = 0; first + length <= 7; ++length)
      CHECK(text_of(body.part(first, length)) == std::string("abcdefg").substr(first, length));
}

TEST_CASE("a growing body has the same bytes in slices, whether its length is known or not") {
  const auto bytes = body_of(3 << 20);
  for (const auto length : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(bytes.size())}) {
    GrowingBody body(length);
    std::string read;
    for (std::size_t at = 0; at < bytes.size(); at += 10'007) {
      body.append(std::string_view(bytes).substr(at, 10'007));
      for (const auto& slice : body.from(read.size())) read += slice.view();
    }
    CHECK(read == bytes);
    const auto whole = body.finished();
    CHECK(text_of(whole) == bytes);
    CHECK(whole.held_bytes() < bytes.size() + 4'096);
    CHECK(whole.slices().size() < 12);
  }
}

TEST_CASE("a part does not replace the whole of the same representation") {
  ResponseStore store(64 << 20);
  const http::Headers fields;
  RequestVariants request(fields);
  const auto whole_with = [](const std::string& etag) {
    auto whole = std::make_shared<StoredResponse>();
    whole->head.headers = {{"ETag", etag}};
    whole->body = body_with("hello");
    return whole;
  };
  store.put("k", whole_with("\"one\""), 0);
  store.put("k", part_of(0, "hel", 5), 0);
  CHECK_FALSE(store.find("k", request).response->part);
  store.put("k", part_of(0, "new", 5, "\"two\""), 0);
  CHECK(store.find("k", request).response->part);
  store.put("k", whole_with("\"two\""), 0);
  CHECK_FALSE(store.find("k", request).response->part);
  CHECK(store.totals().entries == 1);
}

TEST_CASE("a part does not answer HEAD, whose response has the length of the whole") {
  const auto part = part_of(0, "hello", 10);
  CHECK(covers(*part, asking(http::Method::get)));
  CHECK_FALSE(covers(*part, asking(http::Method::head)));
  CHECK_FALSE(covers(*part, {}));
}

TEST_CASE("a response that was requested before an invalidation is not stored") {
  ResponseStore store(64 << 20);
  const auto before = store.generation("k");
  store.invalidate("k");
  store.put("k", part_of(0, "hel", 5), before);
  CHECK(store.totals().entries == 0);
  store.put("k", part_of(0, "hel", 5), store.generation("k"));
  CHECK(store.totals().entries == 1);
}

TEST_CASE("a body that is announced and not sent occupies little memory") {
  GrowingBody body(16 << 20);
  body.append("hello");
  CHECK(body.from(0).front().bytes->size() <= (16 << 10));
}

TEST_CASE("a request computes the key of each Vary once, however many variants are stored") {
  ResponseStore store(64 << 20);
  for (int i = 0; i < 70; ++i) {
    const http::Headers request{{"Accept-Language", "x" + std::to_string(i)}};
    store.put("k", std::make_shared<StoredResponse>(stored_head({200, {{"Vary", "Accept-Language"}}, {}, {}}, request)),
              0);
  }
  CHECK(store.totals().entries == 64);
  const http::Headers fields{{"Accept-Language", "x69"}};
  RequestVariants request(fields);
  const auto found = store.find("k", request);
  REQUIRE(found.response);
  CHECK(request.select(*found.response) == true);
  const http::Headers other{{"Accept-Language", "none"}};
  RequestVariants stranger(other);
  CHECK_FALSE(store.find("k", stranger).response);
  CHECK(store.find("k", stranger).other);
}

TEST_CASE("a URI has a bounded number of different values of Vary, and the oldest ones give way") {
  ResponseStore store(64 << 20);
  const http::Headers fields{{"A", "1"}};
  for (int i = 0; i < 20; ++i)
    store.put("k",
              std::make_shared<StoredResponse>(stored_head({200, {{"Vary", "F" + std::to_string(i)}}, {}, {}}, fields)),
              0);
  CHECK(store.totals().entries == 8);
  RequestVariants request(fields);
  CHECK(store.find("k", request).response->vary == "F19");
}
