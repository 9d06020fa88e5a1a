#include "cache_node/objects/sliced_files.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace tribune::cache_node;

namespace {
std::shared_ptr<SlicedFile> file(const char* object, const char* etag = "\"a\"") {
  auto made = std::make_shared<SlicedFile>();
  made->key = object_key(object);
  made->head.etag = etag;
  made->size = 1'001;
  made->slice_bytes = 250;
  return made;
}
}  // namespace

TEST_CASE("the slices of a file cover it without gaps, and the last one has the remaining bytes") {
  const auto film = file("demo/e1/film.mp4");
  CHECK(film->slice(0) == tribune::http::ByteRange{0, 249});
  CHECK(film->slice(4) == tribune::http::ByteRange{1000, 1000});
  CHECK(film->slice_at(249) == 0);
  CHECK(film->slice_at(250) == 1);
  CHECK(film->slice_at(1000) == 4);
}

TEST_CASE("slices with another number, version or length have other keys, which begin with the file's key") {
  const auto film = file("demo/e1/film.mp4"), changed = file("demo/e1/film.mp4", "\"b\""),
             longer = file("demo/e1/film.mp4");
  longer->size = 1'002;
  std::set<std::string> keys;
  for (const auto& f : {film, changed, longer})
    for (std::uint64_t n = 0; n < 3; ++n) {
      keys.insert(f->slice_key(n).text);
      CHECK(f->slice_key(n).text.starts_with("demo/e1/film.mp4#"));
    }
  CHECK(keys.size() == 9);
}

TEST_CASE("a file is known until it is forgotten, and forgetting an older version does not remove a newer one") {
  SlicedFiles files;
  const auto film = file("a"), changed = file("a", "\"b\"");
  CHECK_FALSE(files.find(film->key.id));
  files.put(film);
  CHECK(files.find(film->key.id) == film);
  files.put(changed);
  files.forget(film);
  CHECK(files.find(film->key.id) == changed);
  files.forget(changed);
  CHECK_FALSE(files.find(film->key.id));
}

TEST_CASE("the listener is called for each change, and for the file that is removed at the bound") {
  SlicedFiles files;
  std::string call;
  files.on_changed([&](const ObjectId& id, const SlicedFile* f) {
    call += f ? "+" + f->key.text + " " : id == object_key("0").id ? "-0 " : "-? ";
  });
  const auto first = file("0"), changed = file("0", "\"b\"");
  files.put(first);
  files.put(changed);
  files.forget(first);
  CHECK(call == "+0 +0 ");
  files.forget(changed);
  CHECK(call == "+0 +0 -0 ");
  for (std::size_t i = 0; i < SlicedFiles::kMost; ++i) files.put(file(std::to_string(i).c_str()));
  CHECK(call.find('-', std::string("+0 +0 -0 ").size()) == std::string::npos);
  call.clear();
  files.put(file("one more"));
  CHECK(call == "+one more -0 ");
  CHECK_FALSE(files.find(object_key("0").id));
}

TEST_CASE("at the bound the least recently used file is removed, however long ago the others were added") {
  SlicedFiles files;
  for (std::size_t i = 0; i < SlicedFiles::kMost; ++i) files.put(file(std::to_string(i).c_str()));
  CHECK(files.find(object_key("0").id));
  files.put(file("one more"));
  CHECK(files.find(object_key("0").id));
  CHECK_FALSE(files.find(object_key("1").id));
  files.put(file("2", "\"b\""));  // a new version from a fill counts as a use
  files.put(file("another"));
  CHECK(files.find(object_key("2").id));
  CHECK_FALSE(files.find(object_key("3").id));
}
