// Back pressure, cancellation from anywhere, and decoding.
#include <doctest/doctest.h>
#include <zlib.h>

#include <future>
#include <utility>
#include <vector>

#include "net/client_bench.h"

using namespace tribune;
using namespace tribune::net;
using namespace tribune::test;
using base::ErrorKind;

namespace {

std::string answer_of(std::string_view body, std::string_view fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}

std::string gzip(std::string_view plain) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string coded(deflateBound(&stream, plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(coded.data());
  stream.avail_out = static_cast<uInt>(coded.size());
  deflate(&stream, Z_FINISH);
  coded.resize(stream.total_out);
  deflateEnd(&stream);
  return coded;
}

std::string counting(std::size_t size) {
  std::string text;
  while (text.size() < size) text += std::to_string(text.size()) + ' ';
  return text;
}

/// Pauses before every piece and resumes from the loop; the bytes that are delivered again must be the same.
struct Hesitation {
  EventLoop& loop;
  std::string body;
  std::string refused;
  bool wants = false;
  int pauses = 0;
  std::unique_ptr<Fetch> fetch;
  Timer later;

  Flow take(std::string_view bytes) {
    if (!wants) {
      ++pauses;
      refused = bytes;
      wants = true;
      later = loop.after(std::chrono::milliseconds{0}, [this] { fetch->resume(); });
      return Flow::pause;
    }
    wants = false;
    CHECK(bytes.starts_with(refused));
    body += bytes;
    return Flow::go_on;
  }
};

std::string taken_with_hesitation(FetchRequest request, int* pauses = nullptr) {
  ClientBench bench;
  Hesitation reader{bench.loop, {}, {}, false, 0, nullptr, {}};
  Outcome outcome;
  auto handlers = bench.collect(outcome, [&] { bench.loop.stop(); });
  handlers.on_body = [&reader](std::string_view bytes) { return reader.take(bytes); };
  reader.fetch = bench.client().start(std::move(request), std::move(handlers));
  bench.run_loop();
  CHECK(outcome.text() == "no error");
  if (pauses != nullptr) *pauses = reader.pauses;
  return reader.body;
}

}  // namespace

TEST_CASE("paused bytes are delivered again, and no byte is lost over many pauses") {
  const auto body = counting(2'000'000);
  ScriptedOrigin origin(ScriptedOrigin::always(answer_of(body)));
  int pauses = 0;
  CHECK(taken_with_hesitation(ClientBench::request(origin), &pauses) == body);
  CHECK(pauses > 10);
}

TEST_CASE("chunked bodies are complete after pauses") {
  std::string chunks, body;
  for (int i = 0; i < 500; ++i) {
    const auto piece = "piece " + std::to_string(i) + std::string(static_cast<std::size_t>(i), '.');
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    chunks += size + piece + "\r\n";
    body += piece;
  }
  ScriptedOrigin origin(
      ScriptedOrigin::always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n"));
  CHECK(taken_with_hesitation(ClientBench::request(origin)) == body);
}

TEST_CASE("decoded bodies are complete after pauses, up to the last piece") {
  const auto body = counting(1'000'000);
  ScriptedOrigin origin(ScriptedOrigin::always(answer_of(gzip(body), "Content-Encoding: gzip\r\n")));
  auto request = ClientBench::request(origin);
  request.accept_gzip = true;
  int pauses = 0;
  CHECK(taken_with_hesitation(request, &pauses) == body);
  CHECK(pauses > 20);
}

TEST_CASE("resume() inside the handler, before it returns pause, takes effect") {
  ScriptedOrigin origin(ScriptedOrigin::always(answer_of("hello")));
  ClientBench bench;
  Outcome outcome;
  std::unique_ptr<Fetch> fetch;
  int calls = 0;
  auto handlers = bench.collect(outcome, [&] { bench.loop.stop(); });
  handlers.on_body = [&](std::string_view bytes) {
    if (++calls == 1) {
      fetch->resume();
      return Flow::pause;
    }
    outcome.body += bytes;
    return Flow::go_on;
  };
  fetch = bench.client().start(bench.request(origin), std::move(handlers));
  bench.run_loop();
  CHECK(outcome.body == "hello");
  CHECK(calls == 2);
}

TEST_CASE("a pause of the reader does not count against the origin, and stops reading from it") {
  std::atomic<std::size_t> sent = 0;
  ScriptedOrigin origin([&](OriginConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    const std::string piece(64 * 1024, 'x');
    while (connection.send(piece)) sent += piece.size();
  });
  ClientBench bench;
  Outcome outcome;
  auto request = bench.request(origin);
  request.max_body_bytes = 2'000'000'000;
  request.deadlines.low_speed_window = 40ms;
  auto handlers = bench.collect(outcome, [] {});
  handlers.on_body = [](std::string_view) { return Flow::pause; };
  const auto fetch = bench.client().start(request, std::move(handlers));
  const auto enough = bench.loop.after(200ms, [&] { bench.loop.stop(); });
  bench.run_loop();
  CHECK_FALSE(outcome.is_done);
  CHECK(sent < 100'000'000);
}

TEST_CASE("a fetch that is destroyed at once, or while it waits, calls no handler") {
  ScriptedOrigin origin([](OriginConnection& connection) { connection.stall(); });
  ClientBench bench;
  Outcome outcome;
  bench.client().start(bench.request(origin), bench.collect(outcome, [] {})).reset();
  auto fetch = bench.client().start(bench.request(origin), bench.collect(outcome, [] {}));
  const auto drop = bench.loop.after(20ms, [&] {
    fetch.reset();
    bench.loop.stop();
  });
  bench.run_loop();
  bench.turn();
  CHECK_FALSE(outcome.is_done);
}

TEST_CASE("a handler may destroy its fetch in on_head, on_body and on_done") {
  for (const int where : {0, 1, 2}) {
    CAPTURE(where);
    ScriptedOrigin origin(ScriptedOrigin::always(answer_of(counting(300'000))));
    ClientBench bench;
    std::unique_ptr<Fetch> fetch;
    int after = 0;
    const auto maybe_drop = [&](int here) {
      if (fetch == nullptr) ++after;
      if (here != where) return;
      fetch.reset();
      bench.loop.post([&] { bench.loop.stop(); });
    };
    FetchHandlers handlers;
    // Owned by the handlers only: it must live until the handler has returned.
    auto own = std::make_shared<std::string>("still here");
    handlers.on_head = [&, own](const FetchHead&) {
      maybe_drop(0);
      CHECK(*own == "still here");
    };
    handlers.on_body = [&, own](std::string_view) {
      maybe_drop(1);
      CHECK(*own == "still here");
      return Flow::go_on;
    };
    handlers.on_done = [&, own](base::Result<void>) {
      maybe_drop(2);
      CHECK(*own == "still here");
    };
    own.reset();
    fetch = bench.client().start(bench.request(origin), std::move(handlers));
    bench.run_loop();
    bench.turn();
    CHECK(after == 0);
    // The client remains usable.
    CHECK(bench.run(bench.request(origin)).text() == "no error");
  }
}

TEST_CASE("a handler may destroy its fetch while decoded bytes are delivered after a pause") {
  ScriptedOrigin origin(ScriptedOrigin::always(answer_of(gzip(counting(500'000)), "Content-Encoding: gzip\r\n")));
  ClientBench bench;
  auto request = bench.request(origin);
  request.accept_gzip = true;
  std::unique_ptr<Fetch> fetch;
  Timer later;
  int calls = 0;
  FetchHandlers handlers;
  handlers.on_body = [&](std::string_view) {
    if (++calls == 1) {
      later = bench.loop.after(0ms, [&] { fetch->resume(); });
      return Flow::pause;
    }
    fetch.reset();
    bench.loop.post([&] { bench.loop.stop(); });
    return Flow::go_on;
  };
  handlers.on_done = [](base::Result<void>) { FAIL_CHECK("a cancelled fetch is not done"); };
  fetch = bench.client().start(request, std::move(handlers));
  bench.run_loop();
  bench.turn();
  CHECK(calls == 2);
}

TEST_CASE("a handler may destroy another fetch and start a new one") {
  ScriptedOrigin origin(ScriptedOrigin::always(answer_of(counting(100'000))));
  ClientBench bench;
  Outcome other, next;
  std::unique_ptr<Fetch> second, third;
  FetchHandlers handlers;
  handlers.on_body = [&](std::string_view) {
    second.reset();
    if (!third) third = bench.client().start(bench.request(origin), bench.collect(next, [&] { bench.loop.stop(); }));
    return Flow::go_on;
  };
  const auto first = bench.client().start(bench.request(origin), std::move(handlers));
  ScriptedOrigin silent([](OriginConnection& connection) { connection.stall(); });
  second = bench.client().start(bench.request(silent), bench.collect(other, [] {}));
  bench.run_loop();
  CHECK(next.text() == "no error");
  CHECK_FALSE(other.is_done);
}

TEST_CASE("a fetch that outlives its client is harmless") {
  ScriptedOrigin origin([](OriginConnection& connection) { connection.stall(); });
  ClientBench bench;
  Outcome outcome;
  const auto fetch = bench.client().start(bench.request(origin), bench.collect(outcome, [] {}));
  bench.turn();
  bench.destroy_client();
  fetch->resume();
  bench.turn();
  CHECK_FALSE(outcome.is_done);
}

TEST_CASE("gzip is requested, decoded and removed from the head") {
  const auto body = counting(200'000);
  std::string asked;
  ScriptedOrigin origin([&](OriginConnection& connection) {
    asked = connection.read_request().value_or("");
    connection.send(answer_of(gzip(body), "Content-Encoding: gzip\r\nETag: \"z\"\r\n"));
  });
  ClientBench bench;
  auto request = bench.request(origin);
  request.accept_gzip = true;
  request.headers = {{"Accept-Encoding", "br"}};
  const auto outcome = bench.run(request);
  CHECK(outcome.text() == "no error");
  CHECK(outcome.body == body);
  CHECK_FALSE(outcome.head->content_length.has_value());
  CHECK_FALSE(outcome.head->headers.first("Content-Encoding").has_value());
  CHECK(outcome.head->headers.first("ETag") == "\"z\"");
  CHECK(asked.find("Accept-Encoding: gzip\r\n") != std::string::npos);
  CHECK(asked.find("br") == std::string::npos);
}

TEST_CASE("a response without gzip is unchanged, and an unrequested coding is not decoded") {
  ScriptedOrigin plain(ScriptedOrigin::always(answer_of("hello")));
  ClientBench bench;
  auto request = bench.request(plain);
  request.accept_gzip = true;
  CHECK(bench.run(request).body == "hello");
  const auto coded = gzip("hello");
  ScriptedOrigin stubborn(ScriptedOrigin::always(answer_of(coded, "Content-Encoding: gzip\r\n")));
  const auto outcome = bench.run(bench.request(stubborn));
  CHECK(outcome.body == coded);
  CHECK(outcome.head->headers.first("Content-Encoding") == "gzip");
}

TEST_CASE("several gzip members are one body") {
  ScriptedOrigin origin(ScriptedOrigin::always(answer_of(gzip("hel") + gzip("lo"), "Content-Encoding: x-gzip\r\n")));
  ClientBench bench;
  auto request = bench.request(origin);
  request.accept_gzip = true;
  CHECK(bench.run(request).body == "hello");
}

TEST_CASE("a damaged, cut or unknown coding is an error") {
  const auto good = gzip(counting(50'000));
  auto flipped = good;
  flipped[flipped.size() / 2] ^= 0x10;
  auto checksum = good;
  checksum[checksum.size() - 6] ^= 0x01;
  struct Row {
    std::string body;
    const char* coding;
  };
  for (const auto& row : {Row{flipped, "gzip"}, Row{checksum, "gzip"}, Row{good.substr(0, good.size() - 4), "gzip"},
                          Row{"no gzip at all", "gzip"}, Row{"", "gzip"}, Row{good + "trailing junk", "gzip"},
                          Row{good, "br"}, Row{good, "gzip, gzip"}}) {
    CAPTURE(row.coding);
    CAPTURE(row.body.size());
    ScriptedOrigin origin(
        ScriptedOrigin::always(answer_of(row.body, "Content-Encoding: " + std::string(row.coding) + "\r\n")));
    ClientBench bench;
    auto request = bench.request(origin);
    request.accept_gzip = true;
    CHECK(bench.run(request).kind() == ErrorKind::protocol);
  }
}

TEST_CASE("a gzip bomb is stopped at the bound of decoded bytes") {
  const auto bomb = gzip(std::string(50'000'000, '\0'));
  REQUIRE(bomb.size() < 100'000);
  ScriptedOrigin origin(ScriptedOrigin::always(answer_of(bomb, "Content-Encoding: gzip\r\n")));
  ClientBench bench;
  auto request = bench.request(origin);
  request.accept_gzip = true;
  request.max_body_bytes = 1'000'000;
  const auto outcome = bench.run(request);
  CHECK(outcome.kind() == ErrorKind::too_large);
  CHECK(outcome.body.size() <= 1'000'000);
  CHECK(outcome.body.size() > 900'000);
}

TEST_CASE("an explicit target is sent byte for byte") {
  for (const std::string target : {"/a?x=%zz&y=%", "/a?", "/a?[\"]"}) {
    std::promise<std::string> line;
    ScriptedOrigin origin([&line](OriginConnection& connection) {
      if (const auto request = connection.read_request()) line.set_value(request->substr(0, request->find("\r\n")));
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    ClientBench bench;
    auto request = bench.request(origin, "/a");
    request.target = target;
    CHECK(bench.run(std::move(request)).body == "ok");
    CHECK(line.get_future().get() == "GET " + target + " HTTP/1.1");
  }
}

TEST_CASE("interim responses are reported, except 100") {
  ScriptedOrigin origin(
      ScriptedOrigin::once("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 "
                           "OK\r\nContent-Length: 2\r\n\r\nok"));
  ClientBench bench;
  Outcome outcome;
  std::vector<std::pair<int, http::Headers>> interim;
  auto handlers = bench.collect(outcome, [&] { bench.loop.stop(); });
  handlers.on_interim = [&](int status, const http::Headers& fields) { interim.emplace_back(status, fields); };
  const auto fetch = bench.client().start(bench.request(origin), std::move(handlers));
  bench.run_loop();
  CHECK(outcome.body == "ok");
  REQUIRE(interim.size() == 1);
  CHECK(interim[0].first == 103);
  CHECK(interim[0].second.first("Link") == "</a>");
}

TEST_CASE("an active connection is closed at its maximum age, so that another address can be used") {
  ScriptedOrigin origin([](OriginConnection& connection) {
    while (connection.read_request()) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  ClientSettings settings;
  settings.max_connection_age = 1s;
  ClientBench bench(settings);
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (origin.accepted() < 2 && std::chrono::steady_clock::now() < until)
    REQUIRE(bench.run(ClientBench::request(origin)).result);
  CHECK(origin.accepted() == 2);
}
