// The behaviour that the fast path must not change: each kind of request and response, alone and one after another on a
// single connection.
#include <doctest/doctest.h>

#include <deque>

#include "net/server_fixture.h"

using namespace tribune;
using namespace tribune::net;
using namespace tribune::test;

namespace {

std::string get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

/// "/now" is answered at once, "/later" by release(), "/stream" in parts, "/large" is more than a socket takes, "/drop"
/// is never answered.
struct Kinds {
  static constexpr std::size_t kLarge = 8 << 20;
  std::deque<std::unique_ptr<Exchange>> held;
  ServerUnderTest server{[this](auto exchange) { answer(std::move(exchange)); }};

  void answer(std::unique_ptr<Exchange> exchange) {
    const auto path = exchange->request().path;
    if (path == "/later") return held.push_back(std::move(exchange));
    if (path == "/drop") return;
    if (path == "/large") return exchange->reply({200, {}, std::string(kLarge, 'x')});
    if (path == "/stream") {
      exchange->begin({200, {}, {}}, 6);
      exchange->write(std::string("abc"));
      exchange->write(std::string("def"));
      return exchange->finish();
    }
    echo(std::move(exchange));
  }
  void release() {
    REQUIRE(server.becomes_true([this] { return !held.empty(); }));
    server.on_loop([this] {
      held.front()->reply({200, {}, std::string("at last")});
      held.pop_front();
    });
  }
  std::string ask(RawClient& client, const std::string& kind) {
    client.send(get(kind));
    if (kind == "/later") release();
    return client.read_answer();
  }
};

}  // namespace

TEST_CASE("every kind of response can follow every other on one connection") {
  Kinds kinds;
  auto client = kinds.server.client();
  const std::vector<std::string> all{"/now", "/later", "/stream", "/large", "/drop"};
  std::size_t asked = 0;
  for (const auto& first : all)
    for (const auto& second : all)
      for (const auto& kind : {first, second}) {
        CAPTURE(first);
        CAPTURE(second);
        const auto answer = kinds.ask(client, kind);
        CHECK(status_of_answer(answer) == (kind == "/drop" ? 500 : 200));
        if (kind == "/stream") CHECK(answer.ends_with("abcdef"));
        if (kind == "/later") CHECK(answer.ends_with("at last"));
        if (kind == "/large") CHECK(answer.size() > Kinds::kLarge);
        ++asked;
      }
  const auto finished = kinds.server.wait_finished(asked);
  REQUIRE(finished.size() == asked);
  for (const auto& each : finished) CHECK(each.completed);
}

TEST_CASE("split heads, pipelined heads and bodies leave the fast path, and later requests return to it") {
  ServerUnderTest server(echo);
  auto client = server.client();
  for (int round = 0; round < 3; ++round) {
    CHECK(client.ask(get("/one")).ends_with("GET /one? 127.0.0.1 []"));
    const auto split = get("/split");
    client.send(std::string_view(split).substr(0, 9 + static_cast<std::size_t>(round)));
    REQUIRE(server.becomes_true([&] { return server.server().connections() != 0; }));
    client.send(std::string_view(split).substr(9 + static_cast<std::size_t>(round)));
    CHECK(client.read_answer().ends_with("GET /split? 127.0.0.1 []"));
    client.send(get("/first") + get("/second"));
    CHECK(client.read_answer().ends_with("GET /first? 127.0.0.1 []"));
    CHECK(client.read_answer().ends_with("GET /second? 127.0.0.1 []"));
    CHECK(client.ask("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
              .ends_with("POST /post? 127.0.0.1 [body]"));
    CHECK(client.ask(get("/with", "Content-Length: 4\r\n") + "body").ends_with("GET /with? 127.0.0.1 [body]"));
    client.send(get("/late", "Content-Length: 4\r\n"));
    client.send("body");
    CHECK(client.read_answer().ends_with("GET /late? 127.0.0.1 [body]"));
  }
}

TEST_CASE("invalid requests are refused on the fast path with the same reasons as before evhttp") {
  for (const auto& row : std::vector<std::pair<std::string, std::string>>{
           {"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host_repeated"},
           {"GET /a HTTP/1.1\r\nHost : a\r\n\r\n", "space_before_colon"},
           {"GET /a HTTP/1.1\r\n\r\n", "host_missing"}}) {
    CAPTURE(row.first);
    const auto& [request, reason] = row;
    ServerUnderTest server(echo);
    auto client = server.client();
    CHECK(status_of_answer(client.ask(get("/fine"))) == 200);
    client.send(request);
    const auto answer = client.read_to_end();
    CHECK(status_of_answer(answer) == 400);
    CHECK(answer.find("Connection: close") != std::string::npos);
    CHECK_FALSE(client.was_reset());
    CHECK(server.rejected(reason) == 1);
  }
}

TEST_CASE("the handler of a waiting request is notified when its client leaves, and idle connections are closed") {
  Kinds kinds;
  {
    auto idle = kinds.server.client();
    kinds.ask(idle, "/now");
    auto waits = kinds.server.client();
    waits.send(get("/later"));
    REQUIRE(kinds.server.becomes_true([&] { return kinds.held.size() == 1; }));
  }
  CHECK(kinds.server.becomes_true([&] { return kinds.server.server().connections() == 0; }));
  const auto finished = kinds.server.wait_finished(2);
  REQUIRE(finished.size() == 2);
  CHECK(finished[0].path == "/now");
  CHECK(finished[1].path == "/later");
  CHECK_FALSE(finished[1].completed);
  kinds.server.on_loop([&] { kinds.held.clear(); });
}

TEST_CASE("the last of three allowed requests on a connection is answered with Connection: close") {
  ServerSettings settings;
  settings.limits.max_requests_per_connection = 3;
  ServerUnderTest server(echo, settings);
  auto client = server.client();
  CHECK(client.ask(get("/1")).find("Connection: close") == std::string::npos);
  CHECK(client.ask(get("/2")).find("Connection: close") == std::string::npos);
  client.send(get("/3"));
  CHECK(client.read_to_end().find("Connection: close") != std::string::npos);
}
