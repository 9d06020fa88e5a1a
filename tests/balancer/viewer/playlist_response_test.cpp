#include "balancer/viewer/playlist_response.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::balancer;

namespace {

Rendered example() { return {base::share("#EXTM3U\n"), base::share("packed"), "\"plain\"", "\"packed\""}; }

std::string body(const http::Response& response) {
  const auto* slice = std::get_if<base::BytesSlice>(&response.body);
  return slice ? std::string(slice->view()) : "";
}

}  // namespace

TEST_CASE("a playlist is compressed for clients that accept it") {
  const auto plain = playlist_reply({}, example());
  CHECK(plain.status == 200);
  CHECK(body(plain) == "#EXTM3U\n");
  CHECK(plain.headers.first("ETag") == "\"plain\"");
  CHECK(plain.headers.first("Content-Type") == "application/vnd.apple.mpegurl");
  CHECK(plain.headers.first("Vary") == "Accept-Encoding");
  CHECK_FALSE(plain.headers.first("Content-Encoding"));
  CHECK_FALSE(plain.headers.first("Retry-After"));
  const auto packed = playlist_reply({{"Accept-Encoding", "gzip, deflate, br"}}, example());
  CHECK(body(packed) == "packed");
  CHECK(packed.headers.first("Content-Encoding") == "gzip");
  CHECK(packed.headers.first("ETag") == "\"packed\"");
  CHECK(packed.headers.first("Vary") == "Accept-Encoding");
}

TEST_CASE("a playlist that compression does not shorten is sent uncompressed") {
  auto rendered = example();
  rendered.gzip = nullptr;
  CHECK(body(playlist_reply({{"Accept-Encoding", "gzip"}}, rendered)) == "#EXTM3U\n");
}

TEST_CASE("a client that wants another representation than the current one gets 412") {
  CHECK(playlist_reply({{"If-Match", "\"other\""}}, example()).status == 412);
  CHECK(playlist_reply({{"If-Match", "*"}}, example()).status == 200);
}

TEST_CASE("a client that has this representation gets 304") {
  const auto same = playlist_reply({{"If-None-Match", "\"plain\""}}, example());
  CHECK(same.status == 304);
  CHECK(body(same).empty());
  CHECK(same.headers.first("ETag") == "\"plain\"");
  CHECK(same.headers.first("Vary") == "Accept-Encoding");
  CHECK(playlist_reply({{"If-None-Match", "\"packed\""}}, example()).status == 200);
  CHECK(playlist_reply({{"If-None-Match", "\"packed\""}, {"Accept-Encoding", "gzip"}}, example()).status == 304);
}

TEST_CASE("a playlist that names a session must not be stored") {
  const auto reply = session_playlist_reply("#EXTM3U\n");
  CHECK(reply.headers.first("Cache-Control") == "no-store");
  CHECK(std::get<std::string>(reply.body) == "#EXTM3U\n");
}

TEST_CASE("a playlist that ends early ends at its last segment, and keeps the dates after it") {
  const std::string segments = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ns1.ts\n#EXTINF:4,\ns2.ts\n";
  CHECK(ended_text(segments) == segments + "#EXT-X-ENDLIST\n");
  CHECK(ended_text(segments + "#EXT-X-DATERANGE:ID=\"a\"\n#EXT-X-PART:DURATION=1,URI=\"p\"\n#EXT-X-PRELOAD-HINT:TYPE="
                              "PART,URI=\"q\"\n#EXT-X-RENDITION-REPORT:URI=\"r\"\n") ==
        segments + "#EXT-X-DATERANGE:ID=\"a\"\n#EXT-X-ENDLIST\n");
  CHECK(ended_text(segments + "#EXT-X-ENDLIST\n") == segments + "#EXT-X-ENDLIST\n");
  CHECK(ended_text("#EXTM3U\n") == "#EXTM3U\n#EXT-X-ENDLIST\n");
  CHECK(ended_text("#EXTM3U\ns1.ts") == "#EXTM3U\ns1.ts\n#EXT-X-ENDLIST\n");
  CHECK(ended_text("#EXTM3U\r\ns1.ts\r\n\r\n") == "#EXTM3U\r\ns1.ts\r\n#EXT-X-ENDLIST\n");
}
