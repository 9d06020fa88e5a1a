// The destination of a fetch: redirects, names, and their addresses.
#include <doctest/doctest.h>

#include <condition_variable>
#include <mutex>

#include "net/client_bench.h"

using namespace tribune;
using namespace tribune::net;
using namespace tribune::test;
using base::ErrorKind;

namespace {

constexpr auto kNamedHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

std::string redirect_to(std::string_view location, int status = 302) {
  return "HTTP/1.1 " + std::to_string(status) + " Found\r\nLocation: " + std::string(location) +
         "\r\nContent-Length: 4\r\n\r\ngone";
}

/// A resolver that a test scripts: names answer, fail, or hang until it is destroyed. Any thread.
class ScriptedNames {
 public:
  using Answer = std::vector<std::string>;

  void set(Answer answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
    hangs_ = false;
  }
  void hang() {
    const std::lock_guard lock(mutex_);
    hangs_ = true;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    hangs_ = false;
    changed_.notify_all();
  }
  int asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  LookUp look_up(std::shared_ptr<ScriptedNames> self) {
    return [self](const std::string&) -> base::Result<Answer> {
      std::unique_lock lock(self->mutex_);
      ++self->asked_;
      self->changed_.wait(lock, [&] { return !self->hangs_; });
      if (self->answer_.empty())
        return base::failure(ErrorKind::unavailable, base::Fault::origin, "no such name", true);
      return self->answer_;
    };
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Answer answer_;
  bool hangs_ = false;
  int asked_ = 0;
};

struct NamedBench {
  explicit NamedBench(std::chrono::milliseconds fresh = 1h) : bench(settings(fresh)) {}
  ~NamedBench() { names->let_go(); }

  ClientSettings settings(std::chrono::milliseconds fresh) const {
    ClientSettings with;
    with.look_up = names->look_up(names);
    with.names_fresh = fresh;
    return with;
  }
  FetchRequest request(const ScriptedOrigin& origin) const {
    FetchRequest asked;
    asked.deadlines = ClientBench::patient();
    asked.url = "http://origin.test:" + std::to_string(origin.port()) + "/";
    asked.destinations = {{"http://origin.test:" + std::to_string(origin.port())}, true};
    return asked;
  }

  std::shared_ptr<ScriptedNames> names = std::make_shared<ScriptedNames>();
  ClientBench bench;
};

}  // namespace

TEST_CASE("a redirect is a response unless hops are allowed, then it is followed") {
  ScriptedOrigin origin([](OriginConnection& connection) {
    while (const auto request = connection.read_request()) {
      connection.send(test::has(*request, "GET /a/b")    ? redirect_to("../c?d#e")
                      : test::has(*request, "GET /c?d ") ? kNamedHello
                                                         : redirect_to("/lost"));
    }
  });
  ClientBench bench;
  auto request = bench.request(origin, "/a/b");
  CHECK(bench.run(request).head->status == 302);
  request.max_redirects = 5;
  const auto outcome = bench.run(request);
  CHECK(outcome.text() == "no error");
  CHECK(outcome.head->status == 200);
  CHECK(outcome.head->final_uri.text() == origin.url("/c?d"));
  CHECK(outcome.body == "hello");
  CHECK(origin.accepted() == 1);
}

TEST_CASE("a redirect loop ends after the allowed hops") {
  std::atomic<int> asked = 0;
  ScriptedOrigin origin([&](OriginConnection& connection) {
    while (connection.read_request()) {
      ++asked;
      connection.send(redirect_to("/again", 307));
    }
  });
  ClientBench bench;
  auto request = bench.request(origin);
  request.max_redirects = 5;
  const auto outcome = bench.run(request);
  CHECK(outcome.kind() == ErrorKind::protocol);
  CHECK(test::has(outcome.text(), "over 5 redirects"));
  CHECK(asked == 6);
}

TEST_CASE("redirects to other schemes, other origins and the admin port are refused") {
  std::atomic<bool> reached = false;
  ScriptedOrigin admin([&](OriginConnection& connection) {
    reached = connection.read_request().has_value();
    connection.send(kNamedHello);
  });
  ClientBench bench;
  for (const std::string& location :
       {std::string("file:///etc/passwd"), std::string("gopher://127.0.0.1/"), std::string("FILE:///x"),
        std::string("http://169.254.169.254/latest"), admin.url("/metrics"), std::string("//127.0.0.1:1/"),
        "http://localhost:" + std::to_string(admin.port()) + "/", std::string("http://[::1]/")}) {
    CAPTURE(location);
    ScriptedOrigin origin(ScriptedOrigin::always(redirect_to(location)));
    auto request = bench.request(origin);
    request.max_redirects = 5;
    const auto outcome = bench.run(request);
    CHECK(outcome.kind() == ErrorKind::forbidden);
    CHECK_FALSE(outcome.result.error().may_retry);
    CHECK_FALSE(outcome.head.has_value());
  }
  CHECK_FALSE(reached);
}

TEST_CASE("a redirect to an invalid URI is a protocol error of the origin") {
  for (const auto* location : {"http://", "http://h:99999/", "http://u@h/"}) {
    CAPTURE(location);
    ScriptedOrigin origin(ScriptedOrigin::always(redirect_to(location)));
    ClientBench bench;
    auto request = bench.request(origin);
    request.max_redirects = 5;
    CHECK(bench.run(request).kind() == ErrorKind::protocol);
  }
}

TEST_CASE("a redirect to another origin drops credentials, and one within the origin keeps them") {
  std::string seen_there, seen_here;
  ScriptedOrigin there([&](OriginConnection& connection) {
    seen_there = connection.read_request().value_or("");
    connection.send(kNamedHello);
  });
  ScriptedOrigin here([&](OriginConnection& connection) {
    connection.read_request();
    connection.send(redirect_to("/step"));
    seen_here = connection.read_request().value_or("");
    connection.send(redirect_to(there.url("/")));
    connection.stall();
  });
  ClientBench bench;
  auto request = bench.request(here);
  request.destinations.allowed_origins.push_back(there.origin());
  request.max_redirects = 2;
  request.headers = {{"authorization", "Bearer secret"}, {"X-Kept", "yes"}};
  CHECK(bench.run(request).body == "hello");
  CHECK(test::has(seen_here, "Bearer secret"));
  CHECK_FALSE(test::has(seen_there, "Bearer secret"));
  CHECK(test::has(seen_there, "X-Kept: yes"));
}

TEST_CASE("a POST is never redirected") {
  ScriptedOrigin origin(ScriptedOrigin::always(redirect_to("/x", 307)));
  ClientBench bench;
  auto request = bench.request(origin);
  request.method = http::Method::post;
  request.max_redirects = 5;
  CHECK(bench.run(request).head->status == 307);
}

TEST_CASE("an endless body of a redirect does not delay the redirect") {
  ScriptedOrigin origin([](OriginConnection& connection) {
    const auto request = connection.read_request().value_or("");
    if (test::has(request, "GET /end")) {
      connection.send(kNamedHello);
      return;
    }
    connection.send("HTTP/1.1 302 Found\r\nLocation: /end\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (connection.send("400\r\n" + std::string(1024, 'x') + "\r\n")) {
    }
  });
  ClientBench bench;
  auto request = bench.request(origin);
  request.max_redirects = 1;
  CHECK(bench.run(request).body == "hello");
}

TEST_CASE("a URL that cannot be fetched is refused, asynchronously from the loop") {
  ClientBench bench;
  FetchRequest request;
  for (const auto* url : {"file:///etc/passwd", "ftp://x/", "data:,x"}) {
    request.url = url;
    CHECK(bench.run(request).kind() == ErrorKind::forbidden);
  }
  request.url = "http://";
  CHECK(bench.run(request).kind() == ErrorKind::invalid_input);
  request.url = "http://127.0.0.1:1/";
  CHECK(bench.run(request).kind() == ErrorKind::forbidden);
  request.url = "http://other/";
  request.destinations.allowed_origins = {"http://one"};
  CHECK(bench.run(request).kind() == ErrorKind::forbidden);
}

TEST_CASE("localhost is reached when it is configured as an origin") {
  ScriptedOrigin origin(ScriptedOrigin::always(kNamedHello));
  ClientBench bench;
  FetchRequest request;
  request.url = "http://localhost:" + std::to_string(origin.port()) + "/";
  request.destinations.allowed_origins = {request.url};
  const auto outcome = bench.run(request);
  CHECK(outcome.text() == "no error");
}

TEST_CASE("a name that resolves to a special address is refused without permission") {
  ScriptedOrigin origin(ScriptedOrigin::always(kNamedHello));
  NamedBench named;
  for (const auto* address :
       {"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "0.0.0.0"}) {
    CAPTURE(address);
    NamedBench fresh;
    fresh.names->set({address});
    auto request = fresh.request(origin);
    request.destinations.allow_special_addresses = false;
    const auto outcome = fresh.bench.run(request);
    CHECK(outcome.kind() == ErrorKind::forbidden);
    CHECK(test::has(outcome.text(), address));
  }
  CHECK(origin.accepted() == 0);
}

TEST_CASE("a kept connection to a special address is not used for a request without permission") {
  ScriptedOrigin origin(ScriptedOrigin::always(kNamedHello));
  NamedBench named;
  named.names->set({"127.0.0.1"});
  CHECK(named.bench.run(named.request(origin)).body == "hello");
  auto strict = named.request(origin);
  strict.destinations.allow_special_addresses = false;
  CHECK(named.bench.run(strict).kind() == ErrorKind::forbidden);
}

TEST_CASE("numbers that only a resolver accepts as an address are not literal addresses") {
  ScriptedOrigin origin(ScriptedOrigin::always(kNamedHello));
  ClientBench bench;
  for (const std::string host : {"127.1", "2130706433", "0x7f000001", "0177.0.0.1"}) {
    CAPTURE(host);
    FetchRequest request;
    request.url = "http://" + host + ":" + std::to_string(origin.port()) + "/";
    request.destinations.allowed_origins = {request.url};
    const auto kind = bench.run(request).kind();
    CHECK((kind == ErrorKind::forbidden || kind == ErrorKind::refused || kind == ErrorKind::unavailable));
  }
  CHECK(origin.accepted() == 0);
}

TEST_CASE("a name is looked up once for all waiting requests, and cached") {
  ScriptedOrigin origin(ScriptedOrigin::always(kNamedHello));
  NamedBench named;
  named.names->set({"127.0.0.1"});
  std::vector<Outcome> outcomes(10);
  std::vector<std::unique_ptr<Fetch>> fetches;
  std::size_t done = 0;
  for (auto& outcome : outcomes) {
    fetches.push_back(named.bench.client().start(named.request(origin), named.bench.collect(outcome, [&] {
      if (++done == outcomes.size()) named.bench.loop.stop();
    })));
  }
  named.bench.run_loop();
  for (const auto& outcome : outcomes) CHECK(outcome.body == "hello");
  CHECK(named.bench.run(named.request(origin)).body == "hello");
  CHECK(named.names->asked() == 1);
}

TEST_CASE("a name that cannot be resolved is unavailable, and is resolved again later") {
  ScriptedOrigin origin(ScriptedOrigin::always(kNamedHello));
  NamedBench named;
  const auto failed = named.bench.run(named.request(origin));
  CHECK(failed.kind() == ErrorKind::unavailable);
  CHECK(failed.result.error().may_retry);
  CHECK(test::has(failed.text(), "origin.test"));
  named.names->set({"127.0.0.1"});
  CHECK(named.bench.run(named.request(origin)).body == "hello");
}

TEST_CASE("a lookup that hangs ends at the connect deadline, delays no other request, and can be abandoned") {
  ScriptedOrigin origin(ScriptedOrigin::always(kNamedHello));
  NamedBench named;
  named.names->hang();
  auto request = named.request(origin);
  request.deadlines.connect = 50ms;
  const auto hung = named.bench.run(request);
  CHECK(hung.kind() == ErrorKind::timeout);
  CHECK(hung.result.error().may_retry);
  CHECK(test::has(hung.text(), "not resolved within 50 ms"));
  CHECK(named.bench.run(named.bench.request(origin)).body == "hello");
  // Only one lookup of a name runs at a time, for any number of requests.
  CHECK(named.bench.run(request).kind() == ErrorKind::timeout);
  CHECK(named.names->asked() == 1);
}

TEST_CASE("the last good address is used while the resolver fails or hangs") {
  ScriptedOrigin origin(ScriptedOrigin::once(kNamedHello));
  NamedBench named(0ms);  // every cached address is stale at once
  named.names->set({"127.0.0.1"});
  CHECK(named.bench.run(named.request(origin)).body == "hello");
  named.names->set({});
  for (int i = 0; i < 3; ++i) CHECK(named.bench.run(named.request(origin)).body == "hello");
  named.names->hang();
  for (int i = 0; i < 3; ++i) CHECK(named.bench.run(named.request(origin)).body == "hello");
}

TEST_CASE("a changed address is found after the old one has failed") {
  ScriptedOrigin origin(ScriptedOrigin::once(kNamedHello));
  NamedBench named;
  named.names->set({"127.0.0.77"});  // an address without a listener
  CHECK(named.bench.run(named.request(origin)).kind() == ErrorKind::refused);
  named.names->set({"127.0.0.1"});
  // The failure above may have started a lookup before the change; each further failure starts another.
  Outcome outcome;
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (outcome.body.empty() && std::chrono::steady_clock::now() < limit)
    outcome = named.bench.run(named.request(origin));
  CHECK(outcome.body == "hello");
}

TEST_CASE("when the first address of a name does not respond, the next one is used") {
  ScriptedOrigin origin(ScriptedOrigin::always(kNamedHello));
  NamedBench named;
  named.names->set({"127.0.0.77", "127.0.0.1"});
  CHECK(named.bench.run(named.request(origin)).body == "hello");
}
