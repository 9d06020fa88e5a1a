// Responses of a correct origin.
#include <doctest/doctest.h>

#include <algorithm>

#include "net/client_bench.h"

using namespace tribune;
using namespace tribune::net;
using namespace tribune::test;

namespace {

constexpr auto kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\nhello";

/// Responds with the text of the request, and keeps the connection.
void echo_request(OriginConnection& connection) {
  while (const auto request = connection.read_request()) {
    if (!connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(request->size()) + "\r\n\r\n" +
                         *request))
      return;
  }
}

}  // namespace

TEST_CASE("a response arrives as head, body and end") {
  ScriptedOrigin origin(ScriptedOrigin::always(kHello));
  ClientBench bench;
  const auto outcome = bench.run(bench.request(origin, "/a?b=c"));
  CHECK(outcome.result.has_value());
  REQUIRE(outcome.head.has_value());
  CHECK(outcome.head->status == 200);
  CHECK(outcome.head->headers.first("etag") == "\"x\"");
  CHECK(outcome.head->content_length == 5);
  CHECK_FALSE(outcome.head->ends_with_connection);
  CHECK(outcome.head->final_uri.text() == origin.url("/a?b=c"));
  CHECK(outcome.body == "hello");
}

TEST_CASE("a 404 and a 503 are responses, not errors") {
  for (const std::string status : {"404 Not Found", "503 Service Unavailable"}) {
    ScriptedOrigin origin(ScriptedOrigin::always("HTTP/1.1 " + status + "\r\nContent-Length: 2\r\n\r\nno"));
    ClientBench bench;
    const auto outcome = bench.run(bench.request(origin));
    CHECK(outcome.result.has_value());
    CHECK(outcome.head->status == std::stoi(status));
    CHECK(outcome.body == "no");
  }
}

TEST_CASE("chunked, close-delimited, empty and interim responses are read whole") {
  struct Row {
    std::string answer, body;
    bool ends_with_connection;
  };
  for (const auto& row :
       {Row{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Trailer: z\r\n\r\n",
            "hello", false},
        Row{"HTTP/1.1 200 OK\r\n\r\nhello", "hello", true}, Row{"HTTP/1.0 200 OK\r\n\r\nhello", "hello", true},
        Row{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", false},
        Row{"HTTP/1.1 204 No Content\r\n\r\n", "", false},
        Row{"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 77\r\n\r\n", "", false},
        Row{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 "
            "OK\r\nContent-Length: 5\r\n\r\nhello",
            "hello", false}}) {
    CAPTURE(row.answer);
    ScriptedOrigin origin(ScriptedOrigin::once(row.answer));
    ClientBench bench;
    const auto outcome = bench.run(bench.request(origin));
    CHECK(outcome.text() == "no error");
    CHECK(outcome.body == row.body);
    REQUIRE(outcome.head.has_value());
    CHECK(outcome.head->ends_with_connection == row.ends_with_connection);
  }
}

TEST_CASE("a response to HEAD has the length and no body") {
  ScriptedOrigin origin(ScriptedOrigin::always("HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n"));
  ClientBench bench;
  auto request = bench.request(origin);
  request.method = http::Method::head;
  request.max_body_bytes = 10;
  const auto outcome = bench.run(request);
  CHECK(outcome.text() == "no error");
  CHECK(outcome.head->content_length == 2097152);
  CHECK(outcome.body.empty());
}

TEST_CASE("methods, fields and bodies are sent as given, and no field can add a line") {
  ScriptedOrigin origin(echo_request);
  ClientBench bench;
  auto request = bench.request(origin, "/p?q=%7e");
  request.method = http::Method::post;
  request.body = "{\"a\":1}";
  request.headers = {
      {"Content-Type", "application/json"}, {"X-Empty", ""}, {"X-Bad", "a\r\nX-Smuggled: b"}, {"Content-Length", "99"}};
  const auto posted = bench.run(request);
  CHECK(posted.body.starts_with("POST /p?q=%7e HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(origin.port()) + "\r\n"));
  CHECK(test::has(posted.body, "Content-Type: application/json\r\n"));
  CHECK(test::has(posted.body, "X-Empty:\r\n"));
  CHECK(test::has(posted.body, "Content-Length: 7\r\n"));
  CHECK_FALSE(test::has(posted.body, "X-Smuggled"));
  CHECK_FALSE(test::has(posted.body, "Expect:"));
  CHECK(posted.body.ends_with("\r\n\r\n{\"a\":1}"));
  for (const auto method : {http::Method::put, http::Method::patch, http::Method::del, http::Method::options}) {
    request.method = method;
    const auto sent = bench.run(request);
    CHECK(sent.body.starts_with(std::string(http::to_string(method)) + " /p"));
    CHECK(sent.body.ends_with("{\"a\":1}"));
  }
  const auto got = bench.run(bench.request(origin, "/a/./b/../c"));
  CHECK(got.body.starts_with("GET /a/c HTTP/1.1\r\n"));
  CHECK_FALSE(test::has(got.body, "Content-Type"));
  CHECK_FALSE(test::has(got.body, "Accept-Encoding"));
}

TEST_CASE("consecutive requests share one connection") {
  ScriptedOrigin origin(ScriptedOrigin::always(kHello));
  ClientBench bench;
  for (int i = 0; i < 20; ++i) CHECK(bench.run(bench.request(origin)).body == "hello");
  CHECK(origin.accepted() == 1);
  CHECK(bench.metrics().counter("tribune_client_connections_total", "").value() == 1);
  CHECK(bench.metrics().counter("tribune_client_requests_total", "", {{"result", "answered"}}).value() == 20);
}

TEST_CASE("there are no more connections to an origin than the limit, and other requests wait") {
  ScriptedOrigin origin(echo_request);
  ClientSettings settings;
  settings.max_connections_per_origin = 3;
  ClientBench bench(settings);
  std::vector<Outcome> outcomes(40);
  std::vector<std::unique_ptr<Fetch>> fetches;
  std::size_t done = 0;
  for (auto& outcome : outcomes) {
    fetches.push_back(bench.client().start(bench.request(origin), bench.collect(outcome, [&] {
      if (++done == outcomes.size()) bench.loop.stop();
    })));
  }
  bench.run_loop();
  for (const auto& outcome : outcomes) CHECK(outcome.text() == "no error");
  CHECK(origin.accepted() <= 3);
}

TEST_CASE("a request that waits too long for a free connection fails with that reason") {
  ScriptedOrigin origin([](OriginConnection& connection) { connection.stall(); });
  ClientSettings settings;
  settings.max_connections_per_origin = 1;
  ClientBench bench(settings);
  Outcome first;
  const auto holder = bench.client().start(bench.request(origin), bench.collect(first, [] {}));
  auto request = bench.request(origin);
  request.deadlines.first_byte = 30ms;
  const auto second = bench.run(request);
  CHECK(second.kind() == base::ErrorKind::timeout);
  CHECK(test::has(second.text(), "no connection was free"));
  CHECK(second.result.error().may_retry);
  CHECK_FALSE(first.is_done);
}

TEST_CASE("fetches that are destroyed while they wait or are active leave their connections to others") {
  ScriptedOrigin origin([](OriginConnection& connection) {
    if (connection.number() == 0) return connection.stall();
    echo_request(connection);
  });
  ClientSettings settings;
  settings.max_connections = settings.max_connections_per_origin = 1;
  ClientBench bench(settings);
  Outcome none;
  std::vector<std::unique_ptr<Fetch>> fetches;
  for (int i = 0; i < 4; ++i)
    fetches.push_back(bench.client().start(bench.request(origin), bench.collect(none, [] {})));
  bench.turn();
  fetches[2].reset();
  fetches[0].reset();
  fetches[1].reset();
  fetches[3].reset();
  const auto outcome = bench.run(bench.request(origin));
  CHECK(outcome.text() == "no error");
  CHECK_FALSE(none.is_done);
}

TEST_CASE("origins take turns when all connections are in use") {
  ScriptedOrigin busy(echo_request), quiet(echo_request);
  ClientSettings settings;
  settings.max_connections = 1;
  ClientBench bench(settings);
  std::vector<Outcome> outcomes(20);
  std::vector<std::unique_ptr<Fetch>> fetches;
  std::size_t done = 0;
  for (auto& outcome : outcomes)
    fetches.push_back(bench.client().start(bench.request(busy), bench.collect(outcome, [&] { ++done; })));
  const auto late = bench.run(bench.request(quiet));
  CHECK(late.text() == "no error");
  CHECK(done < 5);
}

TEST_CASE("for GET, a kept connection that was closed is replaced without an error") {
  ScriptedOrigin origin([](OriginConnection& connection) {
    if (!connection.read_request()) return;
    connection.send(kHello);
    // The first connection accepts a second request and is closed without a response.
    if (connection.number() == 0) connection.read_request();
    if (connection.number() == 0) return;
    connection.stall();
  });
  ClientBench bench;
  CHECK(bench.run(bench.request(origin)).body == "hello");
  CHECK(bench.run(bench.request(origin)).body == "hello");
  CHECK(origin.accepted() == 2);
}

TEST_CASE("a POST is sent once: it uses a kept connection only if it may be repeated") {
  ScriptedOrigin origin(echo_request);
  ClientBench bench;
  bench.run(bench.request(origin));
  auto request = bench.request(origin);
  request.method = http::Method::post;
  request.body = "x";
  CHECK(bench.run(request).text() == "no error");
  CHECK(origin.accepted() == 2);
  request.may_repeat = true;
  CHECK(bench.run(request).text() == "no error");
  CHECK(origin.accepted() == 2);
}

TEST_CASE("a POST that may have been received is not retried, and one that was never sent is") {
  ScriptedOrigin origin([](OriginConnection& connection) { connection.read_request(); });
  ClientBench bench;
  auto request = bench.request(origin);
  request.method = http::Method::post;
  const auto lost = bench.run(request);
  CHECK(lost.kind() == base::ErrorKind::protocol);
  CHECK_FALSE(lost.result.error().may_retry);
  CHECK(origin.accepted() == 1);
  request.url = "http://127.0.0.1:1/";
  request.destinations.allowed_origins = {"http://127.0.0.1:1"};
  const auto refused = bench.run(request);
  CHECK(refused.kind() == base::ErrorKind::refused);
  CHECK(refused.result.error().may_retry);
}

TEST_CASE("a large body arrives whole, in pieces") {
  std::string body;
  while (body.size() < 3'000'000) body += std::to_string(body.size()) + ' ';
  ScriptedOrigin origin(
      ScriptedOrigin::always("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body));
  ClientBench bench;
  const auto outcome = bench.run(bench.request(origin));
  CHECK(outcome.text() == "no error");
  CHECK(outcome.body == body);
  CHECK(outcome.pieces > 10);
}

TEST_CASE("get_whole delivers the whole response at once") {
  ScriptedOrigin origin(ScriptedOrigin::always(kHello));
  ClientBench bench;
  std::optional<base::Result<WholeAnswer>> answer;
  std::unique_ptr<Fetch> fetch = bench.client().get_whole(bench.request(origin), [&](base::Result<WholeAnswer> result) {
    fetch.reset();
    answer = std::move(result);
    bench.loop.stop();
  });
  bench.run_loop();
  REQUIRE(answer.has_value());
  REQUIRE(answer->has_value());
  CHECK((*answer)->head.status == 200);
  CHECK((*answer)->body == "hello");
}

TEST_CASE("a proxy in the environment is ignored") {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ScriptedOrigin origin(ScriptedOrigin::always(kHello));
  ClientBench bench;
  CHECK(bench.run(bench.request(origin)).body == "hello");
  ::unsetenv("http_proxy");
}
