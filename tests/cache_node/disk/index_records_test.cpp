#include "cache_node/disk/index_records.h"

#include <doctest/doctest.h>

using namespace tribune::cache_node;

namespace {
ObjectPtr sample() {
  auto object = std::make_shared<Object>();
  object->id = object_key("demo/e1/seg1.ts").id;
  object->generation = 77;
  object->size = 2'097'152;
  object->checksum = 0x1122334455667788ULL;
  object->stored = 1'700'000'000;
  object->set_head({"video/mp2t", "\"65f1-200000\"", 1'699'999'990, " match half-1"});
  return object;
}
}  // namespace

TEST_CASE("a record has all properties of an object, and the object is unverified when it is read") {
  const auto object = sample();
  object->verified = true;
  object->stale = true;
  const auto record = write_record(*object, "demo/e1/seg1.ts");
  const auto read = read_record(object->id.view(), record);
  REQUIRE(read);
  CHECK(read->key_text == "demo/e1/seg1.ts");
  CHECK(read->object->stale);
  CHECK(read->object->id == object->id);
  CHECK(read->object->generation == 77);
  CHECK(read->object->size == object->size);
  CHECK(read->object->checksum == object->checksum);
  CHECK(read->object->stored == object->stored);
  CHECK(read->object->head() == object->head());
  CHECK_FALSE(read->object->verified);
}

TEST_CASE("a record with any flipped bit, truncated anywhere or extended is refused") {
  const auto object = sample();
  auto record = write_record(*object, "demo/e1/seg1.ts");
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    record[bit / 8] = static_cast<char>(record[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(read_record(object->id.view(), record));
    record[bit / 8] = static_cast<char>(record[bit / 8] ^ (1 << (bit % 8)));
  }
  for (std::size_t size = 0; size < record.size(); ++size)
    CHECK_FALSE(read_record(object->id.view(), std::string_view(record).substr(0, size)));
  CHECK_FALSE(read_record(object->id.view(), record + "x"));
  CHECK_FALSE(read_record("short id", record));
  CHECK(read_record(object->id.view(), record));
}

TEST_CASE("the record of a sliced file has all its properties") {
  SlicedFile file;
  file.key = object_key("demo/e1/film.mp4?v=1");
  file.head = {"video/mp4", "\"film\"", 1'699'999'990, " films", {"max-age=60", "max-age=9", std::chrono::seconds(3)}};
  file.size = 5'000'000'000;
  file.slice_bytes = 8 << 20;
  file.seen = 1'700'000'000;
  auto record = write_file_record(file);
  const auto read = read_file_record(file.key.id.view(), record);
  REQUIRE(read);
  CHECK(read->key.text == file.key.text);
  CHECK(read->key.id == file.key.id);
  CHECK(read->head == file.head);
  CHECK(read->size == file.size);
  CHECK(read->slice_bytes == file.slice_bytes);
  CHECK(read->seen == file.seen);
  CHECK_FALSE(read_file_record(object_key("demo/e1/other.mp4").id.view(), record));
  CHECK_FALSE(read_record(file.key.id.view(), record));
  for (std::size_t size = 0; size < record.size(); ++size)
    CHECK_FALSE(read_file_record(file.key.id.view(), std::string_view(record).substr(0, size)));
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    record[bit / 8] = static_cast<char>(record[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(read_file_record(file.key.id.view(), record));
    record[bit / 8] = static_cast<char>(record[bit / 8] ^ (1 << (bit % 8)));
  }
  file.slice_bytes = 0;
  CHECK_FALSE(read_file_record(file.key.id.view(), write_file_record(file)));
}

TEST_CASE("the key of an object is made from the channel, epoch, path and origin query of the link") {
  tribune::contracts::Link link{"demo", "e1", "720p/seg1.ts", "", 1};
  CHECK(object_key(link).text == "demo/e1/720p/seg1.ts");
  const auto plain = object_key(link).id;
  link.expires = 99;
  CHECK(object_key(link).id == plain);
  link.origin_query = "v=2";
  CHECK(object_key(link).text == "demo/e1/720p/seg1.ts?v=2");
  CHECK_FALSE(object_key(link).id == plain);
  CHECK(plain.hex().size() == 32);
}
