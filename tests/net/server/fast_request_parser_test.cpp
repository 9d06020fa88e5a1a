#include "net/server/fast_request_parser.h"

#include <doctest/doctest.h>

#include "net/server/request_framing_validator.h"

using namespace tribune;
using namespace tribune::net;

TEST_CASE("a plain head is parsed into its method, target and fields") {
  const std::string_view head =
      "GET /a/b?c=d HTTP/1.1\r\nHost: example.org:8080\r\nX-Empty:\r\nX-Spaces:  two words \t \r\nconnection: "
      "Keep-Alive\r\n\r\n";
  REQUIRE(looks_like_plain_head(head));
  http::Request request;
  const auto target = read_plain_head(head, request);
  REQUIRE(target);
  CHECK(*target == "/a/b?c=d");
  CHECK(request.method == http::Method::get);
  CHECK(request.host == "example.org:8080");
  REQUIRE(request.headers.all().size() == 4);
  CHECK(request.headers.first("x-empty") == "");
  CHECK(request.headers.first("X-Spaces") == "two words");
}

TEST_CASE("anything but exactly one head of a GET is not plain") {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(looks_like_plain_head(head));
  for (std::size_t size = 0; size < head.size(); ++size)
    CHECK_FALSE(looks_like_plain_head(std::string_view(head).substr(0, size)));
  for (const auto& other : {head + head, head + "G", "\r\n" + head, "POST" + head.substr(3), "HEAD" + head.substr(3),
                            std::string("GET * HTTP/1.1\r\n\r\n"), std::string("GET http://a/ HTTP/1.1\r\n\r\n")})
    CHECK_FALSE(looks_like_plain_head(other));
}

TEST_CASE("another version or a Connection field is not plain") {
  for (const std::string_view head :
       {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\r\n"}) {
    CAPTURE(head);
    http::Request request;
    CHECK(looks_like_plain_head(head));
    CHECK_FALSE(read_plain_head(head, request));
  }
}
