#pragma once
// Sources on two workers, with an origin whose responses a test writes.

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "balancer/playlist_texts.h"
#include "balancer/sources/source_channel.h"
#include "balancer/sources/sources.h"
#include "base/ids.h"
#include "support/scripted_client.h"
#include "support/silent_log.h"

namespace tribune::test {

/// The pages of the origin, and the requests that it received. Any thread.
struct Origin {
  std::mutex mutex;
  std::map<std::string, std::string> pages;
  std::map<std::string, int> requests;

  void set(const std::string& url, const std::string& body) {
    const std::lock_guard lock(mutex);
    pages[url] = body;
  }
  int count(const std::string& url) {
    const std::lock_guard lock(mutex);
    return requests[url];
  }
  ScriptedResponse respond(const net::FetchRequest& request) {
    const std::lock_guard lock(mutex);
    ++requests[request.url];
    const auto found = pages.find(request.url);
    return found == pages.end() ? ScriptedResponse{404} : ScriptedResponse{200, found->second};
  }
};

struct WorkerLoop {
  net::EventLoop loop;
  ScriptedClient client;
  explicit WorkerLoop(Origin& origin)
      : client(loop, [&origin](const net::FetchRequest& request) { return origin.respond(request); }) {}
};

/// Two workers: the test looks up from the first one, the second one runs on its own thread.
struct SourcesFixture {
  std::filesystem::path folder;
  base::ManualClock clock;
  base::Log log{silent()};
  base::Metrics metrics;
  Origin origin;
  WorkerLoop first{origin}, second{origin};
  std::vector<std::unique_ptr<runtime::Worker>> workers;
  std::unique_ptr<runtime::Services> services;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<balancer::Sources> sources;
  std::thread thread;

  explicit SourcesFixture(const std::string& id = base::random_id(8))
      : folder(std::filesystem::temp_directory_path() / ("sources-" + id)) {
    workers.push_back(std::make_unique<runtime::Worker>(runtime::Worker{0, first.loop, first.client}));
    workers.push_back(std::make_unique<runtime::Worker>(runtime::Worker{1, second.loop, second.client}));
    services = std::make_unique<runtime::Services>(runtime::Services{clock, log, metrics, workers});
    begin();
  }
  ~SourcesFixture() {
    end();
    std::filesystem::remove_all(folder);
  }
  void begin() {
    store::StoreOptions options;
    options.directory = folder.string();
    options.tables = {std::string(balancer::kTimelinesTable)};
    options.batch_window = std::chrono::milliseconds{1};
    options.format = "test 1";
    auto opened = store::Store::open(options, log);
    REQUIRE(opened);
    store = std::move(*opened);
    sources = std::make_unique<balancer::Sources>(*services, *store, balancer::SourceSettings{});
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
    channel.stale_time = {};  // an old playlist is fetched again inside get()
    channels.push_back(channel);
  }
  void configure(const std::string& key = "k1") {
    auto event = std::make_shared<contracts::Event>();
    event->channels = channels;
    sources->configure(
        event, std::make_shared<base::KeyRing>(std::vector<base::SigningKey>{{key, "0123456789abcdef", std::nullopt}}));
  }
  /// Waits for the result; the deadlines of sources do not pass while the clock stands still.
  base::Result<balancer::PlaylistAnswer> get(const std::string& channel, const std::string& path,
                                             const std::string& query = "") {
    std::optional<base::Result<balancer::PlaylistAnswer>> answer;
    const auto pending = sources->look_up(*workers[0], {channel, path, query}, [&](auto found) {
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

inline const std::string kMain =
    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/a.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nv/a.m3u8?q=2\n";

inline void publish(Origin& origin, const std::string& base = "http://o/live/") {
  origin.set(base + "main.m3u8", kMain);
  origin.set(base + "v/a.m3u8", live_text(5, 8, "one"));
  origin.set(base + "v/a.m3u8?q=2", live_text(5, 8, "two"));
}

}  // namespace tribune::test
