#include "net/server/request_framing_validator.h"

#include <doctest/doctest.h>

#include <vector>

using tribune::net::is_valid_authority;
using tribune::net::RejectReason;
using tribune::net::RequestFramingLimits;
using tribune::net::RequestFramingValidator;
using tribune::net::status_of;
using tribune::net::to_string;
using namespace std::string_view_literals;

namespace {

struct Outcome {
  RejectReason refusal = RejectReason::none;
  std::size_t messages = 0;
  std::size_t used = 0;  // bytes up to the refusal, or all bytes
  std::string passed;    // as passed on to evhttp
  bool operator==(const Outcome&) const = default;
};

/// Feeds the pieces as a connection does: after a complete message the next one begins.
Outcome run(const std::vector<std::string_view>& pieces, const RequestFramingLimits& limits) {
  RequestFramingValidator guard(limits);
  Outcome outcome;
  std::string held;  // the part of the current message that was received
  for (const auto piece : pieces) {
    std::string bytes(piece);
    for (std::size_t at = 0; at < bytes.size();) {
      const auto progress = guard.feed(bytes.data() + at, bytes.size() - at);
      held.append(bytes, at, progress.used);
      at += progress.used;
      outcome.used += progress.used;
      switch (progress.step) {
        case RequestFramingValidator::Step::more: break;
        case RequestFramingValidator::Step::empty_line: held.clear(); break;
        case RequestFramingValidator::Step::refused: outcome.refusal = guard.refusal(); return outcome;
        case RequestFramingValidator::Step::complete:
          outcome.passed += held;
          held.clear();
          ++outcome.messages;
          guard.next();
          break;
      }
    }
  }
  outcome.passed += held;
  return outcome;
}

/// The outcome, which must be the same for two pieces split at any byte, and for single bytes.
Outcome judge(std::string_view bytes, const RequestFramingLimits& limits = {}) {
  const auto whole = run({bytes}, limits);
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    const auto split = run({bytes.substr(0, at), bytes.substr(at)}, limits);
    REQUIRE_MESSAGE(split == whole, "split at ", at);
  }
  std::vector<std::string_view> single;
  for (std::size_t at = 0; at < bytes.size(); ++at) single.push_back(bytes.substr(at, 1));
  REQUIRE(run(single, limits) == whole);
  return whole;
}

std::string with_field(std::string_view field) {
  return "GET / HTTP/1.1\r\nHost: x\r\n" + std::string(field) + "\r\n\r\n";
}
std::string with_body(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n\r\n" + std::string(body);
}
std::string chunked(std::string_view body) { return with_body("Transfer-Encoding: chunked", body); }

}  // namespace

TEST_CASE("valid requests pass, however the bytes are split") {
  for (const auto& request : std::vector<std::string>{
           "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET /a?b=c%20d&e=\"f\" HTTP/1.1\r\nhost: [::1]:80\r\nX: \r\nY:z\r\nZ: \xc3\xa9\t.\r\n\r\n",
           "GET / HTTP/1.0\r\n\r\n",
           "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
           "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET http://x/a HTTP/1.1\r\nHost: X\r\n\r\n",
           "GET http://x:80/a HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET http://x/a HTTP/1.1\r\nHost: x:80\r\n\r\n",
           "GET http://x:/a HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET http://x/a HTTP/1.1\r\nHost: x:\r\n\r\n",
           "GET https://x:443/a HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET http://[::1]:80/a HTTP/1.1\r\nHost: [::1]\r\n\r\n",
           with_body("Content-Length: 5", "hello"),
           with_body("Content-Length: 0005\r\nExpect: 100-Continue", "hello"),
           chunked("5\r\nhello\r\n0\r\n\r\n"),
           chunked("a\r\n0123456789\r\n0A\r\n0123456789\r\n000\r\nX: y\r\n\r\n"),
       }) {
    const auto outcome = judge(request);
    CHECK_MESSAGE(outcome.refusal == RejectReason::none, request);
    CHECK(outcome.messages == 1);
    CHECK(outcome.passed == request);
  }
}

TEST_CASE("pipelined messages are separated") {
  const auto outcome = judge(with_body("Content-Length: 3", "abc") + chunked("1\r\nx\r\n0\r\n\r\n") +
                             with_field("A: b") + "\r\n" + with_field("C: d"));
  CHECK(outcome.refusal == RejectReason::none);
  CHECK(outcome.messages == 4);
}

TEST_CASE("legal syntax that evhttp misreads is rewritten") {
  CHECK(judge(with_field("A:\tb")).passed == with_field("A: b"));
  CHECK(judge(with_body("Content-Length: \t5", "hello")).passed == with_body("Content-Length:  5", "hello"));
  CHECK(judge(chunked("5;a=\"b\"\r\nhello\r\n0;c\r\n\r\n")).passed == chunked("5      \r\nhello\r\n0  \r\n\r\n"));
  CHECK(judge(chunked("5 ;a\r\nhello\r\n0\r\n\r\n")).refusal == RejectReason::chunk_size_invalid);
  CHECK(judge(chunked("5; a = b ;c=\"x;\\\"y\";d\r\nhello\r\n0\r\n\r\n")).refusal == RejectReason::none);
  CHECK(judge("\r\n" + with_field("A: b")).passed == with_field("A: b"));
}

TEST_CASE("each violation has its reason and its status, at every split") {
  struct Breach {
    std::string bytes;
    RejectReason refusal;
    int status;
  };
  const auto nul = std::string(1, '\0');
  for (const auto& breach : std::vector<Breach>{
           // Framing.
           {with_body("Content-Length: 0\r\nContent-Length: 31", ""), RejectReason::length_repeated, 400},
           {with_body("Content-Length: 5\r\nContent-Length: 5", "hello"), RejectReason::length_repeated, 400},
           {with_body("Content-Length: 5, 5", "hello"), RejectReason::length_repeated, 400},
           {with_body("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), RejectReason::length_with_coding,
            400},
           {with_body("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"), RejectReason::length_with_coding,
            400},
           {with_body("Content-Length : 5", "hello"), RejectReason::space_before_colon, 400},
           {with_body("Content-Length\t: 5", "hello"), RejectReason::space_before_colon, 400},
           {with_body("Content-Length: +5", "hello"), RejectReason::length_invalid, 400},
           {with_body("Content-Length: -5", "hello"), RejectReason::length_invalid, 400},
           {with_body("Content-Length: 0x5", "hello"), RejectReason::length_invalid, 400},
           {with_body("Content-Length: 5_0", "hello"), RejectReason::length_invalid, 400},
           {with_body("Content-Length: 5 0", "hello"), RejectReason::length_invalid, 400},
           {with_body("Content-Length:", "hello"), RejectReason::length_invalid, 400},
           {with_body("Content-Length: 99999999999999999999", ""), RejectReason::body_too_large, 413},
           {with_body("Content-Length: 1048577", ""), RejectReason::body_too_large, 413},
           {with_body("Transfer-Encoding: chunked, gzip", ""), RejectReason::coding_invalid, 400},
           {with_body("Transfer-Encoding: gzip", ""), RejectReason::coding_invalid, 400},
           {with_body("Transfer-Encoding: identity", ""), RejectReason::coding_invalid, 400},
           {with_body("Transfer-Encoding: xchunked", ""), RejectReason::coding_invalid, 400},
           {with_body("Transfer-Encoding: \x0b"
                      "chunked",
                      ""),
            RejectReason::control_byte, 400},
           {with_body("Transfer-Encoding: chunked, chunked", ""), RejectReason::coding_invalid, 400},
           {with_body("Transfer-Encoding: , chunked", ""), RejectReason::coding_invalid, 400},
           {with_body("Transfer-Encoding: \"chunked\"", ""), RejectReason::coding_invalid, 400},
           {with_body("Transfer-Encoding:", ""), RejectReason::coding_invalid, 400},
           {with_body("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", ""), RejectReason::coding_invalid,
            400},
           {with_body("Transfer-Encoding: gzip, chunked", ""), RejectReason::coding_unknown, 501},
           {"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", RejectReason::coding_in_http_1_0, 400},
           {chunked("5\nhello\r\n0\r\n\r\n"), RejectReason::bare_line_feed, 400},
           {chunked("5\rhello\r\n0\r\n\r\n"), RejectReason::bare_carriage_return, 400},
           {chunked("5\r\nhello\n0\r\n\r\n"), RejectReason::chunk_end_missing, 400},
           {chunked("5\r\nhello\r0\r\n\r\n"), RejectReason::chunk_end_missing, 400},
           {chunked("5\r\nhello!\r\n0\r\n\r\n"), RejectReason::chunk_end_missing, 400},
           {chunked("5\r\nhell\r\n0\r\n\r\n"), RejectReason::chunk_end_missing, 400},
           {chunked("5;a\nb\r\nhello\r\n"), RejectReason::bare_line_feed, 400},
           {chunked("5;\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("5; \r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("5;a;\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("5;a b\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("5;a=\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("5;a=b=c\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("5;=b\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("5;a=\"b\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("5;a=\"b\"c\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("5;a(\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("0;\r\n\r\n"), RejectReason::chunk_extension_invalid, 400},
           {chunked("0x5\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_size_invalid, 400},
           {chunked("+5\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_size_invalid, 400},
           {chunked("-1\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_size_invalid, 400},
           {chunked("5_0\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_size_invalid, 400},
           {chunked("5 \r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_size_invalid, 400},
           {chunked(" 5\r\nhello\r\n0\r\n\r\n"), RejectReason::chunk_size_invalid, 400},
           {chunked("\r\nhello\r\n0\r\n\r\n"), RejectReason::bare_carriage_return, 400},
           {chunked("00000000000000005\r\nhello"), RejectReason::chunk_size_invalid, 400},
           {chunked("ffffffffffffffff\r\n"), RejectReason::body_too_large, 413},
           {chunked("5\r\nhello\r\n100000\r\n"), RejectReason::body_too_large, 413},
           {chunked("0\r\nX : y\r\n\r\n"), RejectReason::space_before_colon, 400},
           {chunked("0\r\n folded\r\n\r\n"), RejectReason::folded_field, 400},
           {chunked("0\r\n\n"), RejectReason::bare_line_feed, 400},
           {"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", RejectReason::body_not_allowed, 400},
           // Heads.
           {"GET /" + nul + " HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::control_byte, 400},
           {with_field("A: b" + nul + "c"), RejectReason::control_byte, 400},
           {with_field("A: b\x7f"), RejectReason::control_byte, 400},
           {with_field("A" + nul + ": b"), RejectReason::control_byte, 400},
           {with_field(": b"), RejectReason::field_name_invalid, 400},
           {with_field("A b"), RejectReason::space_before_colon, 400},
           {with_field("A(: b"), RejectReason::field_name_invalid, 400},
           {with_field("A\xc3\xa9: b"), RejectReason::field_name_invalid, 400},
           {with_field("no colon"), RejectReason::space_before_colon, 400},
           {with_field("nocolon"), RejectReason::bare_carriage_return, 400},
           {with_field("A: b\r\n c"), RejectReason::folded_field, 400},
           {with_field("A: b\r\n\tc"), RejectReason::folded_field, 400},
           {"GET / HTTP/1.1\r\n Host: x\r\n\r\n", RejectReason::folded_field, 400},
           {"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::version_invalid, 400},
           {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::target_invalid, 400},
           {"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::target_invalid, 400},
           {"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::target_invalid, 400},
           {"GET //a:b/ HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::target_invalid, 400},
           {"GET a HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::target_invalid, 400},
           {"GET * HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::target_invalid, 400},
           {"GET file:///etc HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::target_invalid, 400},
           {"GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::target_invalid, 400},
           {"GET http:/// HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::target_invalid, 400},
           {"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::target_invalid, 400},
           {"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::foreign_authority, 400},
           {"GET http://x:443/ HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::foreign_authority, 400},
           {"GET https://x:80/ HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::foreign_authority, 400},
           {"GET http://x/ HTTP/1.1\r\nHost: x:8080\r\n\r\n", RejectReason::foreign_authority, 400},
           {"GET http://y/ HTTP/1.0\r\n\r\n", RejectReason::host_missing, 400},
           {"GET / HTTP/1.1\r\n\r\n", RejectReason::host_missing, 400},
           {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", RejectReason::host_repeated, 400},
           {"GET / HTTP/1.1\r\nHost:\r\n\r\n", RejectReason::host_invalid, 400},
           {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", RejectReason::host_invalid, 400},
           {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", RejectReason::host_invalid, 400},
           {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", RejectReason::host_invalid, 400},
           {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", RejectReason::host_invalid, 400},
           {"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", RejectReason::host_invalid, 400},
           {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", RejectReason::host_invalid, 400},
           {"GET / HTTP/1.01\r\nHost: x\r\n\r\n", RejectReason::version_invalid, 400},
           {"GET / http/1.1\r\nHost: x\r\n\r\n", RejectReason::version_invalid, 400},
           {"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", RejectReason::version_invalid, 400},
           {"GET / HTTP/+1.1\r\nHost: x\r\n\r\n", RejectReason::version_invalid, 400},
           {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", RejectReason::version_unsupported, 505},
           {"GET /\r\n", RejectReason::request_line_invalid, 400},
           {"GET / \r\n", RejectReason::version_invalid, 400},
           {"GET / HTTP/1.1\nHost: x\r\n\r\n", RejectReason::bare_line_feed, 400},
           {"GET / HTTP/1.1\r\nHost: x\n\r\n", RejectReason::bare_line_feed, 400},
           {"GET / HTTP/1.1\r\nHost: x\r\n\n", RejectReason::bare_line_feed, 400},
           {"GET / HTTP/1.1\r\nHost: x\rY: z\r\n\r\n", RejectReason::bare_carriage_return, 400},
           {"GET / HTTP/1.1\rHost: x\r\n\r\n", RejectReason::bare_carriage_return, 400},
           {"\nGET / HTTP/1.1\r\n", RejectReason::bare_line_feed, 400},
           {"\r\n\r\nGET / HTTP/1.1\r\n", RejectReason::bare_carriage_return, 400},
           {" GET / HTTP/1.1\r\n", RejectReason::request_line_invalid, 400},
           {"G(T / HTTP/1.1\r\n", RejectReason::request_line_invalid, 400},
           {"\x16\x03\x01\x02", RejectReason::control_byte, 400},
           {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", RejectReason::target_invalid, 400},
           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RejectReason::target_invalid, 400},
           {"get / HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::method_unknown, 501},
           {"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::method_unknown, 501},
           {"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", RejectReason::method_unknown, 501},
           {with_field("Expect: 200-ok"), RejectReason::expectation_unknown, 417},
       }) {
    const auto outcome = judge(breach.bytes);
    CAPTURE(breach.bytes);
    CHECK(to_string(outcome.refusal) == to_string(breach.refusal));
    CHECK(status_of(outcome.refusal) == breach.status);
    CHECK(outcome.messages == 0);
  }
}

TEST_CASE("limits apply as soon as they are exceeded, not after the whole head was read") {
  RequestFramingLimits limits;
  limits.max_head_bytes = 1024;
  limits.max_target_bytes = 256;
  limits.max_fields = 10;
  const auto endless = std::string(5000, 'a');

  auto outcome = judge("GET /" + endless, limits);
  CHECK(outcome.refusal == RejectReason::target_too_long);
  CHECK(outcome.used <= 4 + 256 + 1);
  outcome = judge("GET http://x/" + endless, limits);
  CHECK(outcome.refusal == RejectReason::target_too_long);
  outcome = judge(with_field("A: " + endless), limits);
  CHECK(outcome.refusal == RejectReason::head_too_large);
  CHECK(outcome.used <= 1025);
  outcome = judge("GET / HTTP/1.1\r\n" + endless, limits);
  CHECK(outcome.refusal == RejectReason::head_too_large);
  CHECK(judge(endless, limits).used <= 33);
  CHECK(judge("GET / " + endless, limits).used <= 6 + 17);

  std::string nine, ten;
  for (int i = 0; i < 9; ++i) nine += "A: b\r\n";
  ten = nine + "A: b\r\n";
  CHECK(judge("GET / HTTP/1.1\r\nHost: x\r\n" + nine + "\r\n", limits).refusal == RejectReason::none);
  CHECK(judge("GET / HTTP/1.1\r\nHost: x\r\n" + ten + "\r\n", limits).refusal == RejectReason::too_many_fields);
  CHECK(judge(chunked("0\r\n" + ten + "A: b\r\n\r\n"), limits).refusal == RejectReason::too_many_fields);
  CHECK(judge(chunked("0\r\nA: " + endless), limits).refusal == RejectReason::head_too_large);
  CHECK(judge(chunked("1;a" + endless), limits).refusal == RejectReason::chunk_extension_too_long);
  CHECK(status_of(RejectReason::target_too_long) == 414);
  CHECK(status_of(RejectReason::head_too_large) == 431);
  CHECK(status_of(RejectReason::too_many_fields) == 431);

  // A head of exactly the limit passes.
  const auto head = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n";
  const auto exact = with_field("A: " + std::string(1024 - std::string_view(head).size(), 'b'));
  CHECK(exact.size() == 1024);
  CHECK(judge(exact, limits).refusal == RejectReason::none);
  CHECK(judge("GET /" + std::string(255, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", limits).refusal == RejectReason::none);
  CHECK(judge("GET /" + std::string(256, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", limits).refusal ==
        RejectReason::target_too_long);
}

TEST_CASE("the fields of the head are counted, those of the trailer are not") {
  const RequestFramingLimits limits;
  RequestFramingValidator guard(limits);
  auto bytes = chunked("0\r\nA: b\r\nC: d\r\n\r\n");
  CHECK(guard.feed(bytes.data(), bytes.size()).step == RequestFramingValidator::Step::complete);
  CHECK(guard.fields() == 2);
}

TEST_CASE("an authority is a host with an optional port") {
  for (const auto good : {"x", "x:80", "a%20b", "x:", "a.b-c:1", "127.0.0.1:8080", "[::1]", "[2001:db8::1]:443"})
    CHECK_MESSAGE(is_valid_authority(good), good);
  for (const auto bad : {"", ":80", "x:80:90", "x:1234567", "[::1", "[zz]", "[]", "[::1]80", "a b", "a@b", "a/b", "a?b",
                         "a#b", "a\\b", "\"a\"", "%", "%2", "%2g"})
    CHECK_MESSAGE(!is_valid_authority(bad), bad);
}
