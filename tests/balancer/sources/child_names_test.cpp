#include "balancer/sources/child_names.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::balancer;

namespace {

NamedPlaylist named(const std::string& path, const std::string& query, std::uint64_t attributes) {
  return {path, query, {}, hls::UriKind::variant, 0, attributes, 0};
}

std::vector<std::string> recognised(ChildNames& names, std::vector<NamedPlaylist> reading) {
  names.recognise(reading);
  std::vector<std::string> out;
  for (const auto& playlist : reading) out.push_back(playlist.path + "?" + playlist.query);
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a playlist keeps its first name while its query changes, also beside others of its path") {
  ChildNames names;
  CHECK(recognised(names, {named("a", "t=1", 1), named("b", "t=1", 2), named("a", "t=1", 1)}) ==
        Texts{"a?t=1", "b?t=1", "a?t=1"});
  CHECK(recognised(names, {named("b", "t=2", 2), named("a", "t=2", 1)}) == Texts{"b?t=1", "a?t=1"});
  CHECK(recognised(names, {named("b", "t=3", 9), named("c", "t=3", 3), named("a", "t=3", 1)}) ==
        Texts{"b?t=1", "c?t=3", "a?t=1"});
  CHECK(recognised(names, {named("b", "t=4", 9)}) == Texts{"b?t=1"});
}

TEST_CASE("playlists of one path keep their names when the origin lists them in another order with new tokens") {
  for (const std::uint64_t lo : {1, 2}) {  // by the attributes, or by the queries alone
    CAPTURE(lo);
    ChildNames names;
    recognised(names, {named("v", "id=hi&t=1", 1), named("v", "id=lo&t=1", lo)});
    CHECK(recognised(names, {named("v", "id=lo&t=2", lo), named("v", "id=hi&t=2", 1)}) ==
          Texts{"v?id=lo&t=1", "v?id=hi&t=1"});
  }
  ChildNames names;
  recognised(names, {named("v", "t=1", 1), named("v", "t=2", 2), named("v", "t=3", 3)});
  CHECK(recognised(names, {named("v", "t=6", 3), named("v", "t=5", 7), named("v", "t=4", 1)}) ==
        Texts{"v?t=3", "v?t=2", "v?t=1"});
  ChildNames alike;
  recognised(alike, {named("v", "t=1", 5), named("v", "t=2", 5)});
  CHECK(recognised(alike, {named("v", "t=3", 5), named("v", "t=4", 5)}) == Texts{"v?t=1", "v?t=2"});
  CHECK(recognised(alike, {named("v", "t=5", 8), named("v", "t=6", 9)}) == Texts{"v?t=5", "v?t=6"});
}

TEST_CASE("a playlist whose path changes is recognised by position and attributes, unless these changed too") {
  ChildNames names;
  recognised(names, {named("1/a", "", 1), named("1/b", "", 2)});
  CHECK(recognised(names, {named("2/a", "", 1), named("2/b", "", 2)}) == Texts{"1/a?", "1/b?"});
  CHECK(recognised(names, {named("3/a", "", 1), named("3/b", "", 7)}) == Texts{"1/a?", "3/b?"});
}

TEST_CASE("two playlists never share a name") {
  ChildNames names;
  recognised(names, {named("x", "t=1", 1)});
  CHECK(recognised(names, {named("x", "t=2", 1)}) == Texts{"x?t=1"});
  CHECK(recognised(names, {named("x", "t=2", 1), named("x", "t=1", 2)}) == Texts{"x?t=2", "x?t=1"});
}

TEST_CASE("names survive a restart for their own source only, and damaged records are ignored") {
  ChildNames names;
  recognised(names, {named("a", "t=1", 1), named("b", "t=1", 1ull << 63)});
  const auto record = names.save("http://o/main");
  struct Case {
    std::string text, source, expected;
  };
  const std::vector<Case> cases{{record, "http://o/main", "b?t=1"},
                                {record, "http://p/main", "b?t=9"},
                                {record.substr(0, record.size() / 2), "http://o/main", "b?t=9"},
                                {"[]", "http://o/main", "b?t=9"},
                                {"", "", "b?t=9"}};
  for (const auto& one : cases) {
    CAPTURE(one.text);
    ChildNames later;
    later.load(one.text, one.source);
    CHECK(recognised(later, {named("a", "t=9", 1), named("b", "t=9", 1ull << 63)})[1] == one.expected);
  }
}

TEST_CASE("a URL with another balancer's token leads to the only playlist that matches") {
  const std::string one = "v.m3u8?v=1&t=x", two = "v.m3u8?v=2&t=x", alone = "a.m3u8?t=x";
  const std::vector<const std::string*> known{&one, &two, &alone};
  CHECK(closest_playlist("v.m3u8?t=y&v=2", known) == &two);
  CHECK(closest_playlist("v.m3u8?t=y&v=3", known) == nullptr);
  CHECK(closest_playlist("a.m3u8?t=z", known) == &alone);
  CHECK(closest_playlist("a.m3u8?t=z&u=1", known) == nullptr);
  CHECK(closest_playlist("a.m3u8", known) == nullptr);
  CHECK(closest_playlist("b.m3u8?t=x", known) == nullptr);
}
