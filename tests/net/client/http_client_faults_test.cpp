// Responses of a slow, broken or hostile origin: the error names the fault, and no incomplete body is reported as
// complete.
#include <doctest/doctest.h>

#include "net/client_bench.h"

using namespace tribune;
using namespace tribune::net;
using namespace tribune::test;
using base::ErrorKind;

namespace {

/// The error of a fetch from an origin that runs this script; it must be attributed to the origin.
base::Error error_from(ScriptedOrigin::Script script, std::string* body = nullptr,
                       const FetchDeadlines& deadlines = ClientBench::patient()) {
  ScriptedOrigin origin(std::move(script));
  ClientBench bench;
  auto request = bench.request(origin);
  request.deadlines = deadlines;
  const auto outcome = bench.run(request);
  if (body != nullptr) *body = outcome.body;
  if (outcome.result) return {ErrorKind::internal, base::Fault::tribune, false, "no error"};
  CHECK(outcome.result.error().fault == base::Fault::origin);
  CHECK(test::has(outcome.text(), "127.0.0.1:" + std::to_string(origin.port())));
  return outcome.result.error();
}

/// The same for one response, after which the origin keeps the connection open: the client must not wait for more.
base::Error error_for(std::string answer) {
  return error_from([answer](OriginConnection& connection) {
    if (connection.read_request() && connection.send(answer)) connection.stall();
  });
}

/// Each test shortens the deadline that it is about, because the others must not expire first on a busy machine.
FetchDeadlines with_first_byte(std::chrono::milliseconds time) {
  auto deadlines = ClientBench::patient();
  deadlines.first_byte = time;
  return deadlines;
}

FetchDeadlines with_low_speed(std::chrono::milliseconds window) {
  auto deadlines = ClientBench::patient();
  deadlines.low_speed_window = window;
  return deadlines;
}

}  // namespace

TEST_CASE("a head that is cut anywhere is an error and never an empty 200") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\n";
  ClientBench bench;
  for (std::size_t cut = 0; cut < head.size(); ++cut) {
    CAPTURE(cut);
    ScriptedOrigin origin(ScriptedOrigin::once(head.substr(0, cut)));
    const auto outcome = bench.run(bench.request(origin));
    REQUIRE_FALSE(outcome.result.has_value());
    CHECK(outcome.kind() == ErrorKind::protocol);
    CHECK(outcome.result.error().may_retry);
    CHECK_FALSE(outcome.head.has_value());
  }
}

TEST_CASE("a head that is cut by a reset is an error") {
  for (const std::string sent : {"", "HTTP/1.1 200 OK\r\nContent-Le"}) {
    const auto error = error_from([sent](OriginConnection& connection) {
      connection.read_request();
      connection.send(sent);
      connection.reset();
    });
    CHECK(error.kind == ErrorKind::protocol);
    CHECK(error.may_retry);
  }
}

TEST_CASE("a status line of HTTP/2 on a connection of HTTP/1 is refused") {
  const auto error = error_for("HTTP/2 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(error.kind == ErrorKind::protocol);
  CHECK(test::has(error.text, "HTTP/2"));
}

TEST_CASE("an origin that sends nothing for the stall limit ends the fetch, and one that sends slowly does not") {
  auto deadlines = ClientBench::patient();
  deadlines.low_speed_bytes = 0;
  deadlines.stall = 300ms;
  std::string body;
  const auto error = error_from(
      [](OriginConnection& connection) {
        if (connection.read_request() && connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"))
          connection.stall();
      },
      &body, deadlines);
  CHECK(error.kind == ErrorKind::timeout);
  CHECK(test::has(error.text, "no byte"));
  CHECK(body == "hel");
}

TEST_CASE("contradictory framing is refused without waiting for the origin to close") {
  for (const std::string fields :
       {"Content-Length: 5\r\nContent-Length: 7", "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5,5",
        "Content-Length: -1", "Content-Length: 5x", "Content-Length: 10000000000000000000",
        "Content-Length: 99999999999999999999", "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: sideways", "Content-Length : 5", "X: a\r\n folded: b", "no colon here"}) {
    CAPTURE(fields);
    const auto error = error_for("HTTP/1.1 200 OK\r\n" + fields + "\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    CAPTURE(error.text);
    CHECK(error.kind == ErrorKind::protocol);
    CHECK_FALSE(error.may_retry);
  }
}

TEST_CASE("a connection with broken framing is never used again") {
  ScriptedOrigin origin([](OriginConnection& connection) {
    while (connection.read_request()) {
      if (!connection.send(connection.number() == 0
                               ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nhello"
                               : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"))
        return;
    }
  });
  ClientBench bench;
  CHECK(bench.run(bench.request(origin)).kind() == ErrorKind::protocol);
  CHECK(bench.run(bench.request(origin)).body == "good");
  CHECK(origin.accepted() == 2);
}

TEST_CASE("a body longer than announced is an error, and the excess bytes are never read as a response") {
  ScriptedOrigin origin([](OriginConnection& connection) {
    while (connection.read_request()) {
      if (!connection.send(
              connection.number() == 0
                  ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
                  : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"))
        return;
    }
  });
  ClientBench bench;
  const auto longer = bench.run(bench.request(origin));
  CHECK(longer.kind() == ErrorKind::protocol);
  CHECK(test::has(longer.text(), "longer than its declared length"));
  CHECK(longer.body == "hello");
  CHECK(bench.run(bench.request(origin)).body == "good");
  CHECK(origin.accepted() == 2);
}

TEST_CASE("with drops_surplus the body has the announced length, and the connection is not reused") {
  ScriptedOrigin origin([](OriginConnection& connection) {
    while (connection.read_request()) {
      if (!connection.send(
              connection.number() == 0
                  ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
                  : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"))
        return;
    }
  });
  ClientBench bench;
  auto request = bench.request(origin);
  request.drops_surplus = true;
  const auto longer = bench.run(request);
  CHECK(longer.result.has_value());
  CHECK(longer.body == "hello");
  CHECK(bench.run(request).body == "good");
  CHECK(origin.accepted() == 2);
}

TEST_CASE("excess bytes beyond one read of libcurl are detected") {
  const std::string body(128 * 1024 - 60, 'x');
  const auto error = error_for("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body +
                               std::string(300'000, 'y'));
  CHECK(error.kind == ErrorKind::protocol);
}

TEST_CASE("excess bytes after a response without body, or after the last chunk, are detected") {
  for (const std::string head : {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n",
                                 "HTTP/1.1 304 Not Modified\r\n\r\n",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}) {
    CAPTURE(head);
    ScriptedOrigin origin([&](OriginConnection& connection) {
      while (connection.read_request()) {
        if (!connection.send(connection.number() == 0 ? head + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
                                                      : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"))
          return;
      }
    });
    ClientBench bench;
    CHECK(bench.run(bench.request(origin)).kind() == ErrorKind::protocol);
    CHECK(bench.run(bench.request(origin)).body == "good");
  }
}

TEST_CASE("excess bytes that arrive after the end are never read as the next response") {
  std::atomic<bool> surplus_sent = false;
  ScriptedOrigin origin([&](OriginConnection& connection) {
    if (!connection.read_request()) return;
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    if (connection.number() == 0) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    connection.wait_until_received();
    surplus_sent = true;
    connection.stall();
  });
  ClientBench bench;
  REQUIRE(bench.run(bench.request(origin)).body == "hello");
  while (!surplus_sent) std::this_thread::yield();
  CHECK(bench.run(bench.request(origin)).body == "hello");
  CHECK(origin.accepted() == 2);
}

TEST_CASE("a body that is cut by FIN is an error, whatever its framing") {
  for (const std::string answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    CAPTURE(answer);
    const auto error = error_from(ScriptedOrigin::once(answer));
    CHECK(error.kind == ErrorKind::protocol);
    CHECK(error.may_retry);
  }
}

TEST_CASE("a body that is cut by a reset is an error, even without a length") {
  for (const std::string head : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"}) {
    CAPTURE(head);
    const auto error = error_from([head](OriginConnection& connection) {
      connection.read_request();
      connection.send(head + "hello");
      connection.reset();
    });
    CHECK(error.may_retry);
    CHECK((error.kind == ErrorKind::protocol || error.kind == ErrorKind::unavailable));
  }
}

TEST_CASE("malformed chunks are an error") {
  for (const std::string chunks :
       {"zz\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "ffffffffffffffffff\r\nhello",
        "\r\nhello", "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n"}) {
    CAPTURE(chunks);
    const auto error = error_for("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
    CAPTURE(error.text);
    CHECK(error.kind == ErrorKind::protocol);
  }
}

TEST_CASE("heads beyond a limit are refused at that limit") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  std::string many;
  for (int i = 0; i < 300; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  std::string wide;
  for (int i = 0; i < 8; ++i) wide += "X: " + std::string(10'000, 'x') + "\r\n";
  std::string interim;
  for (int i = 0; i < 100; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  using namespace std::string_literals;
  for (const auto& answer :
       {ok + "X: " + std::string(64 * 1024, 'x') + "\r\n\r\n", ok + "X: " + std::string(1 << 20, 'x'),
        ok + many + "\r\n", ok + wide + "\r\n", interim, ok + "X: a\0b\r\nContent-Length: 5\r\n\r\nhello"s,
        ok + "X: a\x01z\r\nContent-Length: 5\r\n\r\nhello", ok + "X: a\rb\r\n\r\n", "hello, this is HTTP/0.9\r\n"s,
        "<html>old</html>\r\n\r\n"s, "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello"s,
        "HTTP/1.1 999 X\r\nContent-Length: 5\r\n\r\nhello"s, "HTTP/1.1 600 X\r\nContent-Length: 5\r\n\r\nhello"s,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"s,
        "HTTP/3.7 200 OK\r\nContent-Length: 5\r\n\r\nhello"s,
        "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"s, std::string(100'000, 'x'),
        std::string(64, '\0')}) {
    CAPTURE(answer.substr(0, 60));
    const auto error = error_for(answer);
    CAPTURE(error.text);
    CHECK(error.kind == ErrorKind::protocol);
  }
}

TEST_CASE("an endless head is refused at its limit") {
  const auto error = error_from([](OriginConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\n");
    while (connection.send("X-Again: and again\r\n")) {
    }
  });
  CHECK(error.kind == ErrorKind::protocol);
}

TEST_CASE("an origin that never responds ends the fetch at the first-byte deadline") {
  for (const std::string sent : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}) {
    const auto error = error_from(
        [sent](OriginConnection& connection) {
          connection.read_request();
          connection.send(sent);
          connection.stall();
        },
        nullptr, with_first_byte(60ms));
    CHECK(error.kind == ErrorKind::timeout);
    CHECK(error.may_retry);
    CHECK(test::has(error.text, "no response head within 60 ms"));
  }
}

TEST_CASE(
    "an origin that stalls in the body ends the fetch at the low-speed deadline, after its bytes were delivered") {
  std::string body;
  const auto error = error_from(
      [](OriginConnection& connection) {
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + std::string(2000, 'x'));
        connection.stall();
      },
      &body, with_low_speed(60ms));
  CHECK(error.kind == ErrorKind::timeout);
  CHECK(error.may_retry);
  CHECK(test::has(error.text, "fewer than 1024 bytes"));
  CHECK(body.size() == 2000);
}

TEST_CASE("an origin that sends one byte at a time ends the fetch at the low-speed deadline") {
  const auto error = error_from(
      [](OriginConnection& connection) {
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n");
        while (connection.send("x")) ::poll(nullptr, 0, 5);
      },
      nullptr, with_low_speed(60ms));
  CHECK(error.kind == ErrorKind::timeout);
}

TEST_CASE("the total deadline ends a fetch that meets every other deadline") {
  auto deadlines = with_low_speed(30s);
  deadlines.total = 150ms;
  const auto error = error_from(
      [](OriginConnection& connection) {
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n");
        while (connection.send(std::string(2048, 'x'))) ::poll(nullptr, 0, 10);
      },
      nullptr, deadlines);
  CHECK(error.kind == ErrorKind::timeout);
  CHECK(test::has(error.text, "not finished within 150 ms"));
}

TEST_CASE("an origin that accepts no connections ends the fetch at the connect deadline") {
  // A listener whose queue is full drops further SYNs, like an unreachable host.
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(listener, 0) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(fillers.back(), reinterpret_cast<sockaddr*>(&address), length);
  }
  ClientBench bench;
  FetchRequest request;
  request.url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  request.destinations.allowed_origins = {request.url};
  request.deadlines.connect = 80ms;
  const auto outcome = bench.run(request);
  CHECK(outcome.kind() == ErrorKind::timeout);
  CHECK(outcome.result.error().may_retry);
  for (const int fd : fillers) ::close(fd);
  ::close(listener);
}

TEST_CASE("a refused connection is reported as such") {
  ClientBench bench;
  FetchRequest request;
  {
    ScriptedOrigin gone([](OriginConnection&) {});
    request = bench.request(gone);
  }
  const auto outcome = bench.run(request);
  CHECK(outcome.kind() == ErrorKind::refused);
  CHECK(outcome.result.error().may_retry);
  CHECK(test::has(outcome.text(), "Connection refused"));
  CHECK(bench.metrics().counter("tribune_client_requests_total", "", {{"result", "refused"}}).value() == 1);
}

TEST_CASE("a body over its bound is refused, by its announced length if it has one") {
  for (const std::string answer : {"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
                                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n"}) {
    ScriptedOrigin origin(ScriptedOrigin::always(answer + std::string(101, 'x') + "\r\n0\r\n\r\n"));
    ClientBench bench;
    auto request = bench.request(origin);
    request.max_body_bytes = 100;
    const auto outcome = bench.run(request);
    CHECK(outcome.kind() == ErrorKind::too_large);
    CHECK(outcome.body.size() <= 100);
  }
}
