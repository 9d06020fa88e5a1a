#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "net/client/response_framing_validator.h"

using namespace tribune;
using net::ResponseFramingValidator;

namespace {

/// Feeds the head line by line as libcurl does; returns the text of the error, or "" if the whole head was accepted.
std::string judged(ResponseFramingValidator& guard, std::string_view head) {
  while (!head.empty()) {
    const auto end = head.find('\n');
    const auto line = head.substr(0, end == std::string_view::npos ? head.size() : end + 1);
    head.remove_prefix(line.size());
    const auto seen = guard.line(line);
    if (seen) continue;
    CHECK(seen.error().kind == base::ErrorKind::protocol);
    CHECK(seen.error().fault == base::Fault::origin);
    return seen.error().text;
  }
  return "";
}

std::string judged(std::string_view head) {
  ResponseFramingValidator guard(http::Method::get);
  guard.over_http2(head.starts_with("HTTP/2"));
  return judged(guard, head);
}

}  // namespace

TEST_CASE("an ordinary head is parsed") {
  ResponseFramingValidator guard(http::Method::get);
  CHECK(
      judged(guard,
             "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nX-Empty:\r\nX-Pad: \t a b \t\r\n") ==
      "");
  CHECK_FALSE(guard.has_whole_head());
  const auto last = guard.line("\r\n");
  REQUIRE(last.has_value());
  CHECK(*last == ResponseFramingValidator::Seen::whole_head);
  CHECK(guard.has_whole_head());
  CHECK(guard.status() == 200);
  CHECK(guard.content_length() == 12);
  CHECK(guard.headers().first("content-type") == "text/plain");
  CHECK(guard.headers().first("x-empty") == "");
  CHECK(guard.headers().first("x-pad") == "a b");
  CHECK_FALSE(guard.ends_with_connection());
}

TEST_CASE("interim heads do not affect the final one") {
  ResponseFramingValidator guard(http::Method::get);
  CHECK(judged(guard,
               "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204\r\nX: y\r\n\r\n") ==
        "");
  CHECK(guard.has_whole_head());
  CHECK(guard.status() == 204);
  CHECK(guard.headers().all().size() == 1);
  CHECK_FALSE(guard.content_length().has_value());
  CHECK_FALSE(guard.has_body());
}

TEST_CASE("the framing determines whether a body follows and what ends it") {
  struct Row {
    http::Method method;
    std::string_view head;
    bool has_body, ends_with_connection;
  };
  for (const auto& row :
       std::vector<Row>{{http::Method::get, "HTTP/1.1 200 OK\r\n\r\n", true, true},
                        {http::Method::get, "HTTP/1.0 200 OK\r\n\r\n", true, true},
                        {http::Method::get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", true, false},
                        {http::Method::get, "HTTP/2 200 \r\n\r\n", true, false},
                        {http::Method::head, "HTTP/1.1 200 OK\r\n\r\n", false, false},
                        {http::Method::get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, false}}) {
    CAPTURE(row.head);
    ResponseFramingValidator guard(row.method);
    guard.over_http2(row.head.starts_with("HTTP/2"));
    CHECK(judged(guard, row.head) == "");
    CHECK(guard.has_body() == row.has_body);
    CHECK(guard.ends_with_connection() == row.ends_with_connection);
  }
}

TEST_CASE("contradictory or malformed framing is refused") {
  for (const std::string_view fields : {"Content-Length: 5\r\nContent-Length: 6",
                                        "Content-Length: 5\r\nContent-Length: 5",
                                        "Content-Length: 5, 5",
                                        "Content-Length:",
                                        "Content-Length: -5",
                                        "Content-Length: +5",
                                        "Content-Length: 0x5",
                                        "Content-Length: 5_0",
                                        "Content-Length: 5 5",
                                        "Content-Length: 1e3",
                                        "Content-Length: 10000000000000000000",
                                        "Content-Length: 9223372036854775808",
                                        "Content-Length: 00000000000000000005",
                                        "Content-Length: 5\r\nTransfer-Encoding: chunked",
                                        "Transfer-Encoding: chunked\r\nContent-Length: 5",
                                        "Transfer-Encoding: gzip, chunked",
                                        "Transfer-Encoding: gzip",
                                        "Transfer-Encoding: identity",
                                        "Transfer-Encoding:",
                                        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                                        "Transfer-Encoding: chunked, chunked",
                                        "Transfer-Encoding: \"chunked\"",
                                        "Content-Length : 5",
                                        "Content-Length\t: 5",
                                        ": x",
                                        " : x",
                                        "no colon",
                                        "a b: c",
                                        "a\x80: c",
                                        "X: a\r\n folded",
                                        "X: a\r\n\tfolded",
                                        " leading: x"}) {
    CAPTURE(fields);
    CHECK(judged("HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n\r\n") != "");
  }
  CHECK(judged("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") != "");
  CHECK(judged("HTTP/2 200\r\nTransfer-Encoding: chunked\r\n\r\n") != "");
  CHECK(judged("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n") == "");
}

TEST_CASE("a status line has HTTP/1 or HTTP/2 and a status from 100 to 599") {
  for (const std::string_view line : {"HTTP/1.1 20 OK",
                                      "HTTP/1.1 999 X",
                                      "HTTP/1.1 600 X",
                                      "HTTP/1.1 099 X",
                                      "HTTP/1.1 000 X",
                                      "HTTP/1.1 2000 X",
                                      "HTTP/1.1 2x0 X",
                                      "HTTP/1.1 -20 X",
                                      "HTTP/1.1  200 OK",
                                      "HTTP/1.1",
                                      "HTTP/1.1 ",
                                      "HTTP/1.2 200 OK",
                                      "HTTP/0.9 200 OK",
                                      "HTTP/11 200 OK",
                                      "http/1.1 200 OK",
                                      "ICY 200 OK",
                                      "",
                                      "<html>",
                                      "HTTP/1.1 101 Switching Protocols",
                                      " HTTP/1.1 200 OK",
                                      "HTTP/1.1 200OK"}) {
    CAPTURE(line);
    CHECK(judged(std::string(line) + "\r\n\r\n") != "");
  }
  for (const std::string_view line : {"HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.0 599 a b",
                                      "HTTP/2 404 ", "HTTP/1.1 200 Tr\xc3\xa8s bien"}) {
    CAPTURE(line);
    CHECK(judged(std::string(line) + "\r\n\r\n") == "");
  }
}

TEST_CASE("control bytes anywhere in a head are refused") {
  for (const char c : {'\0', '\x01', '\x0b', '\r', '\x1b', '\x7f'}) {
    CHECK(judged("HTTP/1.1 200 O" + std::string(1, c) + "K\r\n\r\n") != "");
    CHECK(judged("HTTP/1.1 200 OK\r\nX: a" + std::string(1, c) + "b\r\n\r\n") != "");
    CHECK(judged("HTTP/1.1 200 OK\r\nX" + std::string(1, c) + ": b\r\n\r\n") != "");
  }
}

TEST_CASE("heads are bounded in bytes, field size, field count and interim heads") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  CHECK(judged(ok + "X: " + std::string(16 * 1024, 'x') + "\r\n\r\n") != "");
  CHECK(judged(ok + "X: " + std::string(16 * 1024 - 3, 'x') + "\r\n\r\n") == "");
  std::string fields;
  for (int i = 0; i < 200; ++i) fields += "X: y\r\n";
  CHECK(judged(ok + fields + "\r\n") == "");
  CHECK(judged(ok + fields + "X: y\r\n\r\n") != "");
  std::string large;
  for (int i = 0; i < 5; ++i) large += "X: " + std::string(15'000, 'x') + "\r\n";
  CHECK(judged(ok + large + "\r\n") != "");
  std::string interim;
  for (int i = 0; i < 8; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  CHECK(judged(interim + ok + "\r\n") == "");
  CHECK(judged(interim + "HTTP/1.1 100 Continue\r\n\r\n" + ok + "\r\n") != "");
}

TEST_CASE("trailers are checked and dropped") {
  ResponseFramingValidator guard(http::Method::get);
  CHECK(judged(guard, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") == "");
  CHECK(judged(guard, "X-Checksum: 5\r\nContent-Length: 7\r\n\r\n") == "");
  CHECK(guard.headers().all().size() == 1);
  CHECK_FALSE(guard.content_length().has_value());
  CHECK(judged(guard, "bad trailer\r\n") != "");
}

TEST_CASE("a head that was cut inside a line or before the empty line is never complete") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
  for (std::size_t cut = 0; cut < head.size(); ++cut) {
    ResponseFramingValidator guard(http::Method::get);
    judged(guard, std::string_view(head).substr(0, cut));
    CHECK_FALSE(guard.has_whole_head());
  }
}

TEST_CASE("a response with HTTP/2 on a connection of HTTP/1 is refused") {
  ResponseFramingValidator guard(http::Method::get);
  CHECK(judged(guard, "HTTP/2 200 \r\nContent-Length: 5\r\n\r\n") != "");
}

TEST_CASE("the fields of an interim head are available right after it") {
  ResponseFramingValidator guard(http::Method::get);
  CHECK(judged(guard, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n") == "");
  const auto seen = guard.line("\r\n");
  REQUIRE(seen.has_value());
  CHECK(*seen == ResponseFramingValidator::Seen::interim_head);
  CHECK(guard.interim_status() == 103);
  CHECK(guard.interim_fields().first("Link") == "</a>");
}
