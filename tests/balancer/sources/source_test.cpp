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

/// The environment of one source, moved by hand. The result of parsing a response is what its body names.
struct Environment final : Source::Environment {
  base::ManualClock clock;
  std::optional<base::SteadyTime> media;
  std::function<void(base::Result<net::WholeAnswer>)> pending;
  http::Headers sent;
  int fetches = 0, ended = 0, stalls = 0, recoveries = 0;
  std::vector<std::string> results;
  SourceFacts facts;

  Environment() { facts.target_duration = 2s; }
  std::chrono::milliseconds stale = 0ms;
  base::SteadyTime links_until = base::SteadyTime::max();
  std::optional<Source::Refresh> new_links;
  base::SteadyTime links_usable_until() const override { return links_until; }
  std::optional<Source::Refresh> with_new_links() override { return std::exchange(new_links, std::nullopt); }
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
  void parse(net::WholeAnswer answer, std::function<void(base::Result<Source::Refresh>)> done) override {
    if (answer.body == "bad") return done(base::failure(base::ErrorKind::invalid_input, base::Fault::origin, "bad"));
    if (answer.body == "same") return done(Source::Refresh{nullptr, {}, "unchanged"});
    if (answer.body == "old") return done(Source::Refresh{nullptr, {}, "older_copy", {}, false});
    done(Source::Refresh{std::make_shared<Snapshot>(), facts, "new"});
  }
  void on_refreshed(std::string_view result) override { results.emplace_back(result); }
  void on_failed(const base::Error&, std::int64_t) override { results.emplace_back("failed"); }
  void on_recovered(std::int64_t) override { ++recoveries; }
  void on_stalled(std::chrono::milliseconds) override { ++stalls; }
};

struct SourceFixture {
  Environment environment;
  std::shared_ptr<SourceSlot> slot = std::make_shared<SourceSlot>();
  Source source{environment, slot, SourceSettings{}};
  std::vector<base::Result<PlaylistAnswer>> answers;

  void request(std::optional<BlockingReload> want = {}, std::chrono::milliseconds patience = 8s) {
    slot->touch(environment.now());
    source.request({want, environment.now() + patience, [this](auto answer) { answers.push_back(std::move(answer)); }});
  }
  /// A request that is answered from memory, without the owner.
  void glance() { slot->touch(environment.now()); }
  void answer(int status, const std::string& body = "good", http::Headers headers = {}) {
    REQUIRE(environment.pending);
    net::WholeAnswer whole;
    whole.head.status = status;
    whole.head.headers = std::move(headers);
    whole.body = body;
    std::exchange(environment.pending, nullptr)(std::move(whole));
  }
  void fail(base::ErrorKind kind) {
    REQUIRE(environment.pending);
    std::exchange(environment.pending, nullptr)(base::failure(kind, base::Fault::origin, "broken", true));
  }
  /// Lets time pass, with the ticks that the source scheduled; each fetch is answered by `reply`.
  void pass(std::chrono::milliseconds time, const std::function<void()>& reply = {}) {
    const auto end = environment.now() + time;
    while (environment.media && *environment.media <= end) {
      const auto at = *std::exchange(environment.media, std::nullopt);
      if (at > environment.now()) environment.clock.advance(at - environment.now());
      source.tick();
      if (environment.pending && reply) reply();
    }
    environment.clock.advance(end - environment.now());
  }
  std::shared_ptr<const SourceState> state() const { return slot->state.get(); }
  /// Loads the playlist once, and lets it fall asleep and sleep for that long.
  void load_and_sleep(std::chrono::milliseconds time) {
    request();
    answer(200);
    pass(20s, [this] { answer(200); });
    answers.clear();
    pass(std::chrono::ceil<std::chrono::milliseconds>(time - (environment.now() - state()->confirmed)),
         [] { FAIL("it does not sleep"); });
  }
  /// Whether any worker may answer from memory.
  bool is_in_memory() const { return environment.now() < state()->usable_until; }
};

}  // namespace

TEST_CASE("concurrent viewers share one fetch") {
  SourceFixture s;
  s.request();
  s.request();
  s.request();
  CHECK(s.environment.fetches == 1);
  CHECK(s.answers.empty());
  s.answer(200);
  CHECK(s.answers.size() == 3);
  for (const auto& answer : s.answers) CHECK((answer && answer->waited && !answer->stale));
}

TEST_CASE("a watched playlist is refreshed at half its target duration, with its validators") {
  SourceFixture s;
  s.request();
  s.answer(200, "good", {{"ETag", "\"a\""}, {"Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT"}});
  for (int i = 0; i < 10; ++i) {
    s.glance();
    s.pass(1s, [&] { s.answer(304); });
  }
  CHECK(s.environment.fetches == 11);
  CHECK(s.environment.sent.first("If-None-Match") == "\"a\"");
  CHECK(s.environment.sent.first("If-Modified-Since") == "Sat, 01 Jan 2000 00:00:00 GMT");
}

TEST_CASE("validators of a response that could not be used are not sent") {
  SourceFixture s;
  s.request();
  s.answer(200, "good", {{"ETag", "\"a\""}});
  s.pass(1s, [&] { s.answer(200, "bad", {{"ETag", "\"b\""}}); });
  s.pass(1s, [&] { s.answer(304); });
  CHECK(s.environment.sent.first("If-None-Match") == "\"a\"");
}

TEST_CASE("without requests a playlist is refreshed once more and then sleeps until the next request") {
  SourceFixture s;
  s.request();
  s.answer(200);
  s.pass(60s, [&] { s.answer(200); });
  CHECK(s.environment.fetches >= 6);
  CHECK(s.environment.fetches <= 9);
  const auto before = s.environment.fetches;
  CHECK(s.environment.now() > s.state()->usable_until);
  s.request();
  CHECK(s.environment.fetches == before + 1);
  CHECK(s.answers.size() == 1);
  s.answer(200);
  CHECK(s.answers.size() == 2);
}

TEST_CASE("a live playlist that slept for a target duration or longer is fetched before any viewer gets it") {
  for (const auto stale_time : {0ms, 300'000ms})
    for (const auto asleep : {10s, 45s, 90s, 280s, 86'400s}) {
      CAPTURE(asleep.count());
      SourceFixture s;
      s.environment.stale = stale_time;
      s.load_and_sleep(asleep);
      const auto slept = s.state()->snapshot;
      s.request();
      s.request();
      CHECK(s.answers.empty());
      CHECK_FALSE(s.is_in_memory());  // it is awake now, and other workers wait, too
      s.answer(200);
      REQUIRE(s.answers.size() == 2);
      for (const auto& answer : s.answers) {
        REQUIRE(answer);
        CHECK(answer->snapshot != slept);
        CHECK_FALSE(answer->stale);
      }
      CHECK(s.is_in_memory());
    }
}

TEST_CASE("a live playlist that was confirmed within its target duration is served at once, and wakes") {
  for (const auto asleep : {1'999ms, 2'000ms, 2'001ms}) {
    CAPTURE(asleep.count());
    SourceFixture s;
    s.environment.stale = 5min;
    s.load_and_sleep(asleep);
    const bool is_young = asleep < 2s;
    CHECK(s.is_in_memory() == is_young);
    const auto fetches = s.environment.fetches;
    s.request();
    CHECK(s.answers.size() == (is_young ? 1 : 0));
    CHECK(s.environment.fetches == fetches + 1);
  }
}

TEST_CASE("the first viewer after a sleep gets the old playlist only when the origin fails, within its stale time") {
  struct Case {
    std::chrono::milliseconds asleep, stale_time;
    bool is_served;
  };
  for (const auto& c : {Case{60s, 5min, true}, Case{299s, 5min, true}, Case{301s, 5min, false}, Case{60s, 0s, false}}) {
    CAPTURE(c.asleep.count());
    SourceFixture s;
    s.environment.stale = c.stale_time;
    s.load_and_sleep(c.asleep);
    s.request();
    CHECK(s.answers.empty());
    s.fail(base::ErrorKind::unavailable);
    REQUIRE(s.answers.size() == 1);
    CHECK(s.answers[0].has_value() == c.is_served);
    if (c.is_served) CHECK(s.answers[0]->stale);
    CHECK(s.is_in_memory() == c.is_served);
    s.pass(1s, [&] { s.answer(200); });
    s.request();
    REQUIRE(s.answers.size() == 2);
    CHECK((s.answers[1] && !s.answers[1]->stale));
  }
}

TEST_CASE("an old copy or an unconfirmed playlist does not end a sleep: the next response is awaited") {
  SourceFixture s;
  s.environment.stale = 5min;
  s.load_and_sleep(60s);
  s.request();
  s.answer(200, "old");
  CHECK(s.answers.empty());
  CHECK_FALSE(s.is_in_memory());
  s.pass(1s, [&] { s.answer(200); });
  REQUIRE(s.answers.size() == 1);
  CHECK((s.answers[0] && !s.answers[0]->stale));
}

TEST_CASE("an ended playlist sleeps on and is served at once, until a viewer could not use its links to the end") {
  for (const auto left : {1ms, 0ms, -1ms}) {
    CAPTURE(left.count());
    SourceFixture s;
    s.environment.facts.ended = true;
    s.environment.links_until = s.environment.now() + 24h;
    s.load_and_sleep(1h);
    s.pass(std::chrono::floor<std::chrono::milliseconds>(s.environment.links_until - s.environment.now()) - left);
    const bool is_usable = left > 0ms;
    CHECK(s.is_in_memory() == is_usable);
    s.request();
    CHECK(s.answers.size() == (is_usable ? 1 : 0));
    s.environment.links_until = s.environment.now() + 24h;
    s.answer(200);
    REQUIRE(s.answers.size() == 1);
    CHECK((s.answers[0] && !s.answers[0]->stale));
  }
}

TEST_CASE("an ended playlist gets new links also when the origin fails") {
  SourceFixture s;
  s.environment.facts.ended = true;
  s.environment.links_until = s.environment.now() + 1h;
  s.load_and_sleep(2h);
  const auto renewed = std::make_shared<Snapshot>();
  s.environment.new_links = Source::Refresh{renewed, s.environment.facts, "new"};
  s.request();
  s.fail(base::ErrorKind::unavailable);
  REQUIRE(s.answers.size() == 1);
  REQUIRE(s.answers[0]);
  CHECK(s.answers[0]->snapshot == renewed);
}

TEST_CASE("after a sleep a blocking reload is judged by what the origin lists now") {
  SourceFixture s;
  s.environment.facts.can_block_reload = true;
  s.environment.facts.end_msn = 10;
  s.load_and_sleep(60s);
  for (const auto msn : {39, 40, 41, 42}) s.request(BlockingReload{msn, std::nullopt});
  CHECK(s.answers.empty());
  s.environment.facts.end_msn = 40;
  s.answer(200);
  REQUIRE(s.answers.size() == 2);  // 39 is listed and 42 is too far ahead; 40 and 41 may be awaited
  CHECK(s.answers[0]);
  CHECK(problem_of(s.answers[1].error()).status == 400);
}

TEST_CASE("playlists with parts are refreshed at half a part's duration when the origin supports blocking reloads") {
  SourceFixture s;
  s.environment.facts.part_target = 500ms;
  s.environment.facts.can_block_reload = true;
  s.request();
  s.answer(200);
  s.pass(1s, [&] { s.answer(200); });
  CHECK(s.environment.fetches == 5);
}

TEST_CASE("without a stale time the last good playlist is served for 1.5 target durations after it was confirmed") {
  SourceFixture s;
  s.request();
  s.answer(200);
  const auto confirmed = s.environment.now();
  s.pass(1s, [&] { s.fail(base::ErrorKind::unavailable); });
  CHECK(s.state()->is_failing);
  CHECK(s.state()->good_until == confirmed + 3s);
  s.glance();
  s.pass(2s, [&] { s.fail(base::ErrorKind::timeout); });
  s.request();
  if (s.environment.pending) s.fail(base::ErrorKind::timeout);
  REQUIRE(s.answers.size() == 2);
  REQUIRE_FALSE(s.answers[1]);
  CHECK(problem_of(s.answers[1].error()).status == 504);
}

TEST_CASE("while the origin fails it is requested, and the last good playlist is served for its stale time") {
  SourceFixture s;
  s.environment.stale = 5min;
  s.request();
  s.answer(200);
  for (int second = 1; second < 299; ++second) {
    s.glance();
    s.pass(1s, [&] { s.fail(base::ErrorKind::unavailable); });
    CHECK(s.environment.now() < s.state()->good_until);
  }
  const auto fetches = s.environment.fetches;
  CHECK(fetches > 250);
  s.request();
  if (s.environment.pending) s.fail(base::ErrorKind::unavailable);
  REQUIRE(s.answers.size() == 2);
  REQUIRE(s.answers[1]);
  CHECK(s.answers[1]->stale);
  s.glance();
  s.pass(3s, [&] { s.fail(base::ErrorKind::unavailable); });
  s.request();
  if (s.environment.pending) s.fail(base::ErrorKind::unavailable);
  CHECK_FALSE(s.answers[2]);
}

TEST_CASE("a blocking reload is held while the origin fails, and gets the last good playlist at its deadline") {
  SourceFixture s;
  s.environment.stale = 5min;
  s.environment.facts.can_block_reload = true;
  s.environment.facts.end_msn = 10;
  s.request();
  s.answer(200);
  s.request(BlockingReload{10, std::nullopt}, 6s);
  s.pass(5s, [&] { s.fail(base::ErrorKind::unavailable); });
  CHECK(s.answers.size() == 1);
  s.pass(2s, [&] { s.fail(base::ErrorKind::unavailable); });
  REQUIRE(s.answers.size() == 2);
  REQUIRE(s.answers[1]);
  CHECK(s.answers[1]->stale);
  s.request(BlockingReload{10, std::nullopt}, 6s);
  s.environment.facts.end_msn = 11;
  s.pass(1s, [&] { s.answer(200); });
  REQUIRE(s.answers.size() == 3);  // the origin has recovered
  CHECK_FALSE(s.answers[2]->stale);
}

TEST_CASE("a failing origin is requested again soon, with a pause, and is used again when it recovers") {
  SourceFixture s;
  s.request();
  s.answer(200);
  s.pass(10s, [&] {
    s.glance();
    s.fail(base::ErrorKind::unavailable);
  });
  CHECK(s.environment.fetches >= 9);
  CHECK(s.environment.fetches <= 16);
  s.pass(2s, [&] { s.answer(200); });
  CHECK(s.environment.recoveries == 1);
  CHECK_FALSE(s.state()->is_failing);
}

TEST_CASE("without a good playlist every request gets the error until the next fetch") {
  SourceFixture s;
  s.request();
  s.answer(404);
  REQUIRE(s.answers.size() == 1);
  CHECK(problem_of(s.answers[0].error()).status == 503);
  s.request();
  CHECK(s.answers.size() == 2);
  CHECK(s.environment.fetches == 1);
  s.pass(2s);
  s.request();
  CHECK(s.environment.fetches == 2);
  s.answer(200, "bad");
  CHECK(problem_of(s.answers[2].error()).status == 502);
}

TEST_CASE("a stalled source is served on, and reported once") {
  SourceFixture s;
  s.request();
  s.answer(200);
  for (int i = 0; i < 60; ++i) {
    s.glance();
    s.pass(1s, [&] { s.answer(200, "same"); });
    CHECK(s.environment.now() < s.state()->good_until);
  }
  CHECK(s.environment.stalls == 1);
}

TEST_CASE("a first playlist that may not be shown yet is no stall: viewers wait, and it is fetched again in a second") {
  SourceFixture s;
  s.environment.clock.advance(1h);
  s.request();
  s.answer(200, "same");
  CHECK(s.environment.stalls == 0);
  CHECK(s.answers.empty());
  s.pass(3500ms, [&] { s.answer(200, "same"); });
  CHECK(s.environment.fetches == 4);
  CHECK(s.environment.stalls == 0);
  CHECK(s.answers.empty());
  s.pass(1s, [&] { s.answer(200); });
  REQUIRE(s.answers.size() == 1);
  CHECK(s.answers[0]);
}

TEST_CASE("a playlist that has ended does not expire and is seldom fetched") {
  SourceFixture s;
  s.environment.facts.ended = true;
  s.request();
  s.answer(200);
  for (int i = 0; i < 30; ++i) {
    s.glance();
    s.pass(1s, [&] { s.fail(base::ErrorKind::unavailable); });
  }
  CHECK(s.state()->good_until == base::SteadyTime::max());
  CHECK(s.environment.fetches < 25);
}

TEST_CASE("a multivariant playlist is fetched again when it is old and requested, and kept while the origin fails") {
  SourceFixture s;
  s.environment.facts.is_multivariant = true;
  s.request();
  s.answer(200);
  s.glance();
  s.pass(9s);
  CHECK(s.environment.fetches == 1);
  s.glance();
  s.pass(2s, [&] { s.fail(base::ErrorKind::unavailable); });
  CHECK(s.environment.fetches >= 2);
  CHECK(s.environment.now() < s.state()->good_until);
  s.pass(1h);
  CHECK(s.environment.fetches <= 5);
  s.request();
  if (s.environment.pending) s.fail(base::ErrorKind::unavailable);
  REQUIRE(s.answers.size() == 2);
  REQUIRE(s.answers[1]);
  CHECK(s.answers[1]->stale);
}

TEST_CASE("a blocking reload waits until its segment or part is listed") {
  SourceFixture s;
  s.environment.facts.can_block_reload = true;
  s.environment.facts.end_msn = 10;
  s.environment.facts.trailing_parts = 1;
  s.request();
  s.answer(200);
  s.request(BlockingReload{10, std::nullopt}, 6s);
  s.request(BlockingReload{10, 1}, 6s);
  s.request(BlockingReload{10, 0}, 6s);
  CHECK(s.answers.size() == 2);
  s.environment.facts.trailing_parts = 2;
  s.pass(1s, [&] { s.answer(200); });
  CHECK(s.answers.size() == 3);
  s.environment.facts.end_msn = 11;
  s.pass(1s, [&] { s.answer(200); });
  CHECK(s.answers.size() == 4);
}

TEST_CASE("a blocking reload that is not satisfied in time ends with a 503") {
  SourceFixture s;
  s.environment.facts.can_block_reload = true;
  s.environment.facts.end_msn = 10;
  s.request();
  s.answer(200);
  s.request(BlockingReload{10, std::nullopt}, 6s);
  s.pass(7s, [&] { s.answer(200, "same"); });
  REQUIRE(s.answers.size() == 2);
  CHECK(problem_of(s.answers[1].error()).status == 503);
}

TEST_CASE("a first viewer waits no longer than the bound") {
  SourceFixture s;
  s.request({}, 3s);
  s.pass(4s);
  REQUIRE(s.answers.size() == 1);
  CHECK(problem_of(s.answers[0].error()).status == 504);
}

TEST_CASE("draining holds no blocking reload, and other requests are served") {
  SourceFixture s;
  s.environment.facts.can_block_reload = true;
  s.environment.facts.end_msn = 10;
  s.request();
  s.answer(200);
  s.request(BlockingReload{10, std::nullopt});
  CHECK(s.answers.size() == 1);
  s.source.drain();
  REQUIRE(s.answers.size() == 2);
  CHECK(s.answers[1]);
  s.request(BlockingReload{10, std::nullopt});
  CHECK(s.answers.size() == 3);
  s.pass(1s, [&] { s.answer(200); });
  CHECK(s.environment.fetches == 2);
}

TEST_CASE("closing ends every wait and cancels the fetch") {
  SourceFixture s;
  s.request();
  s.source.close({base::ErrorKind::unavailable, base::Fault::tribune, true, "stopping"});
  CHECK(s.answers.size() == 1);
  CHECK(s.environment.ended == 1);
  s.request();
  CHECK(s.answers.size() == 2);
  CHECK(s.environment.fetches == 1);
}

TEST_CASE("reload directives are parsed strictly, and separated from the origin's own query") {
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
