#include "balancer/sources.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "balancer/playlist_texts.h"
#include "balancer/tables.h"
#include "base/ids.h"

using namespace tribune;
using namespace tribune::test;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

/// What the origin says, and what it was asked. Any thread.
struct Origin {
  std::mutex mutex;
  std::map<std::string, std::string> pages;
  std::map<std::string, int> asked;

  void set(const std::string& url, const std::string& body) {
    const std::lock_guard lock(mutex);
    pages[url] = body;
  }
  int count(const std::string& url) {
    const std::lock_guard lock(mutex);
    return asked[url];
  }
};

class ScriptedClient final : public net::HttpClient {
 public:
  ScriptedClient(net::EventLoop& loop, Origin& origin) : loop_(loop), origin_(origin) {}

  std::unique_ptr<net::Fetch> start(net::FetchRequest request, net::FetchHandlers handlers) override {
    struct Running final : net::Fetch {
      std::shared_ptr<net::FetchHandlers> handlers;
      ~Running() override { handlers->on_done = nullptr; }
      void resume() override {}
    };
    auto running = std::make_unique<Running>();
    running->handlers = std::make_shared<net::FetchHandlers>(std::move(handlers));
    std::optional<std::string> body;
    {
      const std::lock_guard lock(origin_.mutex);
      ++origin_.asked[request.url];
      if (const auto found = origin_.pages.find(request.url); found != origin_.pages.end()) body = found->second;
    }
    loop_.post([handlers = running->handlers, url = request.url, body] {
      if (!handlers->on_done) return;
      net::FetchHead head;
      head.status = body ? 200 : 404;
      head.final_uri = *http::parse_uri(url);
      handlers->on_head(head);
      if (body) handlers->on_body(*body);
      const auto done = std::move(handlers->on_done);
      done({});
    });
    return running;
  }

 private:
  net::EventLoop& loop_;
  Origin& origin_;
};

struct Machine {
  net::EventLoop loop;
  ScriptedClient client;
  explicit Machine(Origin& origin) : client(loop, origin) {}
};

/// Two workers: the test asks from the first, the second runs on its own thread.
struct Scene {
  std::filesystem::path folder;
  base::ManualClock clock;
  base::Log log{silent()};
  base::Metrics metrics;
  Origin origin;
  Machine first{origin}, second{origin};
  std::vector<std::unique_ptr<runtime::Worker>> workers;
  std::unique_ptr<runtime::Services> services;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<Sources> sources;
  std::thread thread;

  explicit Scene(const std::string& id = base::random_id(8)) : folder(std::filesystem::temp_directory_path() / ("sources-" + id)) {
    workers.push_back(std::make_unique<runtime::Worker>(runtime::Worker{0, first.loop, first.client}));
    workers.push_back(std::make_unique<runtime::Worker>(runtime::Worker{1, second.loop, second.client}));
    services = std::make_unique<runtime::Services>(runtime::Services{clock, log, metrics, workers});
    begin();
  }
  ~Scene() {
    end();
    std::filesystem::remove_all(folder);
  }
  void begin() {
    store::StoreOptions options;
    options.directory = folder.string();
    options.tables = {std::string(kTimelinesTable)};
    options.batch_window = 1ms;
    options.format = "test 1";
    auto opened = store::Store::open(options, log);
    REQUIRE(opened);
    store = std::move(*opened);
    sources = std::make_unique<Sources>(*services, *store, SourceSettings{});
    REQUIRE(sources->load());
    thread = std::thread([this] { second.loop.run(); });
  }
  void end() {
    second.loop.stop();
    if (thread.joinable()) thread.join();
    sources.reset();
    store.reset();
  }

  std::vector<contracts::Channel> channels;
  void add(const std::string& id, const std::string& source) {
    contracts::Channel channel;
    channel.id = id;
    channel.source = source;
    channels.push_back(channel);
  }
  void configure(const std::string& key = "k1") {
    auto event = std::make_shared<contracts::Event>();
    event->channels = channels;
    sources->configure(event, std::make_shared<base::KeyRing>(std::vector<base::SigningKey>{{key, "0123456789abcdef", std::nullopt}}));
  }
  /// The answer, however long it takes; the deadlines of sources stand still with the clock.
  base::Result<PlaylistAnswer> get(const std::string& channel, const std::string& path, const std::string& query = "") {
    std::optional<base::Result<PlaylistAnswer>> answer;
    const auto asking = sources->ask(*workers[0], {channel, path, query}, [&](auto found) {
      answer = std::move(found);
      first.loop.post([this] { first.loop.stop(); });
    });
    first.loop.run();
    REQUIRE(answer);
    return *answer;
  }
  std::string text(const std::string& channel, const std::string& path, const std::string& query = "") {
    const auto answer = get(channel, path, query);
    if (!answer) FAIL(answer.error().text);
    return *answer->snapshot->render({})->body;
  }
};

const std::string kMain = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/a.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nv/a.m3u8?q=2\n";

void publish(Origin& origin, const std::string& base = "http://o/live/") {
  origin.set(base + "main.m3u8", kMain);
  origin.set(base + "v/a.m3u8", live_text(5, 8, "one"));
  origin.set(base + "v/a.m3u8?q=2", live_text(5, 8, "two"));
}

}  // namespace

TEST_CASE("playlists that the multivariant one names are served, from memory after the first time, on every worker") {
  Scene s;
  publish(s.origin);
  for (const std::string id : {"a", "b", "c", "d"}) s.add(id, "http://o/live/main.m3u8");
  s.configure();
  for (const std::string id : {"a", "b", "c", "d"}) {
    CHECK(s.text(id, "index.m3u8") == kMain);
    CHECK(s.text(id, "v/a.m3u8").find("one5.ts?tl=") != std::string::npos);
    CHECK(s.text(id, "v/a.m3u8", "q=2&_HLS_skip=YES&cache=x").find("two5.ts?tl=") != std::string::npos);
    const auto again = s.get(id, "v/a.m3u8");
    CHECK_FALSE(again->waited);
  }
  CHECK(s.origin.count("http://o/live/v/a.m3u8") == 4);
}

TEST_CASE("a media playlist can be asked for first, and what nobody names is unknown") {
  Scene s;
  publish(s.origin);
  s.origin.set("http://o/live/secret.m3u8", live_text(1, 2));
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  CHECK(s.text("demo", "v/a.m3u8").find("one5.ts") != std::string::npos);
  for (const std::string path : {"secret.m3u8", "main.m3u8", "v/../secret.m3u8", "~0/live/secret.m3u8", "~media.m3u8", ""}) {
    CAPTURE(path);
    const auto answer = s.get("demo", path);
    REQUIRE_FALSE(answer);
    CHECK(problem_of(answer.error()).status == 404);
  }
  CHECK(s.origin.count("http://o/live/secret.m3u8") == 0);
  CHECK(s.origin.count("http://o/live/main.m3u8") == 1);
  CHECK(problem_of(s.get("none", "index.m3u8").error()).status == 404);
}

TEST_CASE("a source without a multivariant playlist is served under one") {
  Scene s;
  s.origin.set("http://o/live/index.m3u8", live_text(5, 8));
  s.add("demo", "http://o/live/index.m3u8");
  s.configure();
  CHECK(s.text("demo", "index.m3u8").find("\n~media.m3u8\n") != std::string::npos);
  CHECK(s.text("demo", "~media.m3u8").find("seg5.ts?tl=") != std::string::npos);
}

TEST_CASE("the text of what is listed outlives the process, a rotated key, and another day") {
  Scene s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  const auto before = s.text("demo", "v/a.m3u8");
  s.configure("k2");
  CHECK(s.text("demo", "v/a.m3u8") == before);
  s.end();
  s.clock.advance(7h);
  s.begin();
  s.configure();
  CHECK(s.text("demo", "v/a.m3u8") == before);
}

TEST_CASE("an ended playlist gets new links before the old ones expire") {
  Scene s;
  publish(s.origin);
  s.origin.set("http://o/live/v/a.m3u8", live_text(0, 2, "end") + "#EXT-X-ENDLIST\n");
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  const auto before = s.text("demo", "v/a.m3u8");
  s.end();
  s.clock.advance(20h);
  s.begin();
  s.configure();
  const auto after = s.text("demo", "v/a.m3u8");
  CHECK(after != before);
  CHECK(after.find("end0.ts?tl=") != std::string::npos);
}

TEST_CASE("a restart of the source while the balancer is away opens a new epoch above the old numbers") {
  Scene s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  s.text("demo", "v/a.m3u8");
  s.end();
  s.origin.set("http://o/live/v/a.m3u8", live_text(0, 2, "new"));
  s.begin();
  s.configure();
  const auto text = s.text("demo", "v/a.m3u8");
  CHECK(text.find("#EXT-X-MEDIA-SEQUENCE:8\n") != std::string::npos);
  CHECK(text.find("#EXT-X-DISCONTINUITY-SEQUENCE:1\n") != std::string::npos);
}

TEST_CASE("a channel with a new source begins anew, one that is gone is unknown") {
  Scene s;
  publish(s.origin);
  publish(s.origin, "http://p/tv/");
  s.add("demo", "http://o/live/main.m3u8");
  s.add("gone", "http://o/live/main.m3u8");
  s.configure();
  s.text("demo", "v/a.m3u8");
  s.channels = {};
  s.add("demo", "http://p/tv/main.m3u8");
  s.configure();
  CHECK_FALSE(s.get("demo", "unknown.m3u8"));   // asks the owner, so the new source is in force now
  CHECK(s.text("demo", "index.m3u8") == kMain);
  CHECK(s.origin.count("http://p/tv/main.m3u8") == 1);
  CHECK(problem_of(s.get("gone", "index.m3u8").error()).status == 404);
}

TEST_CASE("who stops waiting is not called, and a drain refuses nobody") {
  Scene s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  int called = 0;
  {
    const auto asking = s.sources->ask(*s.workers[0], {"demo", "index.m3u8", ""}, [&](auto) { ++called; });
  }
  s.sources->drain();
  CHECK(s.get("demo", "v/a.m3u8"));
  s.first.loop.post([&] { s.first.loop.stop(); });
  s.first.loop.run();
  CHECK(called == 0);
}

TEST_CASE("bad reload directives are the client's fault") {
  Scene s;
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  CHECK(problem_of(s.get("demo", "index.m3u8", "_HLS_part=1").error()).status == 400);
}

TEST_CASE("a channel that holds reloads offers it, and reads what they name; an ended playlist has nothing to hold") {
  const std::string offer = "#EXTM3U\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n";
  Scene s;
  publish(s.origin);
  s.origin.set("http://o/live/v/a.m3u8?q=2", live_text(5, 8, "two") + "#EXT-X-ENDLIST\n");
  for (const std::string id : {"held", "plain"}) s.add(id, "http://o/live/main.m3u8");
  s.channels.front().blocking_reload = true;
  s.configure();
  CHECK(s.text("held", "v/a.m3u8").starts_with(offer));
  CHECK(s.text("held", "v/a.m3u8", "_HLS_msn=7").starts_with(offer));
  CHECK(problem_of(s.get("held", "v/a.m3u8", "_HLS_msn=10").error()).status == 400);
  CHECK_FALSE(s.text("held", "v/a.m3u8", "q=2").starts_with(offer));
  CHECK_FALSE(s.text("plain", "v/a.m3u8").starts_with(offer));
  CHECK(s.get("plain", "v/a.m3u8", "_HLS_msn=10"));
}

TEST_CASE("the status names every playlist that was asked for") {
  Scene s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  s.text("demo", "v/a.m3u8");
  base::json::Writer w;
  w.begin_object();
  s.sources->describe(w);
  w.end_object();
  const auto value = base::json::parse(w.text());
  REQUIRE(value);
  CHECK(value->find("sources")->array.size() == 2);
  CHECK(s.metrics.scrape().find("tribune_balancer_source_refreshes_total{channel=\"demo\",result=\"new\"} 2") != std::string::npos);
  CHECK(s.metrics.scrape().find("tribune_balancer_source_age_seconds{channel=\"demo\"} 0") != std::string::npos);
}
