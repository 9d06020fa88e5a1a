#include "cache_node/filling/fill_response.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::cache_node;

namespace {

net::FetchHead head(int status, http::Headers headers, std::optional<std::uint64_t> length = {}) {
  net::FetchHead made;
  made.status = status;
  made.headers = std::move(headers);
  made.content_length = length;
  return made;
}

}  // namespace

TEST_CASE("a 206 continues a body only at the next offset, with the same length and ETag") {
  const Received here{100, 1'000, "\"one\""};
  CHECK(continues_body(here, head(206, {{"Content-Range", "bytes 100-999/1000"}, {"ETag", "\"one\""}}, 900)));
  CHECK(continues_body(here, head(206, {{"Content-Range", "bytes 100-999/1000"}})));
  CHECK_FALSE(continues_body(here, head(206, {{"Content-Range", "bytes 101-999/1000"}})));
  CHECK_FALSE(continues_body(here, head(206, {{"Content-Range", "bytes 100-998/999"}})));
  CHECK_FALSE(continues_body(here, head(206, {{"Content-Range", "bytes 100-999/1000"}}, 899)));
  CHECK_FALSE(continues_body(here, head(206, {{"Content-Range", "bytes 100-999/1000"}, {"ETag", "\"two\""}})));
  CHECK_FALSE(continues_body(here, head(206, {})));
  CHECK(continues_body({100, {}, ""}, head(206, {{"Content-Range", "bytes 100-999/1000"}}, 900)));
}

TEST_CASE("a second whole body may repeat the first unless its length, or the ETag of the same sender, differs") {
  const Received here{100, 1'000, "\"one\""};
  CHECK(may_repeat(here, true, head(200, {{"ETag", "\"one\""}}, 1'000)));
  CHECK_FALSE(may_repeat(here, true, head(200, {{"ETag", "\"two\""}}, 1'000)));
  CHECK(may_repeat(here, false, head(200, {{"ETag", "\"two\""}}, 1'000)));
  CHECK_FALSE(may_repeat(here, false, head(200, {}, 999)));
  CHECK(may_repeat(here, true, head(200, {})));
}

TEST_CASE("a body is unusable when a cut could not be detected, or when it is encoded") {
  CHECK(unusable_body(head(200, {{"Content-Encoding", "identity"}})).empty());
  CHECK_FALSE(unusable_body(head(200, {{"Content-Encoding", "gzip"}})).empty());
  auto endless = head(200, {});
  endless.ends_with_connection = true;
  CHECK_FALSE(unusable_body(endless).empty());
}

TEST_CASE("an empty body and an HTML page are no media, and all other bytes may be") {
  const http::Headers ts{{"Content-Type", "video/mp2t"}};
  for (const char* type : {"text/html", "TEXT/HTML; charset=utf-8", " text/html;x", "application/xhtml+xml"}) {
    CAPTURE(type);
    const auto page = head(200, {{"Content-Type", type}}, 600);
    CHECK(must_see_bytes(page));
    for (const char* text : {"<!DOCTYPE HTML><html>", "<!doctype html", "\r\n \t<html lang=en>", "<head>", "<body>",
                             "<title>", "<script>", "<meta ", "<style>", "<!-- x", "\xef\xbb\xbf<html>"})
      for (const bool is_end : {false, true}) CHECK(body_kind(page, text, is_end) == BodyKind::html_page);
    for (const std::string text : {"", " ", "\n\n", "<", "<!doctype htm", "\xef\xbb\xbf<ht"}) {
      CAPTURE(text);
      CHECK(body_kind(page, text, false) == BodyKind::more_bytes_needed);
      CHECK(body_kind(page, text, true) == (text.empty() ? BodyKind::empty : BodyKind::media));
    }
    for (const std::string text : {"G@", "<htmx", "x<html>", "<?xml version=\"1.0\"?><tt", "WEBVTT", "{\"a\":1}"})
      CHECK(body_kind(page, text, false) == BodyKind::media);
    CHECK(body_kind(page, std::string(511, ' '), false) == BodyKind::more_bytes_needed);
    CHECK(body_kind(page, std::string(512, ' '), false) == BodyKind::media);
  }
  CHECK(body_kind(head(200, ts, 600), "<html>", false) == BodyKind::media);
  CHECK(body_kind(head(200, {}, 600), "<html>", false) == BodyKind::media);
  CHECK_FALSE(must_see_bytes(head(200, ts, 1)));
  CHECK(must_see_bytes(head(200, ts, 0)));
  CHECK(must_see_bytes(head(200, ts)));  // of unknown length
  CHECK(body_kind(head(200, ts), "", false) == BodyKind::more_bytes_needed);
  CHECK(body_kind(head(200, ts), "", true) == BodyKind::empty);
  CHECK(body_kind(head(200, {{"Content-Type", "text/vtt"}}, 0), "", true) == BodyKind::media);
  CHECK(body_kind(head(200, ts), "x", false) == BodyKind::media);
}

TEST_CASE("parts are offered with ranges and a strong validator") {
  const http::Header ranges{"Accept-Ranges", "bytes"};
  CHECK(offers_parts(head(200, {ranges, {"ETag", "\"one\""}})));
  CHECK_FALSE(offers_parts(head(200, {{"ETag", "\"one\""}})));
  CHECK_FALSE(offers_parts(head(200, {ranges, {"ETag", "W/\"one\""}})));
  CHECK(offers_parts(head(
      200, {ranges, {"Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"}, {"Date", "Tue, 14 Nov 2023 22:13:22 GMT"}})));
  CHECK_FALSE(offers_parts(head(
      200, {ranges, {"Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"}, {"Date", "Tue, 14 Nov 2023 22:13:21 GMT"}})));
}

TEST_CASE("requests to an origin use its own validators; requests to a node use any ETag and no date") {
  ObjectHead previous;
  previous.etag = "\"t-1\"";
  previous.last_modified = 1'700'000'000;
  CHECK(conditions_of(previous, true).first("If-None-Match") == "\"t-1\"");
  CHECK(conditions_of(previous, false).first("If-Modified-Since") == "Tue, 14 Nov 2023 22:13:20 GMT");
  previous.etag.clear();
  CHECK(conditions_of(previous, true).empty());
  previous.etag = "\"one\"";
  CHECK(conditions_of(previous, false).first("If-None-Match") == "\"one\"");
}

TEST_CASE("the detail for viewers about another node's failure names no host; the log does") {
  const auto failure = failure_of_node("parent http://shield.internal:8080", 503);
  CHECK(failure.detail == "no other node could deliver the object");
  CHECK(failure.for_log() ==
        "parent http://shield.internal:8080 responded with status 503 and without the status of the origin");
  CHECK(failure.status == 0);
}
