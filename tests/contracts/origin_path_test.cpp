#include "contracts/origin_path.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::contracts;

namespace {

OriginSet example_origins() {
  return origin_set("http://origin:8088/live/demo/index.m3u8", {"https://ads.example", "http://keys.example:81"});
}

/// The origin path as "path" or "path?query", or "none".
std::string named(const OriginSet& set, const std::string& url) {
  const auto uri = http::parse_uri(url);
  REQUIRE(uri);
  const auto path = to_origin_path(set, *uri);
  if (!path) return "none";
  return path->query.empty() ? path->path : path->path + "?" + path->query;
}

/// The URL that an origin path leads to, or "refused".
std::string leads_to(const OriginSet& set, std::string_view path, std::string_view query = "") {
  const auto uri = to_uri(set, path, query);
  return uri ? uri->text() : "refused";
}

}  // namespace

TEST_CASE("the source's directory is the base") {
  CHECK(example_origins().base == "http://origin:8088/live/demo/");
  CHECK(origin_set("http://origin/index.m3u8", {}).base == "http://origin/");
  CHECK(origin_set("http://origin:80/a/", {}).base == "http://origin/a/");
  CHECK(origin_set("not a url", {}).base.empty());
}

TEST_CASE("URIs under the source's directory are named relative to it") {
  CHECK(named(example_origins(), "http://origin:8088/live/demo/720p/seg1.m4s") == "720p/seg1.m4s");
  CHECK(named(example_origins(), "http://origin:8088/live/demo/seg.ts?token=a&b=c") == "seg.ts?token=a&b=c");
}

TEST_CASE("URIs elsewhere at the origin and at extra origins are named by the origin's number") {
  CHECK(named(example_origins(), "http://origin:8088/keys/a.bin") == "~0/keys/a.bin");
  CHECK(named(example_origins(), "http://origin:8088/live/demo2/a.ts") == "~0/live/demo2/a.ts");
  CHECK(named(example_origins(), "https://ads.example/ad1.m3u8?x=1") == "~1/ad1.m3u8?x=1");
  CHECK(named(example_origins(), "http://keys.example:81/k") == "~2/k");
}

TEST_CASE("URIs at any other origin have no name") {
  CHECK(named(example_origins(), "http://origin/live/demo/a.ts") == "none");
  CHECK(named(example_origins(), "https://origin:8088/live/demo/a.ts") == "none");
  CHECK(named(example_origins(), "http://169.254.169.254/latest/meta-data") == "none");
  CHECK(named(example_origins(), "http://keys.example/k") == "none");
  CHECK(named(origin_set("", {}), "http://origin/a") == "none");
}

TEST_CASE("every name leads back to its URI") {
  for (const std::string url :
       {"http://origin:8088/live/demo/720p/seg1.m4s?a=1", "http://origin:8088/keys/a.bin", "https://ads.example/x/y?z",
        "http://keys.example:81/k", "http://origin:8088/live/demo/~0/a.ts", "http://origin:8088/live/demo/sp%20ace.ts",
        "http://origin:8088/live//double.ts", "http://origin:8088/live/demo/a%2Fb.ts",
        "http://origin:8088/live/demo/%FF.ts", "http://origin:8088/", "http://origin:8088/live/demo/%C3%A9.ts",
        "http://origin:8088/live/demo/a,b;c=d@e!f$g&h(i)*j+k:l.ts", "https://ads.example/", "https://ads.example//x"}) {
    CAPTURE(url);
    const auto uri = http::parse_uri(url);
    REQUIRE(uri);
    const auto path = to_origin_path(example_origins(), *uri);
    REQUIRE(path);
    CAPTURE(path->path);
    const auto back = to_uri(example_origins(), path->path, path->query);
    REQUIRE(back);
    CHECK(back->text() == url);
    CHECK(to_origin_path(example_origins(), *back) == path);
  }
}

TEST_CASE("a path that a client or the front listener would change is encoded, followed by the suffix of the file") {
  for (const std::string file : {"%73eg%7e1.ts", "%c3%a9.ts", "a%2fb.ts", "a[1].ts", "a|b.ts"}) {
    CAPTURE(file);
    const auto uri = http::parse_as_written("http://origin:8088/live/demo/" + file);
    REQUIRE(uri);
    const auto path = to_origin_path(example_origins(), *uri);
    REQUIRE(path);
    CHECK(path->path.starts_with("~0b/"));
    CHECK(path->path.ends_with(".ts"));
    CHECK(leads_to(example_origins(), path->path) == "http://origin:8088/live/demo/" + file);
  }
  CHECK(named(example_origins(), "http://origin:8088/live/demo/%C3%A9.ts") == "%C3%A9.ts");
  CHECK(canonical_query("it's={1}|\"2\"") == "it%27s=%7B1%7D%7C%222%22");
  CHECK(canonical_query("a=%2f%41&b=%zz&c=100%") == "a=%2FA&b=%25zz&c=100%25");
}

TEST_CASE("an encoded path is accepted with its suffix or without any, and with no other suffix") {
  const auto set = example_origins();
  CHECK(named(set, "http://origin:8088/live//a.ts") == "~0b/L2xpdmUvL2EudHM.ts");
  CHECK(leads_to(set, "~0b/L2xpdmUvL2EudHM.ts") == "http://origin:8088/live//a.ts");
  CHECK(leads_to(set, "~0b/L2xpdmUvL2EudHM") == "http://origin:8088/live//a.ts");
  CHECK(leads_to(set, "~0b/L2xpdmUvL2EudHM", "x=1") == "http://origin:8088/live//a.ts?x=1");
  for (const char* wrong : {"~0b/L2xpdmUvL2EudHM.m4s", "~0b/L2xpdmUvL2EudHM.", "~0b/L2xpdmUvL2EudHM.ts.ts"})
    CHECK(leads_to(set, wrong) == "refused");
}

TEST_CASE("paths that a browser or the front listener would change arrive as they were written") {
  const auto set = example_origins();
  for (const std::string url : {"http://origin:8088/live/demo//a.ts", "http://origin:8088/live/demo/a%2Fb.ts",
                                "http://origin:8088/live/demo/%FF.ts"}) {
    const auto path = named(set, url);
    CAPTURE(path);
    CHECK(path.starts_with("~0b/"));
    CHECK(http::canonical_path("/" + path) == "/" + path);
  }
}

TEST_CASE("a path that looks like a prefix of an origin is not taken for one") {
  CHECK(named(example_origins(), "http://origin:8088/live/demo/~1/ad1.m3u8") == "~0/live/demo/~1/ad1.m3u8");
}

TEST_CASE("paths that leave the origin, or are not in canonical form, are refused") {
  const auto set = example_origins();
  for (const std::string path : {"",
                                 "..",
                                 "../x",
                                 "a/../b",
                                 "a/%2e%2e/b",
                                 "a/%2E%2E/b",
                                 "./a",
                                 "a//b",
                                 "/a",
                                 "//evil.example/a",
                                 "http://evil.example/a",
                                 "a%00b",
                                 "a%2Fb",
                                 "a\\b",
                                 "a%5Cb",
                                 "~",
                                 "~/",
                                 "~0",
                                 "~0/",
                                 "~3/a",
                                 "~-1/a",
                                 "~00/a",
                                 "~01/a",
                                 "~99999999999999999999/a",
                                 "~0//a",
                                 "~0/../a",
                                 "~0/a/../../b",
                                 "~x/a",
                                 "~0/live/demo/a.ts",
                                 "%7E0/a",
                                 "%73eg.ts",
                                 "a b",
                                 "a\nb",
                                 "a?b",
                                 "a#b",
                                 "~0b/",
                                 "~0b/AA",
                                 "~0b/Li4vYQ",
                                 "~0b/L2EvYi50cw",
                                 "~0b/Ly4uL2E",
                                 "~0b/L2xpdmUvLyUyZSUyZS9h",
                                 "~0b/L2EvP3g"}) {
    CAPTURE(path);
    const auto result = leads_to(set, path);
    if (path == "http://evil.example/a") {
      CHECK((result == "refused" || result.starts_with("http://origin:8088/live/demo/")));
      continue;
    }
    CHECK(result == "refused");
  }
}

TEST_CASE("a query that a client would change is encoded, and the origin receives its own bytes") {
  for (const std::string query : {"a=%2f", "a=%41", "a[]=1", "it's", "{a|b}", "~q=x", "a=%7e&b=1", "^`\\"}) {
    CAPTURE(query);
    const auto uri = http::parse_as_written("http://origin:8088/live/demo/a.ts?" + query);
    REQUIRE(uri);
    const auto path = to_origin_path(example_origins(), *uri);
    REQUIRE(path);
    CHECK(path->path == "a.ts");
    CHECK(path->query.starts_with("~q="));
    CHECK(canonical_query(path->query) == path->query);
    CHECK(written_query(path->query) == query);
    CHECK(leads_to(example_origins(), path->path, path->query) == "http://origin:8088/live/demo/a.ts?" + query);
  }
  CHECK(named(example_origins(), "http://origin:8088/live/demo/a.ts?hdnts=exp=1~acl=/*~hmac=a%2Fb") ==
        "a.ts?hdnts=exp=1~acl=/*~hmac=a%2Fb");
  for (const std::string wrong : {"~q=YT0x", "~q=YT0lMmY&b=1", "~q=YT0lMmY=", "~q=eCB5", "~q=!", "a=%2f"}) {
    CAPTURE(wrong);
    CHECK(leads_to(example_origins(), "a.ts", wrong) == "refused");
  }
}

TEST_CASE("a backup's URI keeps the bytes of the first origin's URI") {
  auto set = example_origins();
  set.backups = {"http://backup:99"};
  const auto uri = http::parse_as_written("http://origin:8088/live/demo/a%2f[1].ts?x=%41[");
  REQUIRE(uri);
  const auto moved = backup_uris(set, *uri);
  REQUIRE(moved.size() == 1);
  CHECK(moved[0].text() == "http://backup:99/live/demo/a%2f[1].ts?x=%41[");
  CHECK(at_first_origin(set, moved[0]).text() == uri->text());
}

TEST_CASE("a query with bytes that a link cannot contain is refused") {
  CHECK(leads_to(example_origins(), "a.ts", "x y") == "refused");
  CHECK(leads_to(example_origins(), "a.ts", "x\r\nHost: evil") == "refused");
  CHECK(leads_to(example_origins(), "a.ts", "x=1#f") == "refused");
  CHECK(leads_to(example_origins(), "a.ts", "x=1") == "http://origin:8088/live/demo/a.ts?x=1");
}

TEST_CASE("exactly the origins of the set may be fetched") {
  CHECK(allowed_origins(example_origins()) ==
        std::vector<std::string>{"http://origin:8088", "https://ads.example", "http://keys.example:81"});
  CHECK(allowed_origins(origin_set("x", {})).empty());
}

TEST_CASE("an empty query reaches the origin, and no other URI gets its name") {
  const auto set = example_origins();
  for (const std::string url :
       {"http://origin:8088/live/demo/a.ts?", "http://origin:8088/?", "https://ads.example/x//y?"}) {
    const auto uri = http::parse_uri(url);
    REQUIRE(uri);
    const auto path = to_origin_path(set, *uri);
    REQUIRE(path);
    CHECK(path->query == "~q=");
    CHECK(leads_to(set, path->path, path->query) == url);
  }
  CHECK(named(set, "http://origin:8088/live/demo/a.ts") == "a.ts");
}

TEST_CASE("a distrusted backup has no file of the source, and keeps its own paths") {
  auto set = origin_set("http://o/live/demo/index.m3u8", {});
  set.backups = {"http://b1", "http://b2"};
  set.distrusted = {"http://b1"};
  const auto uri = to_uri(set, "seg1.ts", "").value();
  const auto same = same_file_uris(set, uri);
  REQUIRE(same.size() == 1);
  CHECK(same[0].text() == "http://b2/live/demo/seg1.ts");
  CHECK(backup_uris(set, uri).size() == 2);
  const auto own = http::parse_uri("http://b1/live/demo/seg1.ts").value();
  CHECK(to_origin_path(set, own)->path == "~1/live/demo/seg1.ts");
  CHECK(to_uri(set, "~1/live/demo/seg1.ts", "").value().text() == own.text());
  CHECK(same_file_uris(set, own).empty());
}
