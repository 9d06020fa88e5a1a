#include "runtime/access_log.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "support/fake_exchange.h"

using namespace tribune;
using namespace tribune::runtime;
using namespace tribune::test;

TEST_CASE("a session token in a path is replaced by the name of the session") {
  CHECK(loggable_path("/live/demo/~abc.def.ghi/v1/video.m3u8", "00ff") == "/live/demo/~00ff/v1/video.m3u8");
  CHECK(loggable_path("/live/demo/~abc.def/~via/city/v.m3u8", "00ff") == "/live/demo/~00ff/~via/city/v.m3u8");
  CHECK(loggable_path("/live/demo/~abc.def.ghi", "00ff") == "/live/demo/~00ff");
  CHECK(loggable_path("/live/demo/~abc.def.ghi/x", "") == "/live/demo/~…/x");
}

TEST_CASE("a token in a path of the API is replaced, too, whatever it looks like") {
  const std::string token = "k1." + std::string(80, 'x');
  CHECK(loggable_path("/api/v1/sessions/" + token + "/reports", "00ff") == "/api/v1/sessions/00ff/reports");
  CHECK(loggable_path("/api/v1/sessions/anything/reports", "") == "/api/v1/sessions/…/reports");
  CHECK(loggable_path("/api/v1/access/" + token, "00ff") == "/api/v1/access/00ff");
  CHECK(loggable_path("/api/v1/access/" + token + "/stop", "") == "/api/v1/access/…/stop");
  CHECK(loggable_path("/api/v1/other/%20" + token + "/x", "") == "/api/v1/other/…/x");
  CHECK(loggable_path("/" + token + "/x", "") == "/…/x");
  CHECK(loggable_path("/api/v1/access", "s") == "/api/v1/access");
  CHECK(loggable_path("/media/demo/file-name-of-a-segment-0001.with-a-long-suffix", "") ==
        "/media/demo/file-name-of-a-segment-0001.with-a-long-suffix");
}

TEST_CASE("a token among other characters of a segment is replaced, too, and long names of files are not") {
  const std::string token = "k1.QWsHU6XOD6yLRr-ikcSBTxXdk6ftQWsHU6V5TmPowcye4c_SBT0";
  for (const std::string before : {"index.m3u8%3Fsession%3D", "index.m3u8;session=", "%7E", "x~", "Bearer%20tat_"})
    for (const auto* after : {"", ".m3u8", "%26x", ",", "=="})
      CHECK_MESSAGE(loggable_path("/live/demo/" + before + token + after + "/v1", "") == "/live/demo/…/v1", before);
  for (const std::string name : {"init.9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.mp4",
                                 "part.550e8400-e29b-41d4-a716-446655440000.m4s", "a.b.c.d", "The-Long-Name.m3u8",
                                 ".QWsHU6XOD6yLRr-ikcSBTxXdk6ftQWsHU6V5TmPo"})
    CHECK_MESSAGE(loggable_path("/media/demo/" + name, "") == "/media/demo/" + name, name);
}

TEST_CASE("other paths are logged unchanged, and very long ones are truncated") {
  CHECK(loggable_path("/", "") == "/");
  CHECK(loggable_path("/a//b/", "s") == "/a//b/");
  CHECK(loggable_path("/media/demo/a~b.ts", "s") == "/media/demo/a~b.ts");
  CHECK(loggable_path("*", "") == "*");
  CHECK(loggable_path("", "") == "");
  CHECK(loggable_path("/" + std::string(8000, 'x'), "").size() < 600);
}

TEST_CASE("a request is logged as one line without its query, and counted by method and class of status") {
  const std::string file = "access_log_test." + std::to_string(::getpid());
  base::Metrics metrics;
  {
    base::Log log({base::LogLevel::info, base::LogFormat::json, file, true});
    AccessLog access(log, metrics, "front");
    auto request = request_of(http::Method::get, "/live/demo/~tok.en/v.m3u8");
    request.query = "tl=secret-signature&CMCD=sid%3D%22player-7%22";
    request.headers.add("X-Request-Id", "id-1");
    request.client = "192.0.2.1";
    net::AccessLogNote note;
    note.cache = "hit";
    note.session = "00ff";
    note.node = "stadium";
    access.record({request, 200, 636, std::chrono::microseconds{1500}, note, true});
    access.record({request, 404, 10, std::chrono::microseconds{10}, note, false});
  }
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::remove(file.c_str());

  const auto line = base::json::parse(text.substr(0, text.find('\n')));
  REQUIRE_MESSAGE(line, text);
  CHECK(line->text("event") == "request");
  CHECK(line->text("client") == "192.0.2.1");
  CHECK(line->text("method") == "GET");
  CHECK(line->text("path") == "/live/demo/~00ff/v.m3u8");
  CHECK(line->whole("status") == 200);
  CHECK(line->whole("bytes") == 636);
  CHECK(line->real("duration_ms") == 1.5);
  CHECK(line->text("cache") == "hit");
  CHECK(line->text("node") == "stadium");
  CHECK(line->text("session") == "00ff");
  CHECK(line->text("player") == "player-7");
  CHECK(line->text("request") == "id-1");
  CHECK(line->flag("completed") == true);
  CHECK(text.find("secret-signature") == std::string::npos);
  CHECK(text.find("tok.en") == std::string::npos);

  const auto scrape = metrics.scrape();
  CAPTURE(scrape);
  CHECK(scrape.find(R"(tribune_http_requests_total{listener="front",method="GET",status="2xx"} 1)") !=
        std::string::npos);
  CHECK(scrape.find(R"(tribune_http_requests_total{listener="front",method="GET",status="4xx"} 1)") !=
        std::string::npos);
  CHECK(scrape.find(R"(tribune_http_sent_body_bytes_total{listener="front"} 646)") != std::string::npos);
  CHECK(scrape.find(R"(tribune_http_requests_cut_total{listener="front"} 1)") != std::string::npos);
  CHECK(scrape.find(R"(tribune_http_request_duration_seconds_count{listener="front"} 2)") != std::string::npos);
}
