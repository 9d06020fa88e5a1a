// A URI of the origin's playlist, through the signed link, the notation of a client, the front listener, and back to
// the request to the origin.
#include <doctest/doctest.h>

#include <cctype>
#include <random>

#include "contracts/keys.h"
#include "contracts/link.h"
#include "contracts/origin_path.h"

using namespace tribune;
using namespace tribune::contracts;
using test::kNow;
using test::kSkew;

namespace {

OriginSet example_origin_set() {
  return origin_set("http://origin:8088/live/demo/index.m3u8", {"https://ads.example"});
}

bool is_unreserved(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_' || c == '~';
}

std::string escaped(char c) {
  constexpr char kHex[] = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  return {'%', kHex[byte >> 4], kHex[byte & 15]};
}

/// Escapes a URL's path or query as browsers do.
std::string as_browser(const std::string& text, const std::string& also) {
  std::string out;
  for (const char c : text)
    out += static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f ||
                   also.find(c) != std::string::npos
               ? escaped(c)
               : std::string(1, c);
  return out;
}

/// Escapes like libraries that normalize (RFC 3986 section 6.2.2), and that escape all but reserved and unreserved
/// characters.
std::string as_normalizer(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const auto c = static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      out += is_unreserved(c) ? std::string(1, c) : escaped(c);
      i += 2;
    } else {
      out += is_unreserved(text[i]) || std::string("!$&'()*+,;=:@/?").find(text[i]) != std::string::npos
                 ? std::string(1, text[i])
                 : escaped(text[i]);
    }
  }
  return out;
}

/// The URL that the node requests from the origin when a client requests this path and query.
std::string asked(const base::KeyRing& ring, const std::string& path, const std::string& query) {
  const auto at_front = http::canonical_path("/" + path);
  if (!at_front) return "refused by the front: " + at_front.error().text;
  const auto link = verify_link(ring, "demo", at_front->substr(1), query, kNow, kSkew);
  if (!link) return "refused by the link: " + link.error().text;
  const auto uri = to_uri(example_origin_set(), link->path, link->origin_query);
  return uri ? uri->text() : "refused as a URI: " + uri.error().text;
}

/// A reference made of pieces that implementations have interpreted differently.
std::string any_reference(std::mt19937& random) {
  static const std::vector<std::string> pieces{
      "a",   "Z",   "0",    "-",   ".",        "_",    "~",      "/",   "//",  "%2f",    "%2F", "%41", "%7e",
      "%7E", "%25", "%",    "%%",  "%2",       "[",    "]",      "{",   "}",   "|",      "^",   "`",   "'",
      "\"",  "<",   ">",    " ",   "\\",       "&",    "=",      "+",   ",",   ";",      ":",   "@",   "!",
      "$",   "(",   ")",    "*",   "\xC3\xA9", "\xE9", "%c3%a9", "%FF", "..",  "%2e%2e", "/.",  "tl=", "tl=a.1.k1.b",
      "~q=", "~0/", "~0b/", ".ts", ".m4s",     "%00",  "%0A",    "%23", "%3F", "?"};
  std::string text = "x";
  const auto count = std::uniform_int_distribution<int>(0, 8)(random);
  for (int i = 0; i < count; ++i)
    text += pieces[std::uniform_int_distribution<std::size_t>(0, pieces.size() - 1)(random)];
  return text;
}

}  // namespace

TEST_CASE("the origin receives the bytes of its playlist, whichever client requests the link") {
  std::mt19937 random(20260601);
  const auto ring = test::one_key();
  const auto base = *http::parse_uri("http://origin:8088/live/demo/720p/v.m3u8");
  int named = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto reference = any_reference(random);
    CAPTURE(reference);
    const auto uri = http::resolve_as_written(base, reference);
    if (!uri) continue;  // "x:…" has another scheme
    const auto path = to_origin_path(example_origin_set(), *uri);
    if (!path) continue;
    ++named;
    const Link link{"demo", "e1", path->path, path->query, base::unix_seconds(kNow) + 60};
    const auto query = signed_query(ring, link, kNow);
    REQUIRE_FALSE(query.empty());
    const auto wanted = uri->text();
    CHECK(asked(ring, link.path, query) == wanted);
    CHECK(asked(ring, as_browser(link.path, "\"<>`{}"), as_browser(query, "\"<>'")) == wanted);
    CHECK(asked(ring, as_normalizer(link.path), as_normalizer(query)) == wanted);
    // Our own client does not change it either.
    CHECK(http::parse_as_written(wanted)->text() == wanted);
  }
  CHECK(named > 15'000);
}

TEST_CASE("a URI of the origin keeps its notation, and characters that cannot stay are escaped as by players") {
  const auto base = *http::parse_uri("http://origin/live/v.m3u8");
  const auto at_origin = [&](std::string_view reference) {
    const auto uri = http::resolve_as_written(base, reference);
    return uri ? uri->target() : uri.error().text;
  };
  CHECK(at_origin("a%2fb%41.ts?p=%2f%41[1]") == "/live/a%2fb%41.ts?p=%2f%41[1]");
  CHECK(at_origin("a b.ts?c d") == "/live/a%20b.ts?c%20d");
  CHECK(at_origin("100%.ts?50%&%zz") == "/live/100%25.ts?50%25&%25zz");
  CHECK(at_origin("\xC3\xA9\xE9.ts") == "/live/%C3%A9%E9.ts");
  CHECK(at_origin("[a]|{b}.ts?{c}|'d'") == "/live/[a]|%7Bb%7D.ts?{c}|'d'");
  CHECK(at_origin("../x/./y.ts#frag") == "/x/y.ts");
  CHECK(at_origin("?q=1") == "/live/v.m3u8?q=1");
  CHECK(at_origin("a\tb") == "the URI contains a control character");
  CHECK(at_origin(std::string(70'000, 'a')) == "the URI is longer than 65536 bytes");
  CHECK(http::resolve_as_written(base, std::string(9'000, 'a'), 10'000));
  const auto refused = http::resolve_as_written(base, std::string(9'000, 'a'), 8'192);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == base::ErrorKind::too_large);
}
