// The check of an LMDB file at its limits: images of small pages, each with one value changed.
#include "store/lmdb_file_check.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>

#include "support/folder.h"

using namespace tribune;
using namespace tribune::test;

namespace {

constexpr std::size_t kPage = 512;
constexpr std::uint16_t kBranch = 1, kLeaf = 2, kOverflow = 4;
constexpr std::uint16_t kBigData = 1, kTable = 2;

/// Pages 0 and 1 are the meta pages; the main tree is branch 2 with the leaves 3 and 4, of which 4 has a value of two
/// pages at 7, and the free list is leaf 5. Pages 6 and 9 are not in use.
class LmdbImage {
 public:
  LmdbImage() : bytes_(kPage * 10, '\0') {
    for (const std::size_t meta : {0, 1}) {
      auto* at = page(meta) + 16;
      set<std::uint32_t>(at, 0xBEEFC0DE);
      set<std::uint32_t>(at + 4, 1);
      set<std::uint32_t>(at + 24, kPage);
      set<std::uint64_t>(at + 24 + 40, 5);
      set<std::uint64_t>(at + 72 + 40, 2);
      set<std::uint64_t>(at + 120, 9);
      set<std::uint64_t>(at + 128, meta);  // the transaction: the second one is newer
    }
    begin(2, kBranch);
    add_child(2, 3);
    add_child(2, 4);
    begin(3, kLeaf);
    add_value(3, 3, 10);
    begin(4, kLeaf);
    add_big_value(4, 2 * kPage - 16, 7);
    set<std::uint64_t>(page(7), 7);
    set<std::uint16_t>(page(7) + 10, kOverflow);
    begin(5, kLeaf);
    add_value(5, 8, 8);
  }

  char* page(std::size_t number) { return bytes_.data() + number * kPage; }
  char* meta() { return page(1) + 16; }
  /// The n-th node of a page.
  char* node(std::size_t number, std::size_t n) { return page(number) + get<std::uint16_t>(page(number) + 16 + 2 * n); }
  template <class T>
  static void set(char* at, T value) {
    std::memcpy(at, &value, sizeof value);
  }
  template <class T>
  static T get(const char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }

  void begin(std::size_t number, std::uint16_t kind) {
    std::memset(page(number), 0, kPage);
    set<std::uint64_t>(page(number), number);
    set<std::uint16_t>(page(number) + 10, kind);
    set<std::uint16_t>(page(number) + 12, 16);
    set<std::uint16_t>(page(number) + 14, kPage);
  }
  /// A node of that many bytes, at the end of the free space.
  char* add_node(std::size_t number, std::size_t bytes) {
    auto* at = page(number);
    const auto lower = get<std::uint16_t>(at + 12), upper = get<std::uint16_t>(at + 14);
    const auto offset = static_cast<std::uint16_t>(upper - bytes);
    set<std::uint16_t>(at + lower, offset);
    set<std::uint16_t>(at + 12, static_cast<std::uint16_t>(lower + 2));
    set<std::uint16_t>(at + 14, offset);
    return at + offset;
  }
  void add_child(std::size_t number, std::uint16_t child) { set<std::uint16_t>(add_node(number, 8), child); }
  char* add_value(std::size_t number, std::uint16_t key, std::uint16_t value) {
    auto* at = add_node(number, 8u + key + value);
    set<std::uint16_t>(at, value);
    set<std::uint16_t>(at + 6, key);
    return at;
  }
  void add_big_value(std::size_t number, std::uint16_t size, std::uint64_t at_page) {
    auto* at = add_value(number, 0, 8);
    set<std::uint16_t>(at, size);
    set<std::uint16_t>(at + 4, kBigData);
    set<std::uint64_t>(at + 8, at_page);
  }
  void resize(std::size_t bytes) { bytes_.resize(bytes); }

  std::string damage() const {
    const Folder folder;
    const auto path = folder / "data.mdb";
    std::ofstream(path, std::ios::binary) << bytes_;
    const auto found = lmdb_damage_of(path);
    return found.value_or("");
  }

 private:
  static std::optional<std::string> lmdb_damage_of(const std::string& path) {
    auto found = store::lmdb_file_damage(path);
    REQUIRE(found);
    return *found;
  }
  std::string bytes_;
};

struct Case {
  const char* name;
  std::function<void(LmdbImage&)> change;
  const char* damage;  // part of the reason; empty: the file is whole
};

void check(const std::vector<Case>& cases) {
  for (const auto& one : cases) {
    CAPTURE(one.name);
    LmdbImage image;
    one.change(image);
    const auto damage = image.damage();
    CAPTURE(damage);
    if (*one.damage)
      CHECK(damage.find(one.damage) != std::string::npos);
    else
      CHECK(damage.empty());
  }
}

template <class T>
std::function<void(LmdbImage&)> header(std::size_t page, std::size_t at, T value) {
  return [=](LmdbImage& image) { LmdbImage::set<T>(image.page(page) + at, value); };
}

}  // namespace

TEST_CASE("a page's header has the limits of its page") {
  check({
      {"unchanged", [](LmdbImage&) {}, ""},
      {"no node in a leaf", [](LmdbImage& image) { image.begin(3, kLeaf); }, ""},
      {"the free space begins in the header", header<std::uint16_t>(3, 12, 14), "damaged header"},
      {"the free space begins at an odd place", header<std::uint16_t>(3, 12, 17), "damaged header"},
      {"the free space ends before it begins",
       [](LmdbImage& image) {
         LmdbImage::set<std::uint16_t>(image.page(3) + 12, 18);
         LmdbImage::set<std::uint16_t>(image.page(3) + 14, 17);
       },
       "damaged header"},
      {"there is no free space",
       [](LmdbImage& image) {
         image.begin(3, kLeaf);
         image.add_value(3, 200, kPage - 16 - 2 - 8 - 200);
       },
       ""},
      {"the free space ends behind the page", header<std::uint16_t>(3, 14, kPage + 1), "damaged header"},
      {"neither branch nor leaf", header<std::uint16_t>(3, 10, 0), "damaged header"},
      {"branch and leaf", header<std::uint16_t>(3, 10, kBranch | kLeaf), "damaged header"},
      {"the number of another page", header<std::uint64_t>(3, 0, 4), "number of another page"},
  });
}

TEST_CASE("a branch page has at least two children, in the free list one") {
  const auto branch = [](std::size_t page, int children) {
    return [=](LmdbImage& image) {
      if (page == 5) {
        LmdbImage::set<std::uint64_t>(image.meta() + 24 + 40, 6);
        image.begin(6, kBranch);
        for (int i = 0; i < children; ++i) image.add_child(6, 5);
      } else {
        image.begin(2, kBranch);
        for (int i = 0; i < children; ++i) image.add_child(2, static_cast<std::uint16_t>(3 + i));
      }
    };
  };
  check({{"no child", branch(2, 0), "is empty"},
         {"one child", branch(2, 1), "is empty"},
         {"two children", branch(2, 2), ""},
         {"no child in the free list", branch(5, 0), "is empty"},
         {"one child in the free list", branch(5, 1), ""}});
}

TEST_CASE("a node lies behind the free space and within its page") {
  const auto place = [](int offset) { return header<std::uint16_t>(3, 16, static_cast<std::uint16_t>(offset)); };
  const auto upper = LmdbImage::get<std::uint16_t>(LmdbImage().page(3) + 14);
  const auto empty_at_end = [](std::uint16_t at) {
    return [=](LmdbImage& image) {
      image.begin(3, kLeaf);
      image.add_node(3, 8);
      LmdbImage::set<std::uint16_t>(image.page(3) + 16, at);
    };
  };
  const auto sizes = [](std::uint16_t key, std::uint32_t data) {
    return [=](LmdbImage& image) {
      auto* node = image.node(3, 0);
      LmdbImage::set<std::uint16_t>(node + 6, key);
      LmdbImage::set<std::uint16_t>(node, static_cast<std::uint16_t>(data));
      LmdbImage::set<std::uint16_t>(node + 2, static_cast<std::uint16_t>(data >> 16));
    };
  };
  const auto branch_key = [](std::uint16_t key) {
    return [=](LmdbImage& image) { LmdbImage::set<std::uint16_t>(image.node(2, 0) + 6, key); };
  };
  check({
      {"at the end of the free space", place(upper), ""},
      {"in the free space", place(upper - 1), "damaged node"},
      {"its header ends with the page", empty_at_end(kPage - 8), ""},
      {"its header ends behind the page", empty_at_end(kPage - 7), "damaged node"},
      {"key and value end with the page", sizes(3, 10), ""},
      {"the key ends behind the page", sizes(4, 10), "damaged node"},
      {"the value ends behind the page", sizes(3, 11), "damaged node"},
      {"the value is larger than 65,535", sizes(3, 10 + 65'536), "damaged node"},
      {"a key in a branch ends with the page", branch_key(0), ""},
      {"a key in a branch ends behind the page", branch_key(1), "damaged node"},
  });
}

TEST_CASE("a key has at most 511 bytes") {
  // Pages of 2,048 bytes hold it: the image's pages are four times as large.
  for (const bool is_too_long : {false, true}) {
    CAPTURE(is_too_long);
    constexpr std::size_t kLarge = 2'048;
    std::string bytes(3 * kLarge, '\0');
    for (const std::size_t meta : {0u, 1u}) {
      auto* at = bytes.data() + meta * kLarge + 16;
      LmdbImage::set<std::uint32_t>(at, 0xBEEFC0DE);
      LmdbImage::set<std::uint32_t>(at + 4, 1);
      LmdbImage::set<std::uint32_t>(at + 24, kLarge);
      LmdbImage::set<std::uint64_t>(at + 24 + 40, ~std::uint64_t{0});
      LmdbImage::set<std::uint64_t>(at + 72 + 40, 2);
      LmdbImage::set<std::uint64_t>(at + 120, 2);
    }
    auto* leaf = bytes.data() + 2 * kLarge;
    LmdbImage::set<std::uint64_t>(leaf, 2);
    LmdbImage::set<std::uint16_t>(leaf + 10, kLeaf);
    LmdbImage::set<std::uint16_t>(leaf + 12, 18);
    LmdbImage::set<std::uint16_t>(leaf + 14, 1'000);
    LmdbImage::set<std::uint16_t>(leaf + 16, 1'000);
    LmdbImage::set<std::uint16_t>(leaf + 1'000 + 6, is_too_long ? 512 : 511);
    const Folder folder;
    std::ofstream(folder / "data.mdb", std::ios::binary) << bytes;
    const auto damage = store::lmdb_file_damage(folder / "data.mdb");
    REQUIRE(damage);
    CHECK(damage->has_value() == is_too_long);
  }
}

TEST_CASE("pages are referred to within the file, once, by pages of the right type") {
  const auto child = [](std::uint64_t page) {
    return [=](LmdbImage& image) {
      auto* node = image.node(2, 1);
      LmdbImage::set<std::uint16_t>(node, static_cast<std::uint16_t>(page));
      LmdbImage::set<std::uint16_t>(node + 2, static_cast<std::uint16_t>(page >> 16));
      LmdbImage::set<std::uint16_t>(node + 4, static_cast<std::uint16_t>(page >> 32));
    };
  };
  const auto big = [](std::uint16_t size, std::uint64_t page) {
    return [=](LmdbImage& image) {
      image.begin(4, kLeaf);
      image.add_big_value(4, size, page);
    };
  };
  check({
      {"a meta page", child(1), "outside the file"},
      {"behind the last page", child(10), "outside the file"},
      {"far behind the last page", child(std::uint64_t{1} << 32), "outside the file"},
      {"its own parent", child(2), "cycle"},
      {"a value that fills two pages", big(2 * kPage - 16, 7), ""},
      {"a value of one byte more", big(2 * kPage - 15, 7), ""},
      {"a value up to the last page", big(3 * kPage - 16, 7), ""},
      {"a value behind the last page", big(3 * kPage - 15, 7), "outside the file"},
      {"a value in a leaf", big(kPage - 16, 3), "wrong type"},
      {"an empty tree",
       [](LmdbImage& image) { LmdbImage::set<std::uint64_t>(image.meta() + 72 + 40, ~std::uint64_t{0}); }, ""},
      {"the file ends with the last page in use", [](LmdbImage& image) { image.resize(9 * kPage); }, ""},
      {"the file ends one byte earlier", [](LmdbImage& image) { image.resize(9 * kPage - 1); }, "beyond the end"},
      {"a flag that does not exist", [](LmdbImage& image) { LmdbImage::set<std::uint16_t>(image.node(3, 0) + 4, 4); },
       "damaged node"},
      {"a table of another size", [](LmdbImage& image) { LmdbImage::set<std::uint16_t>(image.node(3, 0) + 4, kTable); },
       "damaged table"},
  });
}

TEST_CASE("the newer of two meta pages of one format and page size is in force") {
  const auto both = [](std::size_t at, std::uint32_t value) {
    return [=](LmdbImage& image) {
      for (const std::size_t meta : {0, 1}) LmdbImage::set<std::uint32_t>(image.page(meta) + 16 + at, value);
    };
  };
  check({
      {"another magic number", both(0, 0xBEEFC0DF), "not an LMDB file"},
      {"another version", both(4, 2), "data version 2"},
      {"pages of 256 bytes", both(24, 256), "invalid page size"},
      {"pages of 131072 bytes", both(24, 131'072), "invalid page size"},
      {"pages of 513 bytes", both(24, 513), "invalid page size"},
      {"different page sizes", [](LmdbImage& image) { LmdbImage::set<std::uint32_t>(image.meta() + 24, 1'024); },
       "different page sizes"},
      {"a damaged root in the older one",
       [](LmdbImage& image) { LmdbImage::set<std::uint64_t>(image.page(0) + 16 + 72 + 40, 99); }, ""},
      {"a damaged root in the newer one",
       [](LmdbImage& image) { LmdbImage::set<std::uint64_t>(image.meta() + 72 + 40, 99); }, "outside the file"},
      {"the file ends with the second meta page's record", [](LmdbImage& image) { image.resize(kPage + 16 + 136); },
       "beyond the end"},
      {"the file ends within it", [](LmdbImage& image) { image.resize(kPage + 16 + 135); }, "shorter than its meta"},
      {"the file is of no bytes", [](LmdbImage& image) { image.resize(0); }, ""},
  });
}
