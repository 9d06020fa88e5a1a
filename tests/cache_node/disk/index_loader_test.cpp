#include "cache_node/disk/index_loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "cache_node/disk/index_records.h"

using namespace tribune;
using namespace tribune::cache_node;

namespace {

/// A read-only table.
class Records final : public store::Store {
 public:
  std::map<std::string, std::string> all;
  base::Status at_the_end;

  std::optional<std::string> set_aside() const override { return std::nullopt; }
  base::Result<std::optional<std::string>> get(std::string_view, std::string_view) const override {
    return std::optional<std::string>();
  }
  base::Status scan(std::string_view,
                    const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    for (const auto& [key, value] : all)
      if (!visit(key, value)) return {};
    return at_the_end;
  }
  void put(std::string_view, std::string, std::string, OnCommitted) override {}
  void erase(std::string_view, std::string, OnCommitted) override {}
  void keep(std::string_view, std::string, std::optional<std::string>, OnCommitted) override {}
  base::Status flush() override { return {}; }
  std::uint64_t failed_batches() const override { return 0; }

  /// One of every `one_in` records is damaged.
  void fill(std::uint32_t count, std::uint32_t one_in) {
    for (std::uint32_t i = 0; i < count; ++i) {
      Object object;
      object.id = object_key("demo/e1/seg" + std::to_string(i)).id;
      object.size = i;
      object.stored = (i * 7'919u) % count;
      object.set_head({"video/mp2t", "\"" + std::to_string(i) + "-tag\"", 1'700'000'000, ""});
      auto record = write_record(object, "demo/e1/seg" + std::to_string(i));
      if (i % one_in == 0) record.back() = static_cast<char>(record.back() ^ 1);
      all.emplace(object.id.view(), std::move(record));
    }
  }
};

void comes_back(std::uint32_t count, std::uint32_t one_in) {
  Records records;
  records.fill(count, one_in);
  const auto loaded = load_records(records);
  CHECK(loaded.status);
  CHECK(loaded.damaged.size() == count / one_in);
  REQUIRE(loaded.objects.size() == count - count / one_in);
  CHECK(std::is_sorted(loaded.objects.begin(), loaded.objects.end(),
                       [](const auto& a, const auto& b) { return a->stored.load() < b->stored.load(); }));
  std::uint32_t right = 0;
  for (const auto& object : loaded.objects)
    right += object->id == object_key("demo/e1/seg" + std::to_string(object->size)).id &&
             object->head().etag == "\"" + std::to_string(object->size) + "-tag\"";
  CHECK(right == loaded.objects.size());
}

}  // namespace

TEST_CASE("a small number of records is loaded in the order of their age, and damaged ones are listed") {
  comes_back(20, 10);
}

TEST_CASE("many records are loaded in the order of their age, whichever thread parsed them") {
  comes_back(40'000, 1'000);
}

TEST_CASE("a scan that fails keeps the records that it has read") {
  Records records;
  records.fill(8'000, 8'000);
  records.at_the_end = base::failure(base::ErrorKind::io, base::Fault::tribune, "scripted");
  const auto loaded = load_records(records);
  CHECK_FALSE(loaded.status);
  CHECK(loaded.objects.size() == 7'999);
}
