// The key of a request and the request that the origin receives. The property test checks with many random requests
// that two parties cannot understand one of them differently.
#include "http_cache/origin_request.h"

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <random>
#include <set>

#include "http/vary.h"

using namespace tribune;
using namespace tribune::http_cache;

namespace {

http::Request request_for(std::string host, std::string path, std::string query = "", http::Headers headers = {}) {
  http::Request request;
  request.host = std::move(host);
  request.path = std::move(path);
  request.query = std::move(query);
  request.headers = std::move(headers);
  request.client = "192.0.2.1";
  return request;
}

const net::Arrival kFromClient{"192.0.2.1", false, false};
const net::Arrival kFromProxy{"10.0.0.9", true, false};

std::string joined(const OriginRequest& made, std::string_view name) {
  return made.request.headers.joined(name).value_or("-");
}

}  // namespace

TEST_CASE("the key has scheme, host and target, with the host in one notation") {
  const HttpCacheSettings settings;
  const auto key = [&](std::string host, bool secure = false) {
    auto request = request_for(std::move(host), "/a", "b=1");
    request.secure = secure;
    return to_origin_request(std::move(request), kFromClient, settings).key;
  };
  CHECK(key("Example.ORG") == "http://example.org/a?b=1");
  CHECK(key("example.org:80") == "http://example.org/a?b=1");
  CHECK(key("example.org:") == "http://example.org/a?b=1");
  CHECK(key("example.org:0080") == "http://example.org/a?b=1");
  CHECK(key("example.org:443") == "http://example.org:443/a?b=1");
  CHECK(key("example.org:443", true) == "https://example.org/a?b=1");
  CHECK(key("[::1]:80") == "http://[::1]/a?b=1");
  CHECK(key("other.org") != key("example.org"));
}

TEST_CASE("the target is forwarded unchanged, including an empty query and broken escapes") {
  const HttpCacheSettings settings;
  CHECK(to_origin_request(request_for("h", "/a", "x=%zz&y=%"), kFromClient, settings).target == "/a?x=%zz&y=%");
  CHECK(to_origin_request(request_for("h", "/a"), {"192.0.2.1", false, true}, settings).target == "/a?");
  CHECK(to_origin_request(request_for("h", "/a"), {"192.0.2.1", false, true}, settings).key !=
        to_origin_request(request_for("h", "/a"), kFromClient, settings).key);
}

TEST_CASE("a host that is not in the list is not served") {
  HttpCacheSettings settings;
  settings.hosts = {"Example.org", "other.org:8080", "[::1]"};
  const auto served = [&](std::string host) {
    return to_origin_request(request_for(std::move(host), "/"), kFromClient, settings).is_host_served;
  };
  for (const auto* host : {"example.org", "EXAMPLE.org:8080", "other.org:8080", "[::1]:80", "[::1]"})
    CHECK_MESSAGE(served(host), host);
  for (const auto* host : {"other.org", "other.org:80", "evil.org", "example.org.evil", "", "[::2]"})
    CHECK_MESSAGE(!served(host), host);
}

TEST_CASE("only known fields and those that the operator names are forwarded to the origin") {
  HttpCacheSettings settings;
  const http::Headers sent{{"Accept-Language", "en"},
                           {"X-Original-URL", "/admin"},
                           {"X-HTTP-Method-Override", "DELETE"},
                           {"Forwarded", "host=evil"},
                           {"X-Tenant", "1"},
                           {"X-Forwarded-Host", "evil"},
                           {"X-Forwarded-Proto", "https"}};
  auto made = to_origin_request(request_for("h", "/", "", sent), kFromClient, settings);
  CHECK(joined(made, "Accept-Language") == "en");
  for (const auto* name : {"X-Original-URL", "X-HTTP-Method-Override", "Forwarded", "X-Tenant"})
    CHECK_MESSAGE(joined(made, name) == "-", name);
  CHECK(joined(made, "X-Forwarded-Host") == "h");
  CHECK(joined(made, "X-Forwarded-Proto") == "http");
  settings.pass_fields = {"x-tenant", "X-Forwarded-Host"};
  made = to_origin_request(request_for("h", "/", "", sent), kFromClient, settings);
  CHECK(joined(made, "X-Tenant") == "1");
  CHECK(joined(made, "X-Forwarded-Host") == "h");
  CHECK_FALSE(may_be_passed("X-Forwarded-Host"));
  CHECK_FALSE(may_be_passed("Transfer-Encoding"));
  CHECK_FALSE(may_be_passed("a b"));
  CHECK(may_be_passed("X-Tenant"));
}

TEST_CASE("a field that Connection names is neither forwarded nor part of the variant") {
  HttpCacheSettings settings;
  settings.pass_fields = {"X-Tenant"};
  const http::Headers response{{"Vary", "X-Tenant, Accept-Language"}};
  const auto hidden = to_origin_request(
      request_for("h", "/", "",
                  {{"X-Tenant", "1"}, {"Accept-Language", "de"}, {"Connection", "x-tenant, accept-language"}}),
      kFromClient, settings);
  const auto plain = to_origin_request(request_for("h", "/"), kFromClient, settings);
  const auto named = to_origin_request(request_for("h", "/", "", {{"X-Tenant", "1"}, {"Accept-Language", "de"}}),
                                       kFromClient, settings);
  CHECK(joined(hidden, "X-Tenant") == "-");
  CHECK(http::variant_key(response, hidden.request.headers) == http::variant_key(response, plain.request.headers));
  CHECK(http::variant_key(response, hidden.request.headers) != http::variant_key(response, named.request.headers));
}

TEST_CASE("X-Forwarded-For is one list that ends with the last hop") {
  HttpCacheSettings settings;
  const http::Headers sent{{"X-Forwarded-For", "203.0.113.7"}, {"X-Forwarded-For", "198.51.100.2"}};
  auto made = to_origin_request(request_for("h", "/", "", sent), kFromClient, settings);
  CHECK(made.request.headers.count("X-Forwarded-For") == 1);
  CHECK(joined(made, "X-Forwarded-For") == "192.0.2.1");
  CHECK(joined(to_origin_request(request_for("h", "/", "", sent), kFromProxy, settings), "X-Forwarded-For") ==
        "203.0.113.7, 198.51.100.2, 10.0.0.9");
  settings.keep_forwarded_for = true;
  made = to_origin_request(request_for("h", "/", "", sent), kFromClient, settings);
  CHECK(made.request.headers.count("X-Forwarded-For") == 1);
  CHECK(joined(made, "X-Forwarded-For") == "203.0.113.7, 198.51.100.2, 192.0.2.1");
}

TEST_CASE("Max-Forwards is applied to OPTIONS and TRACE only") {
  const HttpCacheSettings settings;
  const auto asked = [&](http::Method method, std::string hops, std::string word = "") {
    auto request = request_for("h", "/", "", {{"Max-Forwards", std::move(hops)}});
    request.method = method;
    request.other_method = std::move(word);
    return to_origin_request(std::move(request), kFromClient, settings);
  };
  CHECK_FALSE(asked(http::Method::options, "0").may_be_forwarded);
  CHECK_FALSE(asked(http::Method::other, "0", "TRACE").may_be_forwarded);
  CHECK(asked(http::Method::options, "1").may_be_forwarded);
  CHECK(joined(asked(http::Method::options, "1"), "Max-Forwards") == "0");
  CHECK(joined(asked(http::Method::options, "10"), "Max-Forwards") == "9");
  CHECK(joined(asked(http::Method::options, "x"), "Max-Forwards") == "x");
  CHECK(asked(http::Method::get, "0").may_be_forwarded);
  CHECK(joined(asked(http::Method::get, "0"), "Max-Forwards") == "0");
}

TEST_CASE("requests with one key are the same request to the origin, except for fields that Vary can name") {
  constexpr std::array<std::string_view, 9> kHosts{"a.org", "A.org", "a.org:80",  "a.org:", "a.org:443",
                                                   "b.org", "[::1]", "[::1]:080", ""};
  constexpr std::array<std::string_view, 4> kPaths{"/", "/a", "/a/b", "/%20"};
  constexpr std::array<std::string_view, 6> kQueries{"", "b", "%", "%zz=1", "a=b&c", "?"};
  constexpr std::array<std::string_view, 14> kNames{"Accept",
                                                    "accept-LANGUAGE",
                                                    "Cookie",
                                                    "X-Forwarded-Host",
                                                    "X-Forwarded-Proto",
                                                    "X-Forwarded-For",
                                                    "X-Tenant",
                                                    "x-original-url",
                                                    "Connection",
                                                    "Host",
                                                    "Transfer-Encoding",
                                                    "Expect",
                                                    "Via",
                                                    "Max-Forwards"};
  constexpr std::array<std::string_view, 8> kValues{"a", "b.org", "x-tenant, cookie", "https",
                                                    "0", "5",     "close, via",       "127.0.0.1"};
  std::mt19937 random(12);
  const auto one_of = [&](const auto& from) { return std::string(from[random() % from.size()]); };
  std::map<std::string, std::array<std::string, 3>> sent_by_key;
  const std::set<std::string> never{"Connection", "Host", "Transfer-Encoding", "Expect", "x-original-url"};
  for (int i = 0; i < 20'000; ++i) {
    HttpCacheSettings settings;
    if (random() % 2 != 0) settings.pass_fields = {"X-Tenant", "X-Forwarded-Host", "Host"};
    settings.keep_forwarded_for = random() % 2 != 0;
    auto request = request_for(one_of(kHosts), one_of(kPaths), one_of(kQueries));
    request.secure = random() % 2 != 0;
    for (auto n = random() % 6; n > 0; --n) request.headers.add(one_of(kNames), one_of(kValues));
    const auto listed = http::field_name_list(request.headers.joined("Connection").value_or(""));
    const net::Arrival arrival{random() % 2 != 0 ? "192.0.2.1" : "10.0.0.9", random() % 2 != 0,
                               random() % 4 == 0 && request.query.empty()};
    const auto made = to_origin_request(request, arrival, settings);
    const std::array<std::string, 3> line{made.target, joined(made, "X-Forwarded-Host"),
                                          joined(made, "X-Forwarded-Proto")};
    const auto known = sent_by_key.try_emplace(made.key, line).first;
    REQUIRE(known->second == line);
    REQUIRE(made.request.headers.count("X-Forwarded-Host") == 1);
    REQUIRE(made.request.headers.count("X-Forwarded-For") == 1);
    REQUIRE(joined(made, "X-Forwarded-For").ends_with(arrival.peer));
    for (const auto& field : made.request.headers.all()) {
      REQUIRE_FALSE(never.contains(field.name));
      const bool written_here =
          field.name.starts_with("X-Forwarded-") || field.name == "Accept" || field.name == "User-Agent";
      for (const auto& name : listed) REQUIRE((written_here || !http::equals_ignoring_case(name, field.name)));
    }
  }
  // Each forwarded request line belongs to one key: no client gets a response that was fetched for another key.
  std::set<std::array<std::string, 3>> lines;
  for (const auto& [key, line] : sent_by_key) REQUIRE(lines.insert(line).second);
}
