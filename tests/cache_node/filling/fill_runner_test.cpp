// Fills from origins that misbehave: each case is one fault and its effect on viewers.
#include <doctest/doctest.h>

#include <thread>

#include "cache_node/node_under_test.h"
#include "support/folder.h"
#include "support/sample_body.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

struct FillRunnerFixture {
  explicit FillRunnerFixture(NodeUnderTest::Options options = {}) : node(folder.path(), std::move(options)) {}
  Folder folder;
  NodeUnderTest node;
  const std::string body = body_of(100'000);
  const http::Headers kind{{"Content-Type", "video/mp2t"}};

  void on_origin(const std::function<void()>& call) { node.workers.on(0, call); }
  static tl::unexpected<base::Error> broken(base::ErrorKind kind = base::ErrorKind::protocol, bool may_retry = true) {
    return base::failure(kind, base::Fault::origin, "scripted", may_retry);
  }
  void never_whole(const std::shared_ptr<RecordedResponse>& seen, int status) {
    REQUIRE(seen->wait_end());
    CHECK(seen->status() == status);
    CHECK(seen->header("Content-Type") == "application/problem+json");
  }
  bool is_stored() {
    node.settle();
    return node.index.totals().objects == 1;
  }
};

/// Long enough for a machine that is busy for a tenth of a second.
NodeUnderTest::Options unhurried() {
  NodeUnderTest::Options options;
  options.fill.hold = std::chrono::milliseconds(500);
  options.fill.keep_errors = std::chrono::seconds(60);
  return options;
}

struct UnhurriedFixture : FillRunnerFixture {
  UnhurriedFixture() : FillRunnerFixture(unhurried()) {}
};

}  // namespace

TEST_CASE_FIXTURE(FillRunnerFixture, "a whole body is stored with the fields of the origin") {
  const auto seen = node.ask();
  node.answer(
      node.origin(), body,
      {{"Content-Type", "video/mp2t"}, {"ETag", "\"one\""}, {"Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"}});
  REQUIRE(seen->wait_end());
  CHECK(seen->whole);
  CHECK(seen->body() == body);
  CHECK(is_stored());
  const auto again = node.ask();
  REQUIRE(again->wait_end());
  CHECK(again->body() == body);
  CHECK(again->header("ETag") == "\"one\"");
  CHECK(again->header("Last-Modified") == "Tue, 14 Nov 2023 22:13:20 GMT");
  CHECK(node.workers.asked() == 1);
  CHECK(node.memory->used() == 0);
}

TEST_CASE_FIXTURE(FillRunnerFixture, "a small number of bytes leaves RAM even if no more bytes follow") {
  const auto seen = node.ask();
  const auto asked = node.origin();
  on_origin([&] {
    ScriptedClient::head(*asked, 200, kind, body.size());
    ScriptedClient::bytes(*asked, std::string_view(body).substr(0, 1000));
  });
  while (node.memory->used() > 0) std::this_thread::yield();  // until the disk has them
  on_origin([&] {
    ScriptedClient::bytes(*asked, std::string_view(body).substr(1000));
    ScriptedClient::done(*asked);
  });
  REQUIRE(seen->wait_end());
  CHECK(seen->body() == body);
  CHECK(is_stored());
}

TEST_CASE_FIXTURE(FillRunnerFixture, "only the channel's own origins are requested, with one header of our own") {
  node.ask("720p/seg1.ts", {{"X-Forwarded-Host", "evil"}, {"Cookie", "a=b"}, {"Authorization", "x"}});
  const auto asked = node.origin();
  CHECK(asked->request.url == "http://origin.test/live/720p/seg1.ts");
  CHECK(asked->request.destinations.allowed_origins == std::vector<std::string>{"http://origin.test"});
  for (const auto& field : asked->request.headers.all()) CHECK(field.name == "Accept-Encoding");
}

TEST_CASE_FIXTURE(FillRunnerFixture, "an origin that fails twice before the first byte causes a problem document") {
  const auto seen = node.ask();
  const auto first = node.origin(0);
  on_origin([&] { ScriptedClient::done(*first, broken(base::ErrorKind::timeout)); });
  const auto second = node.origin(1);
  on_origin([&] { ScriptedClient::done(*second, broken(base::ErrorKind::timeout)); });
  never_whole(seen, 504);
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(FillRunnerFixture, "an error that must not be retried is not retried, and each kind has its status") {
  const std::pair<base::ErrorKind, int> kinds[] = {
      {base::ErrorKind::timeout, 504},  {base::ErrorKind::unavailable, 503}, {base::ErrorKind::refused, 503},
      {base::ErrorKind::protocol, 502}, {base::ErrorKind::forbidden, 502},   {base::ErrorKind::too_large, 502}};
  std::size_t n = 0;
  for (const auto& row : kinds) {
    const auto seen = node.ask("seg" + std::to_string(n) + ".ts");
    const auto asked = node.origin(n++);
    on_origin([&] { ScriptedClient::done(*asked, broken(row.first, false)); });
    never_whole(seen, row.second);
  }
  CHECK(node.workers.asked() == n);
}

TEST_CASE_FIXTURE(FillRunnerFixture,
                  "a request of a segment that does not exist yet is held and retried until it is served") {
  const auto seen = node.ask();
  for (std::size_t i = 0; i < 2; ++i) {
    const auto asked = node.origin(i);
    on_origin([&] { ScriptedClient::head(*asked, 404, {}, 0); });
  }
  node.answer(node.origin(2), body);
  REQUIRE(seen->wait_end());
  CHECK(seen->status() == 200);
  CHECK(seen->body() == body);
}

TEST_CASE_FIXTURE(UnhurriedFixture,
                  "an error of the origin is returned after the hold, and cached for concurrent requests") {
  node.workers.client().on_asked = [](const std::shared_ptr<Asked>& asked) {
    ScriptedClient::head(*asked, 404, {}, 0);
  };
  never_whole(node.ask(), 404);
  const auto count = node.workers.asked();
  CHECK(count > 2);
  never_whole(node.ask(), 404);
  never_whole(node.ask("seg1.ts", {}, 1), 404);
  CHECK(node.workers.asked() == count);
}

TEST_CASE_FIXTURE(FillRunnerFixture, "a status without an object is refused at once") {
  const std::pair<int, int> statuses[] = {{204, 502}, {206, 502}, {301, 502}, {400, 502}, {410, 404}};
  std::size_t n = 0;
  for (const auto& [told, seen_status] : statuses) {
    const auto seen = node.ask("seg" + std::to_string(n) + ".ts");
    const auto asked = node.origin(n++);
    on_origin([&, status = told] { ScriptedClient::head(*asked, status, {}, 0); });
    never_whole(seen, seen_status);
  }
}

TEST_CASE_FIXTURE(FillRunnerFixture,
                  "a body that ends with the connection, an encoded body and one that is too large are refused") {
  const auto closing = node.ask("a.ts");
  on_origin([&] { ScriptedClient::head(*node.workers.client().at(0), 200, kind, std::nullopt, true); });
  never_whole(closing, 502);
  const auto encoded = node.ask("b.ts");
  on_origin([&] { ScriptedClient::head(*node.workers.client().at(1), 200, {{"Content-Encoding", "gzip"}}, 5); });
  never_whole(encoded, 502);
  const auto large = node.ask("c.ts");
  on_origin([&] { ScriptedClient::head(*node.workers.client().at(2), 200, kind, 1ull << 40); });
  never_whole(large, 502);
}

TEST_CASE_FIXTURE(FillRunnerFixture, "a body that breaks off is resumed by Range and If-Range") {
  const auto seen = node.ask();
  const auto first = node.origin(0);
  on_origin([&] {
    ScriptedClient::head(*first, 200, {{"ETag", "\"one\""}}, body.size());
    ScriptedClient::bytes(*first, std::string_view(body).substr(0, 30'000));
    ScriptedClient::done(*first, broken());
  });
  const auto second = node.origin(1);
  CHECK(second->request.headers.first("Range") == "bytes=30000-");
  CHECK(second->request.headers.first("If-Range") == "\"one\"");
  on_origin([&] {
    ScriptedClient::head(*second, 206, {{"ETag", "\"one\""}, {"Content-Range", "bytes 30000-99999/100000"}}, 70'000);
    ScriptedClient::bytes(*second, std::string_view(body).substr(30'000));
    ScriptedClient::done(*second);
  });
  REQUIRE(seen->wait_end());
  CHECK(seen->whole);
  CHECK(seen->body() == body);
  CHECK(is_stored());
  const auto again = node.ask();
  CHECK(again->wait_end());
  CHECK(again->body() == body);
}

TEST_CASE_FIXTURE(FillRunnerFixture, "without a strong ETag the second body must repeat the bytes of the first one") {
  const auto seen = node.ask();
  const auto first = node.origin(0);
  on_origin([&] {
    ScriptedClient::head(*first, 200, kind, body.size());
    ScriptedClient::bytes(*first, std::string_view(body).substr(0, 30'000));
    ScriptedClient::done(*first, broken());
  });
  const auto second = node.origin(1);
  CHECK_FALSE(second->request.headers.first("Range").has_value());
  node.answer(second, body);
  REQUIRE(seen->wait_end());
  CHECK(seen->whole);
  CHECK(seen->body() == body);
  CHECK(is_stored());
}

TEST_CASE_FIXTURE(
    FillRunnerFixture,
    "if the bytes change during a fill the response is cut, nothing is stored, and the next one has the new bytes") {
  const auto other = body_of(body.size(), 2);
  struct Second {
    int status;
    http::Headers headers;
    std::size_t from;
  };
  const Second seconds[] = {
      {200, {}, 0},  // other bytes without any indication
      {200, {{"ETag", "\"two\""}}, 0},
      {206,
       {{"ETag", "\"two\""}, {"Content-Range", "bytes 30000-99999/100000"}},
       30'000},                                               // an origin that ignores If-Range
      {206, {{"Content-Range", "bytes 0-99999/100000"}}, 0},  // another range than requested
      {206, {{"Content-Range", "bytes 30000-99998/99999"}}, 30'000},
  };
  std::size_t n = 0;
  for (const auto& change : seconds) {
    const auto path = "seg" + std::to_string(n) + ".ts";
    const auto seen = node.ask(path);
    const auto first = node.origin(n++);
    on_origin([&] {
      ScriptedClient::head(*first, 200, {{"ETag", "\"one\""}}, body.size());
      ScriptedClient::bytes(*first, std::string_view(body).substr(0, 30'000));
      ScriptedClient::done(*first, broken());
    });
    const auto second = node.origin(n++);
    on_origin([&] {
      ScriptedClient::head(*second, change.status, change.headers, body.size() - change.from);
      ScriptedClient::bytes(*second, std::string_view(other).substr(change.from));
      ScriptedClient::done(*second);
    });
    REQUIRE(seen->wait_end());
    CHECK(seen->cut());
    CHECK(body.starts_with(seen->body()));
    node.settle();
    CHECK(node.index.totals().objects == 0);
    const auto next = node.ask(path);
    node.answer(node.origin(n++), other);
    REQUIRE(next->wait_end());
    CHECK(next->body() == other);
    node.settle();
    node.index.evict_bytes(1 << 20, 0);
  }
  CHECK(folder.files("tmp").empty());
}

TEST_CASE_FIXTURE(FillRunnerFixture,
                  "an origin that breaks off twice at the same offset is given up, and the response is cut") {
  const auto seen = node.ask();
  for (std::size_t i = 0; i < 2; ++i) {
    const auto asked = node.origin(i);
    on_origin([&] {
      ScriptedClient::head(*asked, 200, kind, body.size());
      ScriptedClient::bytes(*asked, std::string_view(body).substr(0, 50'000));
      ScriptedClient::done(*asked, broken());
    });
  }
  REQUIRE(seen->wait_end());
  CHECK(seen->cut());
  CHECK_FALSE(seen->whole);
  CHECK(body.starts_with(seen->body()));
  node.settle();
  CHECK(node.index.totals().objects == 0);
  CHECK(node.index.totals().fills == 0);
  CHECK(folder.files("tmp").empty());
  CHECK(folder.files("objects").empty());
  const auto next = node.ask();
  node.answer(node.origin(2), body);
  REQUIRE(next->wait_end());
  CHECK(next->body() == body);
}

TEST_CASE_FIXTURE(FillRunnerFixture, "a body with more or fewer bytes than announced is never taken for a whole one") {
  const auto more = node.ask("more.ts");
  on_origin([&] {
    ScriptedClient::head(*node.workers.client().at(0), 200, kind, 50'000);
    ScriptedClient::bytes(*node.workers.client().at(0), body);
  });
  REQUIRE(more->wait_end());
  CHECK((more->cut() || more->status() == 502));
  const auto fewer = node.ask("fewer.ts");
  for (std::size_t i = 1; i < 3; ++i) {
    const auto asked = node.origin(i);
    on_origin([&] {
      ScriptedClient::head(*asked, 200, kind, body.size() + 1);
      ScriptedClient::bytes(*asked, body);
      ScriptedClient::done(*asked);
    });
  }
  REQUIRE(fewer->wait_end());
  CHECK((fewer->cut() || fewer->status() == 502));
  node.settle();
  CHECK(node.index.totals().objects == 0);
}

TEST_CASE_FIXTURE(FillRunnerFixture,
                  "a short body is not taken for a whole one when the origin continues after the last announced byte") {
  const auto seen = node.ask();
  const auto asked = node.origin();
  on_origin([&] {
    ScriptedClient::head(*asked, 200, kind, 50'000);
    ScriptedClient::bytes(*asked, std::string_view(body).substr(0, 50'000));
  });
  CHECK(seen->wait_bytes(49'999));
  on_origin([&] { ScriptedClient::done(*asked, broken(base::ErrorKind::protocol, false)); });
  REQUIRE(seen->wait_end());
  CHECK(seen->cut());
  CHECK(seen->body().size() == 49'999);
  CHECK(node.workers.asked() == 1);
}

TEST_CASE("an empty body and an HTML page are asked for again, and then a 502 that is not stored") {
  const http::Headers ts{{"Content-Type", "video/mp2t"}}, html{{"Content-Type", "text/html"}};
  const std::string page = "\n<!doctype html><p>down for maintenance";
  struct Fault {
    http::Headers headers;
    std::optional<std::uint64_t> length;
    std::string body;
  };
  for (const auto& fault : {Fault{ts, 0, ""}, Fault{ts, std::nullopt, ""}, Fault{html, page.size(), page},
                            Fault{html, std::nullopt, page}}) {
    UnhurriedFixture s;
    s.on_origin([&] {
      s.node.workers.client().on_asked = [&fault](const std::shared_ptr<Asked>& asked) {
        ScriptedClient::head(*asked, 200, fault.headers, fault.length);
        ScriptedClient::bytes(*asked, fault.body, 4);
        ScriptedClient::done(*asked);
      };
    });
    s.never_whole(s.node.ask(), 502);
    CHECK(s.node.workers.asked() > 2);
    CHECK_FALSE(s.is_stored());
  }
}

TEST_CASE_FIXTURE(UnhurriedFixture,
                  "a page whose connection breaks afterwards is one failure, and the next response is served") {
  const auto seen = node.ask();
  const auto asked = node.origin();
  on_origin([&] {
    ScriptedClient::head(*asked, 200, {{"Content-Type", "text/html"}}, 1'000);
    ScriptedClient::bytes(*asked, "<html>");
    ScriptedClient::done(*asked, broken());
  });
  node.answer(node.origin(1), body);
  REQUIRE(seen->wait_end());
  CHECK(seen->body() == body);
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(FillRunnerFixture, "an origin that sends pages for segments opens its circuit") {
  on_origin([&] {
    node.workers.client().on_asked = [](const std::shared_ptr<Asked>& asked) {
      ScriptedClient::head(*asked, 200, {{"Content-Type", "text/html"}}, 6);
      ScriptedClient::bytes(*asked, "<html>");
    };
  });
  for (int n = 0; n < 10; ++n) never_whole(node.ask("seg" + std::to_string(n) + ".ts"), 502);
  CHECK(node.metrics.scrape().find("tribune_cache_circuits_opened_total 1") != std::string::npos);
}

TEST_CASE_FIXTURE(FillRunnerFixture, "a body that only claims to be HTML is stored, every byte once") {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{700}, body.size()}) {
    CAPTURE(piece);
    const auto seen = node.ask("seg" + std::to_string(piece) + ".ts");
    const auto asked = node.origin(node.workers.asked() - 1);
    const auto text = "  <htm" + body;
    on_origin([&] {
      ScriptedClient::head(*asked, 200, {{"Content-Type", "text/html"}}, text.size());
      ScriptedClient::bytes(*asked, text, piece);
      ScriptedClient::done(*asked);
    });
    REQUIRE(seen->wait_end());
    CHECK(seen->whole);
    CHECK(seen->body() == text);
  }
}

TEST_CASE_FIXTURE(FillRunnerFixture, "a body of unknown length is streamed, and its ETag is generated from its bytes") {
  const auto seen = node.ask();
  const auto asked = node.origin();
  on_origin([&] {
    ScriptedClient::head(*asked, 200, kind, std::nullopt);
    ScriptedClient::bytes(*asked, body);
  });
  CHECK(seen->wait_bytes(body.size()));
  CHECK_FALSE(seen->ended());
  CHECK_FALSE(seen->announced.has_value());
  const auto range = node.ask("seg1.ts", {{"Range", "bytes=-10"}}, 1);
  on_origin([&] { ScriptedClient::done(*asked); });
  REQUIRE(seen->wait_end());
  CHECK(seen->whole);
  REQUIRE(range->wait_end());
  CHECK(range->status() == 206);
  CHECK(range->body() == body.substr(body.size() - 10));
  CHECK(is_stored());
  const auto again = node.ask();
  REQUIRE(again->wait_end());
  CHECK(again->header("ETag") == etag_of_body(checksum(body), body.size()));
}

TEST_CASE("full buffers pause the origin instead of growing, and all bytes arrive") {
  const Folder folder;
  NodeUnderTest::Options options;
  options.fill_buffer_bytes = 128 * 1024;
  NodeUnderTest node(folder.path(), options);
  const auto body = body_of(3 << 20);
  const auto seen = node.ask();
  const auto asked = node.origin();
  node.answer(asked, body);
  REQUIRE(seen->wait_end());
  CHECK(seen->whole);
  CHECK(seen->body() == body);
}

TEST_CASE("without disk and RAM an object is passed through to the waiting viewers, and not stored") {
  const Folder folder;
  NodeUnderTest::Options options;
  options.fill_buffer_bytes = 128 * 1024;
  NodeUnderTest node(folder.path(), options);
  std::filesystem::remove_all(folder / "tmp");
  const auto body = body_of(2 << 20);
  FakeExchange* slow = nullptr;
  const auto one = node.ask();
  const auto two = node.ask_slowly("seg1.ts", &slow, 1);
  node.answer(node.origin(), body);
  // The slow viewer holds the buffers, so the origin is paused.
  while (!two->ended()) {
    const auto before = [&] {
      const std::lock_guard lock(two->changed.mutex());
      return two->bytes.size();
    }();
    node.workers.on(1, [&] {
      if (!two->ended()) slow->drain();
    });
    two->changed.wait([&] { return two->bytes.size() > before || two->ended(); });
  }
  REQUIRE(one->wait_end());
  CHECK(one->body() == body);
  CHECK(two->body() == body);
  CHECK(two->most_unsent <= 512 * 1024);
  node.settle();
  CHECK(node.index.totals().objects == 0);
  CHECK_FALSE(node.health.reason().empty());
}
