#include "net/server/http_server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/mman.h>

#include "net/server_fixture.h"

using namespace tribune;
using namespace tribune::net;
using namespace tribune::test;

namespace {

const std::string kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

std::shared_ptr<const base::File> file_of(const std::string& bytes) {
  const int fd = ::memfd_create("body", MFD_CLOEXEC);
  REQUIRE(::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  return std::make_shared<const base::File>(fd);
}

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + (i * 7 + i / 4096) % 26);
  return bytes;
}

}  // namespace

TEST_CASE("a response has the body, Date, CORS fields and the body's length") {
  ServerUnderTest server(echo);
  auto client = server.client();
  const auto answer = client.ask("GET /a/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(body_of(answer) == "GET /a/b?c=d 127.0.0.1 []");
  CHECK(answer.find("Access-Control-Allow-Origin: *\r\n") != std::string::npos);
  CHECK(answer.find("Access-Control-Expose-Headers: Age, Date, Content-Length, Content-Range") != std::string::npos);
  CHECK(answer.find("Date: ") != std::string::npos);
  CHECK(answer.find("Connection:") == std::string::npos);
  const auto finished = server.wait_finished(1);
  REQUIRE(finished.size() == 1);
  CHECK(finished[0].path == "/a/b");
  CHECK(finished[0].completed);
  CHECK(finished[0].bytes_sent == 25);
}

TEST_CASE("bodies arrive whole, with a length or chunked, and trailers do not become fields") {
  std::string fields;
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    for (const auto& field : exchange->request().headers.all()) fields += field.name + ";";
    echo(std::move(exchange));
  });
  auto client = server.client();
  CHECK(body_of(client.ask("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")) ==
        "POST /p? 127.0.0.1 [hello]");
  CHECK(body_of(client.ask(
            "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\tchunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: "
            "1\r\n\r\n")) == "POST /p? 127.0.0.1 [abcde]");
  CHECK(fields == "Host;Content-Length;X-Request-Id;Host;Transfer-Encoding;X-Request-Id;");
  CHECK(body_of(client.ask("\r\nGET /q HTTP/1.1\r\nHost: x\r\n\r\n")) == "GET /q? 127.0.0.1 []");
}

TEST_CASE("a body arrives even if it is larger than the read-ahead buffer") {
  ServerUnderTest server([](std::unique_ptr<Exchange> exchange) {
    exchange->reply({200, {}, std::to_string(exchange->request().body.size())});
  });
  auto client = server.client();
  const auto body = pattern(1'000'000);
  CHECK(body_of(client.ask("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + body)) == "1000000");
  CHECK(body_of(client.ask("PUT /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n" + body +
                           "\r\n0\r\n\r\n")) == "1000000");
}

TEST_CASE("100-continue is sent to a client that expects it") {
  ServerUnderTest server(echo);
  auto client = server.client();
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.read_answer() == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(body_of(client.ask("hello")) == "POST /p? 127.0.0.1 [hello]");
}

TEST_CASE("a thousand pipelined requests are answered in order") {
  ServerUnderTest server(echo);
  auto client = server.client();
  std::string all;
  for (int i = 0; i < 1000; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  std::thread sender([&] { client.send(all); });
  bool in_order = true;
  for (int i = 0; i < 1000; ++i)
    in_order = in_order && body_of(client.read_answer()) == "GET /" + std::to_string(i) + "? 127.0.0.1 []";
  sender.join();
  CHECK(in_order);
}

TEST_CASE("a server for any method passes unknown methods with their bodies to the handler, then the next request") {
  ServerUnderTest server(
      [](std::unique_ptr<Exchange> exchange) {
        const auto& request = exchange->request();
        exchange->reply({200,
                         {},
                         std::string(http::to_string(request.method)) + "|" + request.other_method + "|" +
                             request.path + "|" + request.body});
      },
      {}, true);
  auto client = server.client();
  const std::string text =
      "M-SEARCH /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: x\r\n\r\nA /c "
      "HTTP/1.1\r\nHost: x\r\n\r\n";
  SUBCASE("all bytes arrive at once") { client.send(text); }
  SUBCASE("the bytes arrive one by one") {
    for (const char c : text) client.send(std::string(1, c));
  }
  CHECK(body_of(client.read_answer()) == std::string(http::to_string(http::Method::other)) + "|M-SEARCH|/a|abc");
  CHECK(body_of(client.read_answer()) == "GET||/b|");
  CHECK(body_of(client.read_answer()) == std::string(http::to_string(http::Method::other)) + "|A|/c|");
  for (const char* method : {"TRACE", "CONNECT"}) {
    auto other = server.client();
    other.send(std::string(method) + " /a HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(other.read_answer().starts_with("HTTP/1.1 501"));
  }
}

TEST_CASE("pipelined requests wait until an earlier one is answered") {
  std::vector<std::unique_ptr<Exchange>> waiting;
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    if (exchange->request().path == "/slow")
      waiting.push_back(std::move(exchange));
    else
      echo(std::move(exchange));
  });
  auto client = server.client();
  client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(server.becomes_true([&] { return waiting.size() == 1; }));
  server.on_loop([&] {
    waiting[0]->reply({200, {}, std::string("late")});
    waiting.clear();
  });
  CHECK(body_of(client.read_answer()) == "late");
  CHECK(body_of(client.read_answer()) == "GET /b? 127.0.0.1 []");
}

TEST_CASE("a response to HEAD has the length and no body, for whole, shared, file and streamed bodies") {
  const auto file = file_of(pattern(100'000));
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    const auto& path = exchange->request().path;
    if (path == "/file") return exchange->reply({200, {}, base::FileSlice{file, 0, 100'000}});
    if (path == "/stream") {
      exchange->begin({200, {}, {}}, 7);
      exchange->write(std::string("1234567"));
      return exchange->finish();
    }
    exchange->reply({200, {}, base::BytesSlice{base::share("hello"), 0, 5}});
  });
  auto client = server.client();
  for (const auto& [path, length] : {std::pair{"/file", "100000"}, {"/stream", "7"}, {"/shared", "5"}}) {
    client.send("HEAD " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto answer = client.read_answer(false);
    CHECK(answer.find("Content-Length: " + std::string(length) + "\r\n") != std::string::npos);
    CHECK(answer.ends_with("\r\n\r\n"));
  }
}

TEST_CASE("204 and 304 have no body and no length, and the connection stays open") {
  ServerUnderTest server([](std::unique_ptr<Exchange> exchange) {
    const int status = exchange->request().path == "/204" ? 204 : 304;
    exchange->reply({status, {{"ETag", "\"a\""}}, std::string("never sent")});
  });
  auto client = server.client();
  for (const auto* path : {"/204", "/304", "/204"}) {
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto answer = client.read_answer(false);
    CHECK(answer.find("\r\nContent-Length:") == std::string::npos);
    CHECK(answer.find("Access-Control-Allow-Origin: *") != std::string::npos);
    CHECK(answer.ends_with("\r\n\r\n"));
  }
}

TEST_CASE("file slices larger than one write of the kernel are sent whole") {
  const auto bytes = pattern(8 << 20);
  const auto file = file_of(bytes);
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    exchange->reply({200, {}, base::FileSlice{file, 1000, bytes.size() - 2000}});
  });
  auto client = server.client();
  for (int i = 0; i < 3; ++i) CHECK(body_of(client.ask(kGet)) == bytes.substr(1000, bytes.size() - 2000));
  CHECK(server.wait_finished(3).size() == 3);
}

TEST_CASE("large owned and shared bodies are sent whole") {
  const auto bytes = base::share(pattern(6 << 20));
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    if (exchange->request().path == "/own") return exchange->reply({200, {}, std::string(*bytes)});
    exchange->reply({200, {}, base::BytesSlice{bytes, 5, bytes->size() - 5}});
  });
  auto client = server.client();
  CHECK(body_of(client.ask("GET /own HTTP/1.1\r\nHost: x\r\n\r\n")) == *bytes);
  CHECK(body_of(client.ask("GET /shared HTTP/1.1\r\nHost: x\r\n\r\n")) == bytes->substr(5));
}

TEST_CASE("a file that is shorter than announced cuts the connection") {
  const auto file = file_of(pattern(1000));
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    exchange->reply({200, {}, base::FileSlice{file, 0, 5000}});
  });
  auto client = server.client();
  client.send(kGet);
  const auto answer = client.read_to_end();
  CHECK(answer.find("Content-Length: 5000") != std::string::npos);
  CHECK(body_of(answer).size() <= 1000);
  const auto finished = server.wait_finished(1);
  REQUIRE(finished.size() == 1);
  CHECK_FALSE(finished[0].completed);
}

TEST_CASE("a stream without a length is chunked, and ends with the connection for HTTP/1.0") {
  ServerUnderTest server([](std::unique_ptr<Exchange> exchange) {
    exchange->begin({200, {}, {}}, std::nullopt);
    exchange->write(std::string("hello "));
    exchange->write(std::string());
    exchange->write(base::BytesSlice{base::share("world"), 0, 5});
    exchange->finish();
  });
  auto client = server.client();
  client.send(kGet + "GET /b HTTP/1.0\r\n\r\n");
  const auto answers = client.read_to_end();
  CHECK(answers.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
  CHECK(answers.find("\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\nHTTP/1.1 200") != std::string::npos);
  CHECK(answers.ends_with("\r\n\r\nhello world"));
  CHECK_FALSE(client.was_reset());
}

TEST_CASE("HTTP/1.0 with keep-alive keeps the connection") {
  ServerUnderTest server(echo);
  auto client = server.client();
  const auto answer = client.ask("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(answer.find("Connection: keep-alive\r\n") != std::string::npos);
  CHECK(status_of_answer(client.ask(kGet)) == 200);
}

TEST_CASE("a pump that waits for the drain sends a large stream with less than 1 MiB queued") {
  const auto part = base::share(pattern(256 * 1024));
  struct Pump {
    std::unique_ptr<Exchange> exchange;
    base::SharedBytes part;
    int left = 64;
    std::uint64_t most = 0;
    void go() {
      while (left > 0 && exchange->unsent() < 512 * 1024) {
        exchange->write(base::BytesSlice{part, 0, part->size()});
        --left;
        most = std::max(most, exchange->unsent());
      }
      if (left == 0) return exchange->finish();
      exchange->when_drained(128 * 1024, [this] { go(); });
    }
  };
  Pump pump;
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    pump.exchange = std::move(exchange);
    pump.part = part;
    pump.exchange->begin({200, {}, {}}, 64 * part->size());
    pump.go();
  });
  auto client = server.client();
  const auto answer = client.ask(kGet);
  CHECK(body_of(answer).size() == 64 * part->size());
  CHECK(server.wait_finished(1).size() == 1);
  server.on_loop([&] {
    CHECK(pump.most < 1024 * 1024);
    pump.exchange.reset();
  });
}

TEST_CASE("an exchange that is destroyed without a response is a 500 problem") {
  ServerUnderTest server([](std::unique_ptr<Exchange> exchange) { exchange.reset(); });
  auto client = server.client();
  const auto answer = client.ask(kGet);
  CHECK(status_of_answer(answer) == 500);
  CHECK(answer.find("application/problem+json") != std::string::npos);
  CHECK(status_of_answer(client.ask(kGet)) == 500);
}

TEST_CASE("an exchange that is destroyed during a stream cuts the connection, so that no cut body looks complete") {
  for (const bool has_length : {true, false}) {
    ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
      exchange->begin({200, {}, {}}, has_length ? std::optional<std::uint64_t>(100) : std::nullopt);
      exchange->write(std::string("part"));
    });
    auto client = server.client();
    client.send(kGet);
    const auto answer = client.read_to_end();
    CHECK(answer.find("\r\n0\r\n\r\n") == std::string::npos);
    CHECK(server.becomes_true([&] { return server.server().connections() == 0; }));
    const auto finished = server.wait_finished(1);
    REQUIRE(finished.size() == 1);
    CHECK_FALSE(finished[0].completed);
  }
}

TEST_CASE("a stream that ends before its announced length cuts the connection") {
  ServerUnderTest server([](std::unique_ptr<Exchange> exchange) {
    exchange->begin({200, {}, {}}, 100);
    exchange->write(std::string("part"));
    exchange->finish();
  });
  auto client = server.client();
  client.send(kGet);
  client.read_to_end();
  CHECK(client.was_reset());
}

TEST_CASE(
    "the handler of a waiting request is notified when the client leaves, and the exchange outlives the connection") {
  std::vector<std::unique_ptr<Exchange>> waiting;
  int gone = 0;
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    exchange->on_gone([&] { ++gone; });
    if (exchange->request().path == "/stream") exchange->begin({200, {}, {}}, std::nullopt);
    waiting.push_back(std::move(exchange));
  });
  {
    auto one = server.client();
    one.send(kGet);
    auto two = server.client();
    two.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    REQUIRE(server.becomes_true([&] { return waiting.size() == 2; }));
  }
  CHECK(server.becomes_true([&] { return gone == 2; }));
  server.on_loop([&] {
    waiting[0]->reply({200, {}, std::string("nobody")});
    waiting[1]->write(std::string("nobody"));
    waiting[1]->finish();
    waiting.clear();
  });
  CHECK(server.connections() == 0);
  const auto finished = server.wait_finished(2);
  REQUIRE(finished.size() == 2);
  CHECK_FALSE(finished[0].completed);
}

TEST_CASE("on_gone may destroy the exchange") {
  std::unique_ptr<Exchange> waiting;
  bool gone = false;
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    waiting = std::move(exchange);
    waiting->on_gone([&] {
      gone = true;
      waiting.reset();
    });
  });
  auto client = server.client();
  client.send(kGet);
  REQUIRE(server.becomes_true([&] { return waiting != nullptr; }));
  client.reset_now();
  CHECK(server.becomes_true([&] { return gone; }));
}

TEST_CASE("fields with line breaks are not sent") {
  ServerUnderTest server([](std::unique_ptr<Exchange> exchange) {
    exchange->reply(
        {200, {{"X-Bad", "a\r\nSet-Cookie: b"}, {"Content-Length", "7"}, {"X-Good", "c"}}, std::string("ok")});
  });
  auto client = server.client();
  const auto answer = client.ask(kGet);
  CHECK(answer.find("Set-Cookie") == std::string::npos);
  CHECK(answer.find("X-Good: c\r\n") != std::string::npos);
  CHECK(answer.find("Content-Length: 2\r\n") != std::string::npos);
}

TEST_CASE("a client that shuts down its sending side still gets the whole response") {
  const auto bytes = base::share(pattern(8 << 20));
  ServerUnderTest server([&](std::unique_ptr<Exchange> exchange) {
    exchange->reply({200, {}, base::BytesSlice{bytes, 0, bytes->size()}});
  });
  auto client = server.client();
  client.send(kGet);
  client.shut_sending();
  CHECK(body_of(client.read_to_end()) == *bytes);
}

TEST_CASE("a path without a canonical form gets 400, and the handler receives the canonical form") {
  ServerUnderTest server(echo);
  auto client = server.client();
  for (const auto* path : {"/a/../b", "/a/%2e%2e/b", "/a%2fb", "/a//b", "/a%00", "/%c0%af"}) {
    const auto answer = client.ask("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_MESSAGE(status_of_answer(answer) == 400, path);
  }
  CHECK(body_of(client.ask("GET /%41 HTTP/1.1\r\nHost: x\r\n\r\n")) == "GET /A? 127.0.0.1 []");
  CHECK(server.rejected("path_invalid") == 6);
}

TEST_CASE("an absolute target is accepted when it names the host of the request") {
  ServerUnderTest server(echo);
  auto client = server.client();
  CHECK(body_of(client.ask("GET http://x:80/a?b HTTP/1.1\r\nHost: x:80\r\n\r\n")) == "GET /a?b 127.0.0.1 []");
  CHECK(body_of(client.ask("GET http://x HTTP/1.1\r\nHost: x\r\n\r\n")) == "GET /? 127.0.0.1 []");
  CHECK(body_of(client.ask("GET http://x:80/a HTTP/1.1\r\nHost: x\r\n\r\n")) == "GET /a? 127.0.0.1 []");
  CHECK(body_of(client.ask("GET http://x:/a HTTP/1.1\r\nHost: x\r\n\r\n")) == "GET /a? 127.0.0.1 []");
  CHECK(body_of(client.ask("GET https://x:443/a HTTP/1.1\r\nHost: x\r\n\r\n")) == "GET /a? 127.0.0.1 []");
  CHECK(status_of_answer(client.ask("GET http://evil/a HTTP/1.1\r\nHost: x\r\n\r\n")) == 400);
  CHECK(status_of_answer(server.client().ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")) == 204);
}

TEST_CASE("interim responses are sent before the final response, and not to HTTP/1.0") {
  std::unique_ptr<Exchange> held;
  ServerUnderTest server([&held](std::unique_ptr<Exchange> exchange) { held = std::move(exchange); });
  const auto answer_later = [&] {
    REQUIRE(server.becomes_true([&] { return held != nullptr; }));
    server.on_loop([&] {
      held->interim(103, {{"Link", "</a>"}, {"Transfer-Encoding", "chunked"}});
      held->interim(103, {{"Link", "</b>"}});
      std::exchange(held, nullptr)->reply({200, {}, std::string("whole")});
    });
  };
  auto client = server.client();
  for (int i = 0; i < 2; ++i) {
    client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    answer_later();
    CHECK(client.read_answer(false) == "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    CHECK(client.read_answer(false) == "HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n");
    CHECK(client.read_answer().ends_with("\r\n\r\nwhole"));
  }
  auto old = server.client();
  old.send("GET /a HTTP/1.0\r\n\r\n");
  answer_later();
  CHECK(old.read_to_end().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("an exchange knows its last hop, and whether the target ends with a question mark") {
  const auto tell = [](std::unique_ptr<Exchange> exchange) {
    const auto arrival = exchange->arrival();
    exchange->reply(
        {200, {}, arrival.peer + (arrival.is_trusted ? " trusted" : "") + (arrival.empty_query ? " ?" : "")});
  };
  ServerUnderTest server(tell);
  auto client = server.client();
  CHECK(body_of(client.ask("GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n")) == "127.0.0.1");
  CHECK(body_of(client.ask("GET /a? HTTP/1.1\r\nHost: x\r\n\r\n")) == "127.0.0.1 ?");
  CHECK(body_of(client.ask("GET /a?b? HTTP/1.1\r\nHost: x\r\n\r\n")) == "127.0.0.1");
  ServerSettings settings;
  settings.trusted_proxies = {"127.0.0.0/8"};
  ServerUnderTest behind(tell, settings);
  CHECK(body_of(behind.client().ask("GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n")) ==
        "127.0.0.1 trusted");
}
