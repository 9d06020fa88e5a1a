#include <doctest/doctest.h>
#include <sys/mman.h>

#include "net/listening_sockets.h"
#include "net/server_fixture.h"

using namespace tribune;
using namespace tribune::net;
using namespace tribune::test;

namespace {

const std::string kLimitsGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

ServerSettings shrunk() {
  ServerSettings settings;
  settings.limits.head_timeout = 200ms;
  settings.limits.body_timeout = 200ms;
  settings.limits.idle_timeout = 200ms;
  return settings;
}

}  // namespace

TEST_CASE("an invalid request gets one problem, and the bytes after it are never read as a request") {
  int handled = 0;
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    ++handled;
    echo(std::move(exchange));
  });
  auto client = server.client();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 31\r\n\r\n" + kLimitsGet);
  const auto answer = client.read_to_end();
  CHECK(status_of_answer(answer) == 400);
  CHECK(answer.find("Content-Type: application/problem+json") != std::string::npos);
  CHECK(answer.find("Connection: close") != std::string::npos);
  CHECK(answer.find("Access-Control-Allow-Origin: *") != std::string::npos);
  CHECK(answer.find("HTTP/1.1", 1) == std::string::npos);
  CHECK_FALSE(client.was_reset());
  CHECK(handled == 0);
  CHECK(server.rejected("length_repeated") == 1);
  client.close();
  CHECK(server.becomes_true([&] { return server.server().connections() == 0; }));
}

TEST_CASE("an invalid pipelined request is refused after the valid ones before it are answered") {
  std::vector<std::unique_ptr<Exchange>> waiting;
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) { waiting.push_back(std::move(exchange)); });
  auto client = server.client();
  client.send(kLimitsGet + "GET /b HTTP/1.1\r\n\r\n" + kLimitsGet);
  REQUIRE(server.becomes_true([&] { return waiting.size() == 1; }));
  server.on_loop([&] {
    waiting[0]->reply({200, {}, std::string("first")});
    waiting.clear();
  });
  CHECK(body_of(client.read_answer()) == "first");
  CHECK(status_of_answer(client.read_to_end()) == 400);
  CHECK(server.rejected("host_missing") == 1);
}

TEST_CASE("a client that goes on sending after its refusal is disconnected at a bound") {
  ServerUnderTest server(echo);
  auto client = server.client();
  client.send("BAD\r\n\r\n");
  CHECK(status_of_answer(client.read_answer()) == 400);
  const std::string junk(1 << 20, 'x');
  std::thread sender([&] { client.send(junk); });
  CHECK(server.becomes_true([&] { return server.server().connections() == 0; }));
  sender.join();
}

TEST_CASE("a head or body that does not arrive in time gets 408, and a silent connection is closed") {
  ServerUnderTest server(echo, shrunk());
  auto head = server.client();
  auto body = server.client();
  auto silent = server.client();
  head.send("GET / HTTP/1.1\r\nHo");
  body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
  CHECK(status_of_answer(head.read_to_end()) == 408);
  CHECK(status_of_answer(body.read_to_end()) == 408);
  CHECK(silent.read_to_end().empty());
  CHECK(server.rejected("head_timeout") == 1);
  CHECK(server.rejected("body_timeout") == 1);
  CHECK(server.metric("tribune_http_timeouts_total{kind=\"silent\",listener=\"front\"}") == 1);
}

TEST_CASE("a head that arrives slowly is refused at the deadline of the whole head") {
  ServerUnderTest server(echo, shrunk());
  auto client = server.client();
  std::atomic<bool> ended = false;
  std::thread sender([&] {
    for (const char c :
         std::string("GET / HTTP/1.1\r\nHost: x\r\nA: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")) {
      if (ended) return;
      client.send(std::string(1, c));
      ::poll(nullptr, 0, 20);
    }
  });
  const auto began = std::chrono::steady_clock::now();
  CHECK(status_of_answer(client.read_answer()) == 408);
  CHECK(std::chrono::steady_clock::now() - began < 1s);
  ended = true;
  sender.join();
}

TEST_CASE("an idle connection is closed at its deadline") {
  ServerUnderTest server(echo, shrunk());
  auto client = server.client();
  CHECK(status_of_answer(client.ask(kLimitsGet)) == 200);
  CHECK(client.read_to_end().empty());
  CHECK_FALSE(client.was_reset());
}

TEST_CASE(
    "the last of the allowed requests is answered with Connection: close, and the connection ends without a reset") {
  auto settings = ServerSettings{};
  settings.limits.max_requests_per_connection = 3;
  ServerUnderTest server(echo, settings);
  auto client = server.client();
  client.send(kLimitsGet + kLimitsGet + kLimitsGet + kLimitsGet + kLimitsGet);
  const auto answers = client.read_to_end();
  CHECK_FALSE(client.was_reset());
  std::size_t count = 0;
  for (auto at = answers.find("HTTP/1.1 200"); at != std::string::npos; at = answers.find("HTTP/1.1 200", at + 1))
    ++count;
  CHECK(count == 3);
  CHECK(answers.rfind("Connection: close") > answers.rfind("HTTP/1.1 200"));
}

TEST_CASE("Connection: close is honoured") {
  ServerUnderTest server(echo);
  for (const auto* field : {"close", "Close", "keep-alive, close", "close, TE"}) {
    auto client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: " + std::string(field) + "\r\n\r\n");
    const auto answer = client.read_to_end();
    CHECK_MESSAGE(answer.find("\r\nConnection: close\r\n") != std::string::npos, field);
  }
}

TEST_CASE("a reader below the minimum rate is disconnected, and one that waits for the server is not") {
  auto settings = shrunk();
  settings.limits.min_send_window = 400ms;
  settings.limits.min_send_rate_bps = 100'000'000;
  const int fd = ::memfd_create("body", MFD_CLOEXEC);
  REQUIRE(::ftruncate(fd, 64 << 20) == 0);
  std::weak_ptr<const base::File> watched;
  std::unique_ptr<Exchange> waiting;
  {
    auto file = std::make_shared<const base::File>(fd);
    watched = file;
    ServerUnderTest server(
        [&](std::unique_ptr<Exchange> exchange) {
          if (exchange->request().path == "/quiet") {
            exchange->begin({200, {}, {}}, 10);
            exchange->write(std::string("12345"));
            waiting = std::move(exchange);
            return;
          }
          exchange->reply({200, {}, base::FileSlice{std::exchange(file, nullptr), 0, 64 << 20}});
        },
        settings);
    auto quiet = server.client();
    quiet.send("GET /quiet HTTP/1.1\r\nHost: x\r\n\r\n");
    RawClient slow(server.address(), 16 * 1024);
    slow.send(kLimitsGet);
    const auto finished = server.wait_finished(1);
    REQUIRE(finished.size() == 1);
    CHECK(finished[0].path == "/a");
    CHECK_FALSE(finished[0].completed);
    CHECK(finished[0].bytes_sent < (64u << 20));
    CHECK(server.metric("tribune_http_slow_readers_cut_total{listener=\"front\"}") == 1);
    CHECK(server.becomes_true([&] { return watched.expired(); }));
    CHECK(server.connections() == 1);
    server.on_loop([&] {
      waiting->write(std::string("67890"));
      waiting->finish();
      waiting.reset();
    });
    CHECK(body_of(quiet.read_answer()) == "1234567890");
  }
}

TEST_CASE("when all connections are in use the longest idle one is closed for a new client at once") {
  auto settings = ServerSettings{};
  settings.limits.max_connections = 4;
  ServerUnderTest server(echo, settings);
  std::vector<RawClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(server.client());
    CHECK(status_of_answer(clients.back().ask(kLimitsGet)) == 200);
  }
  auto newcomer = server.client();
  CHECK(status_of_answer(newcomer.ask(kLimitsGet)) == 200);
  CHECK(clients[0].read_to_end().empty());
  CHECK(status_of_answer(clients[1].ask(kLimitsGet)) == 200);
  CHECK(server.connections() == 4);
  CHECK(server.metric("tribune_http_evicted_total{listener=\"front\"}") == 1);
}

TEST_CASE("a connection with keeps_place is closed for no new client, however long it is idle") {
  auto settings = ServerSettings{};
  settings.limits.max_connections = 2;
  ServerUnderTest server(
      [](std::unique_ptr<Exchange> exchange) {
        exchange->keeps_place = exchange->request().path == "/kept";
        echo(std::move(exchange));
      },
      settings);
  const std::string kept_request = "GET /kept HTTP/1.1\r\nHost: x\r\n\r\n";
  auto kept = server.client();
  CHECK(status_of_answer(kept.ask(kept_request)) == 200);
  auto other = server.client();
  CHECK(status_of_answer(other.ask(kLimitsGet)) == 200);
  auto newcomer = server.client();
  CHECK(status_of_answer(newcomer.ask(kLimitsGet)) == 200);
  CHECK(other.read_to_end().empty());
  CHECK(status_of_answer(kept.ask(kLimitsGet)) == 200);

  // The last response determines this: from here on the connection is like any other.
  CHECK(status_of_answer(newcomer.ask(kept_request)) == 200);
  CHECK(status_of_answer(server.client().ask(kLimitsGet)) == 200);
  CHECK(kept.read_to_end().empty());
  CHECK(status_of_answer(newcomer.ask(kLimitsGet)) == 200);
}

TEST_CASE("when all connections are busy a new client gets 503") {
  auto settings = ServerSettings{};
  settings.limits.max_connections = 2;
  std::vector<std::unique_ptr<Exchange>> waiting;
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) { waiting.push_back(std::move(exchange)); }, settings);
  auto one = server.client();
  auto two = server.client();
  one.send(kLimitsGet);
  two.send(kLimitsGet);
  REQUIRE(server.becomes_true([&] { return waiting.size() == 2; }));
  CHECK(status_of_answer(server.client().ask(kLimitsGet)) == 503);
  CHECK(server.rejected("too_many_connections") == 1);
  server.on_loop([&] { waiting.clear(); });
}

TEST_CASE("one address gets its limit of connections and no more") {
  auto settings = ServerSettings{};
  settings.limits.max_connections_per_address = 2;
  ServerUnderTest server(echo, settings);
  auto one = std::make_unique<RawClient>(server.address());
  auto two = server.client();
  CHECK(status_of_answer(one->ask(kLimitsGet)) == 200);
  CHECK(status_of_answer(two.ask(kLimitsGet)) == 200);
  CHECK(status_of_answer(server.client().ask(kLimitsGet)) == 429);
  CHECK(status_of_answer(RawClient(server.address(), 0, "127.0.0.2").ask(kLimitsGet)) == 200);
  one.reset();
  CHECK(server.becomes_true([&] { return server.server().connections() == 1; }));
  CHECK(status_of_answer(server.client().ask(kLimitsGet)) == 200);
}

TEST_CASE("X-Forwarded-For and X-Forwarded-Proto are accepted from trusted proxies only") {
  const std::string forwarded =
      "GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 9.9.9.9, 203.0.113.7, 10.0.0.1\r\nX-Forwarded-Proto: "
      "https\r\n\r\n";
  auto settings = ServerSettings{};
  settings.trusted_proxies = {"127.0.0.2/32", "10.0.0.0/8"};
  settings.limits.max_connections_per_address = 2;
  ServerUnderTest server(echo, settings);
  CHECK(body_of(RawClient(server.address(), 0, "127.0.0.2").ask(forwarded)) == "GET /a? 203.0.113.7 secure []");
  CHECK(body_of(RawClient(server.address(), 0, "127.0.0.3").ask(forwarded)) == "GET /a? 127.0.0.3 []");

  // The limit applies to the client that the proxy names, not to the proxy.
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server.address(), 0, "127.0.0.2");
    const auto named = "GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100." + std::to_string(i) + "\r\n\r\n";
    CHECK(status_of_answer(clients.back().ask(named)) == 200);
  }
  CHECK(server.becomes_true([&] { return server.server().connections() == 3; }));
  CHECK(status_of_answer(clients[0].ask(forwarded)) == 200);
  CHECK(status_of_answer(clients[1].ask(forwarded)) == 200);
  CHECK(status_of_answer(clients[2].ask(forwarded)) == 429);
}

TEST_CASE("a PROXY header is required from trusted proxies and refused from others") {
  auto settings = ServerSettings{};
  settings.trusted_proxies = {"127.0.0.2"};
  settings.proxy_protocol = true;
  ServerUnderTest server(echo, settings);
  const std::string header = "PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n";
  using namespace std::string_view_literals;
  const std::string header2 = std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x0a\xc0\0\2\1\x12\x67\0\x50"sv);

  CHECK(body_of(RawClient(server.address(), 0, "127.0.0.2").ask(header + kLimitsGet)) == "GET /a? 203.0.113.9 []");
  CHECK(body_of(RawClient(server.address(), 0, "127.0.0.2").ask(header2 + kLimitsGet)) == "GET /a? 203.0.113.10 []");
  {
    RawClient slow(server.address(), 0, "127.0.0.2");
    for (const char c : header2 + kLimitsGet) slow.send(std::string(1, c));
    CHECK(body_of(slow.read_answer()) == "GET /a? 203.0.113.10 []");
    CHECK(body_of(slow.ask(kLimitsGet)) == "GET /a? 203.0.113.10 []");
  }
  CHECK(status_of_answer(RawClient(server.address(), 0, "127.0.0.2").ask(kLimitsGet)) == 400);
  CHECK(status_of_answer(server.client().ask(header + kLimitsGet)) == 400);
  CHECK(status_of_answer(server.client().ask(header2 + kLimitsGet)) == 400);
  CHECK(body_of(server.client().ask(kLimitsGet)) == "GET /a? 127.0.0.1 []");
  CHECK(server.rejected("proxy_header_invalid") == 1);
}

TEST_CASE("X-Forwarded-For of a client that a PROXY header names is ignored, unless that client is a trusted proxy") {
  auto settings = ServerSettings{};
  settings.trusted_proxies = {"127.0.0.2", "192.0.2.0/24"};
  settings.proxy_protocol = true;
  ServerUnderTest server(echo, settings);
  const std::string forwarded =
      "GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n\r\n";
  const auto asked = [&](const std::string& header) {
    return body_of(RawClient(server.address(), 0, "127.0.0.2").ask(header + forwarded));
  };
  CHECK(asked("PROXY TCP4 203.0.113.9 198.51.100.1 4711 80\r\n") == "GET /a? 203.0.113.9 []");
  CHECK(asked("PROXY TCP4 192.0.2.8 198.51.100.1 4711 80\r\n") == "GET /a? 10.0.0.1 secure []");
  CHECK(asked("PROXY UNKNOWN\r\n") == "GET /a? 127.0.0.2 []");
}

TEST_CASE("a trusted proxy that a PROXY header names is not counted, and the client that it names is") {
  auto settings = ServerSettings{};
  settings.trusted_proxies = {"127.0.0.2", "192.0.2.0/24"};
  settings.proxy_protocol = true;
  settings.limits.max_connections_per_address = 1;
  ServerUnderTest server(echo, settings);
  std::vector<RawClient> clients;
  const auto status = [&](const std::string& client) {
    clients.emplace_back(server.address(), 0, "127.0.0.2");
    return status_of_answer(clients.back().ask(
        "PROXY TCP4 192.0.2.8 198.51.100.1 4711 80\r\nGET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + client +
        "\r\n\r\n"));
  };
  CHECK(status("203.0.113.1") == 200);
  CHECK(status("203.0.113.2") == 200);
  CHECK(status("203.0.113.2") == 429);
}

TEST_CASE("the process's own requests need no PROXY header, those of other processes on the machine do") {
  auto settings = ServerSettings{};
  settings.trusted_proxies = {"127.0.0.0/8"};
  settings.proxy_protocol = true;
  ServerUnderTest server(echo, settings);
  RawClient own(server.address());
  ListeningSockets::of_process().add(own.fd());
  CHECK(body_of(own.ask(kLimitsGet)) == "GET /a? 127.0.0.1 []");
  CHECK(body_of(own.ask(kLimitsGet)) == "GET /a? 127.0.0.1 []");
  ListeningSockets::of_process().remove(own.fd());
  CHECK(status_of_answer(server.client().ask(kLimitsGet)) == 400);
}

TEST_CASE("draining refuses new clients, closes idle connections and answers active ones with Connection: close") {
  std::vector<std::unique_ptr<Exchange>> waiting;
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    if (exchange->request().path == "/slow")
      waiting.push_back(std::move(exchange));
    else
      echo(std::move(exchange));
  });
  auto idle = server.client();
  auto busy = server.client();
  auto half = server.client();
  CHECK(status_of_answer(idle.ask(kLimitsGet)) == 200);
  busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  half.send("GET /half HT");
  REQUIRE(server.becomes_true([&] { return waiting.size() == 1 && server.server().connections() == 3; }));
  server.on_loop([&] { server.server().drain(); });
  CHECK(idle.read_to_end().empty());
  CHECK_THROWS(server.client());
  half.send("TP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = half.read_to_end();
  CHECK(status_of_answer(answer) == 200);
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  half.close();
  server.on_loop([&] {
    waiting[0]->reply({200, {}, std::string("done")});
    waiting.clear();
  });
  const auto last = busy.read_to_end();
  CHECK(body_of(last) == "done");
  CHECK(last.find("Connection: close\r\n") != std::string::npos);
  busy.close();
  CHECK(server.becomes_true([&] { return server.server().connections() == 0; }));
}

TEST_CASE("close_all cuts the remaining connections") {
  std::vector<std::unique_ptr<Exchange>> waiting;
  int gone = 0;
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    exchange->on_gone([&] { ++gone; });
    waiting.push_back(std::move(exchange));
  });
  auto client = server.client();
  client.send(kLimitsGet);
  REQUIRE(server.becomes_true([&] { return waiting.size() == 1; }));
  server.on_loop([&] { server.server().close_all(); });
  CHECK(gone == 1);
  CHECK(server.connections() == 0);
  client.read_to_end();
  CHECK(client.was_reset());
}

TEST_CASE("two servers of a process share a port, and the port of another process is refused") {
  ServerUnderTest first(echo);
  ServerSettings same;
  same.listen = {first.address()};
  // Another ConnectionLimits is another process as far as the check can see.
  CHECK_THROWS(ServerUnderTest(echo, same));
}

TEST_CASE("aborts at every byte of request and response leave no connections") {
  const std::string body(200'000, 'b');
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    if (exchange->request().path == "/stream") {
      exchange->begin({200, {}, {}}, std::nullopt);
      exchange->write(std::string(body));
      return exchange->finish();
    }
    exchange->reply({200, {}, body});
  });
  const std::string request =
      "POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + kLimitsGet;
  double clients = 0;
  for (std::size_t at = 0; at <= request.size(); ++at)
    for (const bool reset : {true, false}) {
      auto client = server.client();
      client.send(std::string_view(request).substr(0, at));
      if (reset) client.reset_now();
      ++clients;
    }
  // The server may not have accepted the last connections yet.
  CHECK(server.becomes_true([&] {
    return server.metric("tribune_http_accepted_total{listener=\"front\"}") == clients &&
           server.server().connections() == 0;
  }));
  CHECK(server.metric("tribune_http_connections{listener=\"front\"}") == 0);
}

namespace {

/// The pacing rate of the server's end of this client's connection in bits per second; 0 without pacing.
std::uint64_t pace_of(const RawClient& client) {
  sockaddr_in own{}, other{};
  socklen_t size = sizeof own;
  REQUIRE(::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&own), &size) == 0);
  for (int fd = 0; fd < 1'024; ++fd) {
    size = sizeof other;
    if (fd == client.fd() || ::getpeername(fd, reinterpret_cast<sockaddr*>(&other), &size) != 0 ||
        other.sin_port != own.sin_port)
      continue;
    unsigned long bytes_per_second = 0;
    size = sizeof bytes_per_second;
    REQUIRE(::getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_second, &size) == 0);
    return bytes_per_second == ~0ul ? 0 : bytes_per_second * 8;
  }
  FAIL("the server has no such connection");
  return 0;
}

/// The query is the pace that the handler requests.
void paced(std::unique_ptr<Exchange> exchange) {
  const auto& query = exchange->request().query;
  if (!query.empty()) exchange->pace(std::stoull(query));
  if (exchange->request().path != "/streamed") return exchange->reply({200, {}, "x"});
  exchange->begin({200, {}, {}}, 1);
  exchange->write(std::string("x"));
  exchange->finish();
}

}  // namespace

TEST_CASE("a response has the pace that its handler requests, and the next one has its own") {
  ServerUnderTest server(paced);
  auto client = server.client();
  const auto ask = [&](const std::string& target) {
    client.ask("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    return pace_of(client);
  };
  CHECK(ask("/a") == 0);
  CHECK(ask("/a?800000") == 800'000);
  CHECK(ask("/streamed?160000") == 160'000);
  CHECK(ask("/streamed?160000") == 160'000);
  CHECK(ask("/a") == 0);
  CHECK(ask("/streamed?8000000") == 8'000'000);
}

TEST_CASE("a pace is at most the listener's own, and at least twice the minimum rate of a client") {
  ServerSettings settings;
  settings.limits.max_send_rate_bps = 1'000'000;
  settings.limits.min_send_rate_bps = 100'000;
  ServerUnderTest server(paced, settings);
  auto client = server.client();
  const auto ask = [&](const std::string& target) {
    client.ask("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    return pace_of(client);
  };
  CHECK(ask("/a") == 1'000'000);
  CHECK(ask("/a?400000") == 400'000);
  CHECK(ask("/a?4000000") == 1'000'000);
  CHECK(ask("/a?8000") == 200'000);
  CHECK(ask("/streamed") == 1'000'000);
}
