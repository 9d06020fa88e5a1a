#include "balancer/sources/source.h"

#include <doctest/doctest.h>

#include "balancer/sources/playlist_query.h"
#include "base/clock.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

class Nothing final : public net::Fetch {
 public:
  explicit Nothing(int& cancelled) : cancelled_(cancelled) {}
  ~Nothing() override { ++cancelled_; }
  void resume() override {}

 private:
  int& cancelled_;
};

class Snapshot final : public SourceSnapshot {
 public:
  bool is_multivariant() const override { return false; }
  std::int64_t first_msn() const override { return 0; }
  std::int64_t next_msn() const override { return 0; }
  std::chrono::milliseconds target_duration() const override { return 2s; }
  bool ended() const override { return false; }
  base::WallTime confirmed_at() const override { return {}; }
  std::shared_ptr<const Rendered> render(const LinkPins&) const override { return nullptr; }
  std::string text_for_bare_url(std::string_view) const override { return ""; }
};

/// The world of one source, moved by hand. The body of an answer is what read() is told to make of it.
struct Environment final : Source::Environment {
  base::ManualClock clock;
  std::optional<base::SteadyTime> media;
  std::function<void(base::Result<net::WholeAnswer>)> pending;
  http::Headers sent;
  int fetches = 0, ended = 0, stalls = 0, recoveries = 0;
  std::vector<std::string> words;
  SourceFacts facts;

  Environment() { facts.target_duration = 2s; }
  std::chrono::milliseconds stale = 0ms;
  base::SteadyTime now() const override { return clock.steady_now(); }
  std::chrono::milliseconds stale_time() const override { return stale; }
  void schedule(base::SteadyTime t) override { media = t; }
  std::unique_ptr<net::Fetch> fetch(const http::Headers& validators,
                                    std::function<void(base::Result<net::WholeAnswer>)> on_done) override {
    ++fetches;
    sent = validators;
    pending = std::move(on_done);
    return std::make_unique<Nothing>(ended);
  }
  void read(net::WholeAnswer answer, std::function<void(base::Result<Source::Reading>)> done) override {
    if (answer.body == "bad") return done(base::failure(base::ErrorKind::invalid_input, base::Fault::origin, "bad"));
    if (answer.body == "same") return done(Source::Reading{nullptr, {}, "unchanged"});
    done(Source::Reading{std::make_shared<Snapshot>(), facts, "new"});
  }
  void on_refreshed(std::string_view word) override { words.emplace_back(word); }
  void on_failed(const base::Error&, std::int64_t) override { words.emplace_back("failed"); }
  void on_recovered(std::int64_t) override { ++recoveries; }
  void on_stalled(std::chrono::milliseconds) override { ++stalls; }
};

struct Scene {
  Environment world;
  std::shared_ptr<SourceSlot> slot = std::make_shared<SourceSlot>();
  Source source{world, slot, SourceSettings{}};
  std::vector<base::Result<PlaylistAnswer>> answers;

  void ask(std::optional<BlockingReload> want = {}, std::chrono::milliseconds patience = 8s) {
    slot->touch(world.now());
    source.ask({want, world.now() + patience, [this](auto answer) { answers.push_back(std::move(answer)); }});
  }
  /// Someone asks and is answered from memory: the owner does not hear of it.
  void glance() { slot->touch(world.now()); }
  void answer(int status, const std::string& body = "good", http::Headers headers = {}) {
    REQUIRE(world.pending);
    net::WholeAnswer whole;
    whole.head.status = status;
    whole.head.headers = std::move(headers);
    whole.body = body;
    std::exchange(world.pending, nullptr)(std::move(whole));
  }
  void fail(base::ErrorKind kind) {
    REQUIRE(world.pending);
    std::exchange(world.pending, nullptr)(base::failure(kind, base::Fault::origin, "broken", true));
  }
  /// Lets time pass, with the ticks that the source wished for; each fetch is answered by `reply`.
  void pass(std::chrono::milliseconds time, const std::function<void()>& reply = {}) {
    const auto end = world.now() + time;
    while (world.media && *world.media <= end) {
      const auto at = *std::exchange(world.media, std::nullopt);
      if (at > world.now()) world.clock.advance(at - world.now());
      source.tick();
      if (world.pending && reply) reply();
    }
    world.clock.advance(end - world.now());
  }
  std::shared_ptr<const SourceState> state() const { return slot->state.get(); }
};

}  // namespace

TEST_CASE("viewers who come together wait for one fetch") {
  Scene s;
  s.ask();
  s.ask();
  s.ask();
  CHECK(s.world.fetches == 1);
  CHECK(s.answers.empty());
  s.answer(200);
  CHECK(s.answers.size() == 3);
  for (const auto& answer : s.answers) CHECK((answer && answer->waited && !answer->stale));
}

TEST_CASE("a watched playlist is refreshed at half its target duration, with its validators") {
  Scene s;
  s.ask();
  s.answer(200, "good", {{"ETag", "\"a\""}, {"Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT"}});
  for (int i = 0; i < 10; ++i) {
    s.glance();
    s.pass(1s, [&] { s.answer(304); });
  }
  CHECK(s.world.fetches == 11);
  CHECK(s.world.sent.first("If-None-Match") == "\"a\"");
  CHECK(s.world.sent.first("If-Modified-Since") == "Sat, 01 Jan 2000 00:00:00 GMT");
}

TEST_CASE("validators of an answer that could not be used are not sent") {
  Scene s;
  s.ask();
  s.answer(200, "good", {{"ETag", "\"a\""}});
  s.pass(1s, [&] { s.answer(200, "bad", {{"ETag", "\"b\""}}); });
  s.pass(1s, [&] { s.answer(304); });
  CHECK(s.world.sent.first("If-None-Match") == "\"a\"");
}

TEST_CASE("when nobody asks, it is refreshed once more and then rests, and wakes for the next viewer") {
  Scene s;
  s.ask();
  s.answer(200);
  s.pass(60s, [&] { s.answer(200); });
  CHECK(s.world.fetches >= 6);
  CHECK(s.world.fetches <= 9);
  const auto before = s.world.fetches;
  CHECK(s.world.now() > s.state()->usable_until);
  s.ask();
  CHECK(s.world.fetches == before + 1);
  CHECK(s.answers.size() == 1);
  s.answer(200);
  CHECK(s.answers.size() == 2);
}

TEST_CASE("playlists with parts are refreshed at half a part's duration when the origin blocks reloads") {
  Scene s;
  s.world.facts.part_target = 500ms;
  s.world.facts.can_block_reload = true;
  s.ask();
  s.answer(200);
  s.pass(1s, [&] { s.answer(200); });
  CHECK(s.world.fetches == 5);
}

TEST_CASE(
    "without a time for stale playlists the last good one is served for one and a half target durations after it was "
    "confirmed") {
  Scene s;
  s.ask();
  s.answer(200);
  const auto confirmed = s.world.now();
  s.pass(1s, [&] { s.fail(base::ErrorKind::unavailable); });
  CHECK(s.state()->is_failing);
  CHECK(s.state()->good_until == confirmed + 3s);
  s.glance();
  s.pass(2s, [&] { s.fail(base::ErrorKind::timeout); });
  s.ask();
  if (s.world.pending) s.fail(base::ErrorKind::timeout);
  REQUIRE(s.answers.size() == 2);
  REQUIRE_FALSE(s.answers[1]);
  CHECK(problem_of(s.answers[1].error()).status == 504);
}

TEST_CASE(
    "the last good playlist is served for its stale time while the origin fails, and the source is asked again all the "
    "while") {
  Scene s;
  s.world.stale = 5min;
  s.ask();
  s.answer(200);
  for (int second = 1; second < 299; ++second) {
    s.glance();
    s.pass(1s, [&] { s.fail(base::ErrorKind::unavailable); });
    CHECK(s.world.now() < s.state()->good_until);
  }
  const auto fetches = s.world.fetches;
  CHECK(fetches > 250);
  s.ask();
  if (s.world.pending) s.fail(base::ErrorKind::unavailable);
  REQUIRE(s.answers.size() == 2);
  REQUIRE(s.answers[1]);
  CHECK(s.answers[1]->stale);
  s.glance();
  s.pass(3s, [&] { s.fail(base::ErrorKind::unavailable); });
  s.ask();
  if (s.world.pending) s.fail(base::ErrorKind::unavailable);
  CHECK_FALSE(s.answers[2]);
}

TEST_CASE("a blocking reload is held while the origin is away, and gets the last good playlist when the wait is over") {
  Scene s;
  s.world.stale = 5min;
  s.world.facts.can_block_reload = true;
  s.world.facts.end_msn = 10;
  s.ask();
  s.answer(200);
  s.ask(BlockingReload{10, std::nullopt}, 6s);
  s.pass(5s, [&] { s.fail(base::ErrorKind::unavailable); });
  CHECK(s.answers.size() == 1);
  s.pass(2s, [&] { s.fail(base::ErrorKind::unavailable); });
  REQUIRE(s.answers.size() == 2);
  REQUIRE(s.answers[1]);
  CHECK(s.answers[1]->stale);
  s.ask(BlockingReload{10, std::nullopt}, 6s);
  s.world.facts.end_msn = 11;
  s.pass(1s, [&] { s.answer(200); });
  REQUIRE(s.answers.size() == 3);  // the origin is back
  CHECK_FALSE(s.answers[2]->stale);
}

TEST_CASE("a failing origin is asked again soon, not without pause, and serves again when it is well") {
  Scene s;
  s.ask();
  s.answer(200);
  s.pass(10s, [&] {
    s.glance();
    s.fail(base::ErrorKind::unavailable);
  });
  CHECK(s.world.fetches >= 9);
  CHECK(s.world.fetches <= 16);
  s.pass(2s, [&] { s.answer(200); });
  CHECK(s.world.recoveries == 1);
  CHECK_FALSE(s.state()->is_failing);
}

TEST_CASE("with nothing good, the error is everybody's answer until the next try") {
  Scene s;
  s.ask();
  s.answer(404);
  REQUIRE(s.answers.size() == 1);
  CHECK(problem_of(s.answers[0].error()).status == 503);
  s.ask();
  CHECK(s.answers.size() == 2);
  CHECK(s.world.fetches == 1);
  s.pass(2s);
  s.ask();
  CHECK(s.world.fetches == 2);
  s.answer(200, "bad");
  CHECK(problem_of(s.answers[2].error()).status == 502);
}

TEST_CASE("a source that stands still is served on, and said once") {
  Scene s;
  s.ask();
  s.answer(200);
  for (int i = 0; i < 60; ++i) {
    s.glance();
    s.pass(1s, [&] { s.answer(200, "same"); });
    CHECK(s.world.now() < s.state()->good_until);
  }
  CHECK(s.world.stalls == 1);
}

TEST_CASE(
    "a first playlist that is not to be shown yet is no standstill: it is fetched again within a second, and its "
    "viewers wait") {
  Scene s;
  s.world.clock.advance(1h);
  s.ask();
  s.answer(200, "same");
  CHECK(s.world.stalls == 0);
  CHECK(s.answers.empty());
  s.pass(3500ms, [&] { s.answer(200, "same"); });
  CHECK(s.world.fetches == 4);
  CHECK(s.world.stalls == 0);
  CHECK(s.answers.empty());
  s.pass(1s, [&] { s.answer(200); });
  REQUIRE(s.answers.size() == 1);
  CHECK(s.answers[0]);
}

TEST_CASE("a playlist that has ended never grows old and is seldom asked for") {
  Scene s;
  s.world.facts.ended = true;
  s.ask();
  s.answer(200);
  for (int i = 0; i < 30; ++i) {
    s.glance();
    s.pass(1s, [&] { s.fail(base::ErrorKind::unavailable); });
  }
  CHECK(s.state()->good_until == base::SteadyTime::max());
  CHECK(s.world.fetches < 25);
}

TEST_CASE("a multivariant playlist is fetched again when it is asked for and old, and kept while the origin fails") {
  Scene s;
  s.world.facts.is_multivariant = true;
  s.ask();
  s.answer(200);
  s.glance();
  s.pass(9s);
  CHECK(s.world.fetches == 1);
  s.glance();
  s.pass(2s, [&] { s.fail(base::ErrorKind::unavailable); });
  CHECK(s.world.fetches >= 2);
  CHECK(s.world.now() < s.state()->good_until);
  s.pass(1h);
  CHECK(s.world.fetches <= 5);
  s.ask();
  if (s.world.pending) s.fail(base::ErrorKind::unavailable);
  REQUIRE(s.answers.size() == 2);
  REQUIRE(s.answers[1]);
  CHECK(s.answers[1]->stale);
}

TEST_CASE("a blocking reload waits until its segment or part is listed") {
  Scene s;
  s.world.facts.can_block_reload = true;
  s.world.facts.end_msn = 10;
  s.world.facts.trailing_parts = 1;
  s.ask();
  s.answer(200);
  s.ask(BlockingReload{10, std::nullopt}, 6s);
  s.ask(BlockingReload{10, 1}, 6s);
  s.ask(BlockingReload{10, 0}, 6s);
  CHECK(s.answers.size() == 2);
  s.world.facts.trailing_parts = 2;
  s.pass(1s, [&] { s.answer(200); });
  CHECK(s.answers.size() == 3);
  s.world.facts.end_msn = 11;
  s.pass(1s, [&] { s.answer(200); });
  CHECK(s.answers.size() == 4);
}

TEST_CASE("a blocking reload that is not fulfilled in time ends with a 503") {
  Scene s;
  s.world.facts.can_block_reload = true;
  s.world.facts.end_msn = 10;
  s.ask();
  s.answer(200);
  s.ask(BlockingReload{10, std::nullopt}, 6s);
  s.pass(7s, [&] { s.answer(200, "same"); });
  REQUIRE(s.answers.size() == 2);
  CHECK(problem_of(s.answers[1].error()).status == 503);
}

TEST_CASE("a first viewer waits no longer than allowed") {
  Scene s;
  s.ask({}, 3s);
  s.pass(4s);
  REQUIRE(s.answers.size() == 1);
  CHECK(problem_of(s.answers[0].error()).status == 504);
}

TEST_CASE("draining holds no reload back, and serves on") {
  Scene s;
  s.world.facts.can_block_reload = true;
  s.ask();
  s.answer(200);
  s.ask(BlockingReload{10, std::nullopt});
  CHECK(s.answers.size() == 1);
  s.source.drain();
  REQUIRE(s.answers.size() == 2);
  CHECK(s.answers[1]);
  s.ask(BlockingReload{10, std::nullopt});
  CHECK(s.answers.size() == 3);
  s.pass(1s, [&] { s.answer(200); });
  CHECK(s.world.fetches == 2);
}

TEST_CASE("closing ends every wait and cancels the fetch") {
  Scene s;
  s.ask();
  s.source.close({base::ErrorKind::unavailable, base::Fault::tribune, true, "stopping"});
  CHECK(s.answers.size() == 1);
  CHECK(s.world.ended == 1);
  s.ask();
  CHECK(s.answers.size() == 2);
  CHECK(s.world.fetches == 1);
}

TEST_CASE("reload directives are read strictly, and the origin's own query is told apart") {
  CHECK_FALSE(blocking_reload("a=1")->has_value());
  CHECK((*blocking_reload("x&_HLS_msn=7&_HLS_part=2"))->msn == 7);
  CHECK((*blocking_reload("x&_HLS_msn=7&_HLS_part=2"))->part == 2);
  for (const std::string bad : {"_HLS_part=1", "_HLS_msn=", "_HLS_msn=-1", "_HLS_msn=1x",
                                "_HLS_msn=99999999999999999999", "_HLS_msn=1&_HLS_part=a"}) {
    const auto read = blocking_reload(bad);
    REQUIRE_FALSE(read);
    CHECK(problem_of(read.error()).status == 400);
  }
  CHECK(origin_query("a=1&_HLS_msn=2&cache=city&b=2&CMCD=x&receipt=r&gone=g&session=t") == "a=1&b=2");
}
