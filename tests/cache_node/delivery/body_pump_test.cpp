#include "cache_node/delivery/body_pump.h"

#include <doctest/doctest.h>

#include "cache_node/objects/object_key.h"
#include "support/fake_exchange.h"
#include "support/sample_body.h"
#include "support/workers.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

using Outcome = BodyPump::Outcome;

struct BodyPumpFixture {
  Workers workers{1};
  base::Metrics metrics;
  base::Counter sent_bytes{metrics.counter("sent_total", "")};
  std::atomic<std::uint64_t> channel_bytes{0};
  std::shared_ptr<RecordedResponse> seen = std::make_shared<RecordedResponse>();
  std::shared_ptr<Fill> fill =
      std::make_shared<Fill>(object_key("demo/e1/seg1.ts"), 1, std::make_shared<FillMemory>(16 << 20));
  const std::string body = body_of(1 << 20);

  /// Runs `test` on the loop, with a pump whose client takes bytes only when the test drains it.
  void run(const std::function<void(BodyPump&, FakeExchange&, FillReader&)>& test) {
    workers.on(0, [&] {
      auto& loop = workers.worker().loop;
      fill->begin({}, body.size());
      const auto reader = fill->join(loop, [] {});
      auto exchange = std::make_unique<FakeExchange>(loop, http::Request(), seen, true);
      auto& client = *exchange;
      BodyPump pump(std::move(exchange), sent_bytes, &channel_bytes);
      pump.set_remaining(body.size());
      test(pump, client, *reader);
    });
  }
  void append(std::size_t from, std::size_t count) { fill->append(std::string_view(body).substr(from, count), {}); }
  static Outcome send(BodyPump& pump, FillReader& reader) {
    return pump.send(reader, pump.remaining(), [](Fill::Phase) {});
  }
};

}  // namespace

TEST_CASE_FIXTURE(BodyPumpFixture, "the pump queues one window, and continues as the socket accepts bytes") {
  run([&](BodyPump& pump, FakeExchange& client, FillReader& reader) {
    for (std::size_t at = 0; at < body.size(); at += 16'384) append(at, 16'384);
    fill->finish("\"t\"", 0, 0);
    std::size_t windows = 0;
    while (send(pump, reader) == Outcome::window_full) {
      CHECK(client.unsent() < BodyPump::kWindow + 16'384);
      client.drain();
      ++windows;
    }
    CHECK(windows >= 3);
    CHECK(pump.remaining() == 0);
  });
  CHECK(seen->bytes == body);
  CHECK(sent_bytes.value() == static_cast<double>(body.size()));
  CHECK(channel_bytes == body.size());
}

TEST_CASE_FIXTURE(BodyPumpFixture, "the pump reports why it sent fewer bytes than requested") {
  run([&](BodyPump& pump, FakeExchange&, FillReader& reader) {
    CHECK(send(pump, reader) == Outcome::waiting);
    append(0, 1000);
    CHECK(pump.send(reader, 400, [](Fill::Phase) {}) == Outcome::sent);
    CHECK(send(pump, reader) == Outcome::waiting);
    CHECK(pump.remaining() == body.size() - 1000);
    append(1000, 1000);
    fill->fail({});
    CHECK(send(pump, reader) == Outcome::failed);
    CHECK(pump.remaining() == body.size() - 1000);
  });
}

TEST_CASE_FIXTURE(BodyPumpFixture, "a stopped pump writes nothing") {
  run([&](BodyPump& pump, FakeExchange&, FillReader& reader) {
    append(0, 1000);
    CHECK(pump.send(reader, 1000, [&](Fill::Phase) { pump.stop(); }) == Outcome::stopped);
    CHECK(pump.remaining() == body.size());
  });
  CHECK(seen->bytes.empty());
}

TEST_CASE_FIXTURE(BodyPumpFixture, "the pump calls back once when the socket has accepted its bytes") {
  int calls = 0;
  run([&](BodyPump& pump, FakeExchange& client, FillReader& reader) {
    append(0, 100'000);
    send(pump, reader);
    pump.when_writable([&] { ++calls; });
    pump.when_writable([&] { ++calls; });
    client.drain();
    CHECK(calls == 1);
    pump.when_writable([&] { ++calls; });
    client.drain();
    CHECK(calls == 2);
  });
}
