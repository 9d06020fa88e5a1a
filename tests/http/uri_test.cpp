#include "http/uri.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

using namespace tribune;
using http::parse_uri;
using http::resolve;

namespace {

std::string resolved(std::string_view base, std::string_view reference) {
  const auto from = parse_uri(base);
  REQUIRE(from.has_value());
  const auto to = resolve(*from, reference);
  return to ? to->text() : "refused";
}

std::string canonical(std::string_view path) { return http::canonical_path(path).value_or("refused"); }

}  // namespace

TEST_CASE("references resolve as in the examples of RFC 3986 section 5.4, without their fragments") {
  struct Example {
    std::string_view reference, target;
  };
  // Normal examples, then abnormal ones; "g:h" and "http:g" cannot be fetched.
  for (const auto& example : std::to_array<Example>({
           {"g:h", "refused"},
           {"g", "http://a/b/c/g"},
           {"./g", "http://a/b/c/g"},
           {"g/", "http://a/b/c/g/"},
           {"/g", "http://a/g"},
           {"//g", "http://g/"},
           {"?y", "http://a/b/c/d;p?y"},
           {"g?y", "http://a/b/c/g?y"},
           {"#s", "http://a/b/c/d;p?q"},
           {"g#s", "http://a/b/c/g"},
           {"g?y#s", "http://a/b/c/g?y"},
           {";x", "http://a/b/c/;x"},
           {"g;x", "http://a/b/c/g;x"},
           {"g;x?y#s", "http://a/b/c/g;x?y"},
           {"", "http://a/b/c/d;p?q"},
           {".", "http://a/b/c/"},
           {"./", "http://a/b/c/"},
           {"..", "http://a/b/"},
           {"../", "http://a/b/"},
           {"../g", "http://a/b/g"},
           {"../..", "http://a/"},
           {"../../", "http://a/"},
           {"../../g", "http://a/g"},
           {"../../../g", "http://a/g"},
           {"../../../../g", "http://a/g"},
           {"/./g", "http://a/g"},
           {"/../g", "http://a/g"},
           {"g.", "http://a/b/c/g."},
           {".g", "http://a/b/c/.g"},
           {"g..", "http://a/b/c/g.."},
           {"..g", "http://a/b/c/..g"},
           {"./../g", "http://a/b/g"},
           {"./g/.", "http://a/b/c/g/"},
           {"g/./h", "http://a/b/c/g/h"},
           {"g/../h", "http://a/b/c/h"},
           {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
           {"g;x=1/../y", "http://a/b/c/y"},
           {"g?y/./x", "http://a/b/c/g?y/./x"},
           {"g?y/../x", "http://a/b/c/g?y/../x"},
           {"g#s/./x", "http://a/b/c/g"},
           {"g#s/../x", "http://a/b/c/g"},
           {"http:g", "refused"},
       })) {
    CAPTURE(example.reference);
    CHECK(resolved("http://a/b/c/d;p?q", example.reference) == example.target);
  }
}

TEST_CASE("a reference with escaped dots resolves like one with plain dots, and never above the root") {
  CHECK(resolved("http://a/b/c/d", "%2e%2E/g") == "http://a/b/g");
  CHECK(resolved("http://a/b/c/d", ".%2e/%2e./%2e%2e/g") == "http://a/g");
  CHECK(resolved("http://a/b/c/d", "%2e") == "http://a/b/c/");
  CHECK(resolved("http://a/b/c/d", "...") == "http://a/b/c/...");
}

TEST_CASE("a reference may name another origin, with its own scheme") {
  CHECK(resolved("https://a/b", "//h:8443/x") == "https://h:8443/x");
  CHECK(resolved("https://a/b", "http://h/x") == "http://h/x");
  CHECK(resolved("https://a/b", "HTTP://H:80/x") == "http://h/x");
  CHECK(resolved("https://a/b", "file:///etc/passwd") == "refused");
  CHECK(resolved("https://a/b", "javascript:alert(1)") == "refused");
}

TEST_CASE("an absolute URI is parsed and written in canonical form") {
  const auto uri = parse_uri("HTTPS://Origin.Example:8443/live/1080p.m3u8?token=a%2Fb&x=/?#frag");
  REQUIRE(uri.has_value());
  CHECK(uri->scheme == "https");
  CHECK(uri->host == "origin.example");
  CHECK(uri->port == 8443);
  CHECK(uri->path == "/live/1080p.m3u8");
  CHECK(uri->query == "token=a%2Fb&x=/?");
  CHECK(uri->origin() == "https://origin.example:8443");
  CHECK(uri->target() == "/live/1080p.m3u8?token=a%2Fb&x=/?");
  CHECK(uri->text() == "https://origin.example:8443/live/1080p.m3u8?token=a%2Fb&x=/?");
}

TEST_CASE("default values are omitted from the text") {
  CHECK(parse_uri("http://a")->text() == "http://a/");
  CHECK(parse_uri("http://a:80?q")->text() == "http://a/?q");
  CHECK(parse_uri("https://a:443/")->origin() == "https://a");
  CHECK(parse_uri("http://a:443/")->origin() == "http://a:443");
  CHECK(parse_uri("http://a:/x")->port == 80);
}

TEST_CASE("IPv6 hosts stay in brackets, in one notation") {
  CHECK(parse_uri("http://[::1]:8080/x")->origin() == "http://[::1]:8080");
  CHECK(parse_uri("http://[0:0:0:0:0:0:0:1]/")->host == "[::1]");
  CHECK(parse_uri("http://[2001:DB8::A]/")->host == "[2001:db8::a]");
}

TEST_CASE("bytes of path or query that must be escaped are escaped") {
  CHECK(parse_uri("http://a/x{y}|\"z\xc3\xa9?q=<\xc3\xa9>")->text() == "http://a/x%7By%7D%7C%22z%C3%A9?q=%3C%C3%A9%3E");
  CHECK(parse_uri("http://a/b\\..\\c")->path == "/b%5C..%5Cc");
}

TEST_CASE("an absolute URI that cannot be fetched safely is refused") {
  using namespace std::string_view_literals;
  for (const auto text : {""sv,
                          "/x"sv,
                          "a"sv,
                          "//a/x"sv,
                          "ftp://a/"sv,
                          "file:///x"sv,
                          "data:,x"sv,
                          "http:"sv,
                          "http:/a"sv,
                          "http://"sv,
                          "http:///x"sv,
                          "http://:80/"sv,
                          "http://u@h/"sv,
                          "http://u:p@h/"sv,
                          "http://h@/"sv,
                          "http://h:0/"sv,
                          "http://h:65536/"sv,
                          "http://h:123456/"sv,
                          "http://h:8a/"sv,
                          "http://h:-1/"sv,
                          "http://h:+1/"sv,
                          "http://h:80:80/"sv,
                          "http://a b/"sv,
                          "http://a/ b"sv,
                          "http://a/\tb"sv,
                          "http://a/\nb"sv,
                          "http://a/\0b"sv,
                          "http://a/\x7f"sv,
                          "http://a%2e/"sv,
                          "http://a\\b/"sv,
                          "http://a,b/"sv,
                          "http://h\xc3\xa9/"sv,
                          "http://a/%"sv,
                          "http://a/%4"sv,
                          "http://a/%zz"sv,
                          "http://a/?%g0"sv,
                          "http://[::1/"sv,
                          "http://[::1]x/"sv,
                          "http://[zz]/"sv,
                          "http://[fe80::1%25eth0]/"sv,
                          "http://[127.0.0.1]/"sv,
                          "http://::1/"sv,
                          "1http://a/"sv,
                          "http//a/"sv}) {
    CAPTURE(text);
    const auto refused = parse_uri(text);
    CHECK_FALSE(refused.has_value());
    if (!refused) CHECK(refused.error().kind == base::ErrorKind::invalid_input);
  }
}

TEST_CASE("a URI is bounded by 8 KiB, after escaping and after resolving") {
  CHECK(parse_uri("http://a/" + std::string(8000, 'x')).has_value());
  CHECK_FALSE(parse_uri("http://a/" + std::string(8192, 'x')).has_value());
  CHECK_FALSE(parse_uri("http://a/" + std::string(4000, '{')).has_value());
  const auto base = parse_uri("http://a/" + std::string(5000, 'x') + "/");
  CHECK_FALSE(resolve(*base, std::string(5000, 'y')).has_value());
  CHECK_FALSE(parse_uri("http://" + std::string(254, 'h') + "/").has_value());
}

TEST_CASE("a scheme is recognised only at the beginning") {
  CHECK(http::scheme_of("skd://key") == "skd");
  CHECK(http::scheme_of("DATA:text/plain,x") == "data");
  CHECK(http::scheme_of("a+b-c.1:x") == "a+b-c.1");
  for (const auto text : {"", "x", ":x", "/a:b", "a/b:c", "?a:b", "#a:b", "1a:b", "a_b:c", "./a:b"}) {
    CAPTURE(text);
    CHECK_FALSE(http::scheme_of(text).has_value());
  }
}

TEST_CASE("a request path has one canonical form") {
  CHECK(canonical("/") == "/");
  CHECK(canonical("/live/ch1/index.m3u8") == "/live/ch1/index.m3u8");
  CHECK(canonical("/%6cive/%7Esession") == "/live/~session");
  CHECK(canonical("/a%3ab") == "/a%3Ab");
  CHECK(canonical("/a:b") == "/a:b");
  CHECK(canonical("/a%20b") == "/a%20b");
  CHECK(canonical("/caf\xc3\xa9") == "/caf%C3%A9");
  CHECK(canonical("/caf%c3%a9") == "/caf%C3%A9");
  CHECK(canonical("/a/") == "/a/");
  CHECK(canonical("/a%25b") == "/a%25b");
  CHECK(canonical("/a...b/.c/d.") == "/a...b/.c/d.");
}

TEST_CASE("a request path that is ambiguous, or leaves its root, is refused") {
  using namespace std::string_view_literals;
  for (const auto path : {""sv,
                          "a"sv,
                          "*"sv,
                          "/.."sv,
                          "/../x"sv,
                          "/a/.."sv,
                          "/a/./b"sv,
                          "/."sv,
                          "/%2e%2e/x"sv,
                          "/.%2E/x"sv,
                          "/%2e"sv,
                          "/a%2fb"sv,
                          "/a%2Fb"sv,
                          "/a%5cb"sv,
                          "/a\\b"sv,
                          "//"sv,
                          "//a"sv,
                          "/a//b"sv,
                          "/a//"sv,
                          "/a%00b"sv,
                          "/a\0b"sv,
                          "/a%0ab"sv,
                          "/a\rb"sv,
                          "/a%7f"sv,
                          "/a b"sv,
                          "/a?b"sv,
                          "/a#b"sv,
                          "/a%"sv,
                          "/a%2"sv,
                          "/a%xy"sv,
                          "/%c0%ae%c0%ae"sv,
                          "/%e0%80%af"sv,
                          "/%ed%a0%80"sv,
                          "/%f4%90%80%80"sv,
                          "/%f8%88%80%80%80"sv,
                          "/%ff"sv,
                          "/%c3"sv,
                          "/%c3/a"sv,
                          "/\xc3"sv}) {
    CAPTURE(path);
    const auto refused = http::canonical_path(path);
    CHECK_FALSE(refused.has_value());
    if (!refused) CHECK(refused.error().fault == base::Fault::client);
  }
}

TEST_CASE("percent encoding survives a round trip") {
  CHECK(http::percent_encode("a b/c?d~") == "a%20b%2Fc%3Fd~");
  CHECK(http::percent_encode("a/b", "/") == "a/b");
  CHECK(http::percent_decode("a%20b%2Fc") == "a b/c");
  CHECK(http::percent_decode("a+b") == "a+b");
  CHECK_FALSE(http::percent_decode("%").has_value());
  CHECK_FALSE(http::percent_decode("%2").has_value());
  CHECK_FALSE(http::percent_decode("a%2x").has_value());
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(http::percent_decode(http::percent_encode(all)) == all);
}

TEST_CASE("the first value of a query key is returned, raw or decoded") {
  CHECK(http::query_value("a=1&b=2&a=3", "a") == "1");
  CHECK(http::query_value("a=1&b=2", "b") == "2");
  CHECK(http::query_value("a", "a") == "");
  CHECK(http::query_value("a=b=c", "a") == "b=c");
  CHECK(http::query_value("cache=%7Ex", "cache") == "%7Ex");
  CHECK(http::query_decoded("cache=%7Ex", "cache") == "~x");
  CHECK_FALSE(http::query_decoded("cache=%7", "cache").has_value());
  CHECK_FALSE(http::query_value("", "a").has_value());
  CHECK_FALSE(http::query_value("ab=1", "a").has_value());
  CHECK_FALSE(http::query_value({}, "a").has_value());
}

TEST_CASE("dropped query keys leave the rest unchanged") {
  const auto is_cmcd = +[](std::string_view key) { return key == "CMCD" || key.starts_with("_HLS_"); };
  CHECK(http::query_without("CMCD=a%2C&x=1&_HLS_msn=3&y", is_cmcd) == "x=1&y");
  CHECK(http::query_without("x=%7e&y=", is_cmcd) == "x=%7e&y=");
  CHECK(http::query_without("CMCD=1", is_cmcd) == "");
  CHECK(http::query_without("", is_cmcd) == "");
}

TEST_CASE("a relative reference resolves from one document to the other") {
  CHECK(http::relative_reference("/live/ch/index.m3u8", "/live/ch/video.m3u8") == "video.m3u8");
  CHECK(http::relative_reference("/live/ch/index.m3u8", "/live/ch/~s/video.m3u8") == "~s/video.m3u8");
  CHECK(http::relative_reference("/live/ch/~s/v.m3u8", "/media/ch/e/1.ts") == "../../../media/ch/e/1.ts");
  for (const std::string_view from : {"/", "/a", "/a/", "/a/b", "/a/b/c.m3u8", "/a//b", "/ab/c"}) {
    for (const std::string_view to : {"/", "/a", "/a/", "/a/b", "/a/b:c", "/a:b", "/a//b", "/x/y/z", "/a/b/", "/abc"}) {
      CAPTURE(from);
      CAPTURE(to);
      const auto base = parse_uri("http://h" + std::string(from));
      CHECK(resolve(*base, http::relative_reference(from, to))->path == to);
    }
  }
}

TEST_CASE("an empty query differs from none, through parsing and resolution") {
  for (const std::string_view text : {"http://h/a?", "http://h/?", "http://h/a"}) {
    const auto uri = http::parse_uri(text);
    REQUIRE(uri.has_value());
    CHECK(uri->text() == text);
    CHECK(uri->empty_query == text.ends_with('?'));
  }
  const auto base = http::parse_uri("http://h/d/a?");
  REQUIRE(base.has_value());
  CHECK(http::resolve(*base, "b?")->text() == "http://h/d/b?");
  CHECK(http::resolve(*base, "b")->text() == "http://h/d/b");
  CHECK(http::resolve(*base, "")->text() == "http://h/d/a?");
  CHECK(http::resolve(*base, "?x")->text() == "http://h/d/a?x");
  CHECK(http::resolve(*http::parse_uri("http://h/d/a?x"), "?")->text() == "http://h/d/a?");
}
