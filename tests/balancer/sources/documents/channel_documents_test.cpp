#include "balancer/sources/documents/channel_documents.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "balancer/sources/rendered_playlists.h"
#include "balancer/sources/source_channel.h"
#include "base/ids.h"
#include "contracts/keys.h"
#include "support/scripted_client.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::test;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

struct DocumentsFixture {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("documents-" + base::random_id(8));
  base::ManualClock clock;
  base::Log log{silent()};
  base::Metrics metrics;
  net::EventLoop loop;
  std::map<std::string, ScriptedResponse> pages;  // of the origin; other URLs get 404
  bool holds = false;                             // the origin does not respond
  ScriptedClient client{loop, [this](const net::FetchRequest& request) -> std::optional<ScriptedResponse> {
                          if (holds) return std::nullopt;
                          const auto found = pages.find(request.url);
                          return found == pages.end() ? ScriptedResponse{404} : found->second;
                        }};
  std::vector<std::unique_ptr<runtime::Worker>> workers;
  std::unique_ptr<runtime::Services> services;
  std::unique_ptr<store::Store> store;
  std::shared_ptr<ChannelSlot> slot = std::make_shared<ChannelSlot>();
  std::unique_ptr<SourceChannel> channel;
  contracts::Channel config;

  DocumentsFixture() {
    workers.push_back(std::make_unique<runtime::Worker>(runtime::Worker{0, loop, client}));
    services = std::make_unique<runtime::Services>(runtime::Services{clock, log, metrics, workers});
    store::StoreOptions options;
    options.directory = folder.string();
    options.tables = {std::string(kTimelinesTable)};
    options.format = "test 1";
    auto opened = store::Store::open(options, log);
    REQUIRE(opened);
    store = std::move(*opened);
    slot->id = slot->label = config.id = "demo";
    config.source = "http://o/live/main.m3u8";
    config.extra_origins = {"http://steer"};
    SourceSettings settings;
    settings.rendered = std::make_shared<RenderedPlaylists>(clock, metrics, kRenderedBytes);
    channel = std::make_unique<SourceChannel>(*services, *workers[0], *store, settings, slot);
    configure();
  }
  ~DocumentsFixture() {
    channel.reset();
    store.reset();
    std::filesystem::remove_all(folder);
  }
  void configure() { channel->configure(config, std::make_shared<base::KeyRing>(one_key())); }

  void run() {
    loop.post([this] { loop.post([this] { loop.stop(); }); });
    loop.run();
  }
  /// The text, or "{kind} {fault}" of the error.
  std::string get(const DocumentName& name, const std::string& query = "") {
    std::string said = "nothing";
    channel->documents().request(name, query, [&](base::Result<DocumentPtr> document) {
      said = document ? (*document)->text(">") : word_of(document.error());
    });
    run();
    return said;
  }
  static std::string word_of(const base::Error& error) {
    return fmt::format("{} {}", base::to_string(error.kind), static_cast<int>(error.fault));
  }
  std::size_t fetches() { return client.count(); }
};

const DocumentName kList{DocumentKind::asset_list, {"l.json", ""}};
const DocumentName kSteering{DocumentKind::steering, {"~1/s", "a=1"}};
const DocumentName kData{DocumentKind::raw, {"d.bin", ""}};
const std::string kAssets = R"({"ASSETS":[{"URI":"ad/main.m3u8"}]})";

}  // namespace

TEST_CASE("concurrent requests of a document share one fetch, and later ones are served from memory") {
  DocumentsFixture s;
  s.pages["http://o/live/l.json"] = {200, kAssets};
  int answered = 0;
  for (int i = 0; i < 50; ++i)
    s.channel->documents().request(kList, "", [&](auto document) { answered += document ? 1 : 0; });
  s.run();
  CHECK(answered == 50);
  CHECK(s.get(kList) == R"({"ASSETS":[{"URI":">ad/main.m3u8"}]})");
  CHECK(s.fetches() == 1);
  s.clock.advance(3s);
  s.get(kList);
  CHECK(s.fetches() == 2);
}

TEST_CASE("the origin determines how long a document is cached, within a bound for each kind") {
  struct Row {
    DocumentName name;
    std::string control;
    std::chrono::seconds kept, gone;
  };
  const std::vector<Row> table{
      {kList, "max-age=30", 29s, 31s},           {kList, "max-age=3600", 59s, 61s},   {kList, "no-store", -1s, 0s},
      {kList, "private, max-age=9", -1s, 0s},    {kSteering, "max-age=3600", 4s, 6s}, {kSteering, "max-age=1", 0s, 2s},
      {kData, "s-maxage=10, max-age=1", 9s, 11s}};
  for (const auto& row : table) {
    CAPTURE(row.control);
    DocumentsFixture s;
    for (const std::string url : {"http://o/live/l.json", "http://steer/s?a=1", "http://o/live/d.bin"})
      s.pages[url] = {200, R"({"ASSETS":[],"TTL":300})", {{"Cache-Control", row.control}}};
    s.get(row.name);
    if (row.kept >= 0s) {
      s.clock.advance(row.kept);
      s.get(row.name);
      CHECK(s.fetches() == 1);
    }
    s.clock.advance(row.gone - std::max(row.kept, 0s));
    s.get(row.name);
    CHECK(s.fetches() == 2);
  }
}

TEST_CASE("the keys that the origin needs of a player's query are forwarded, and each value is a document of its own") {
  DocumentsFixture s;
  s.pages["http://steer/s?a=1&_HLS_pathway=A"] = {200, R"({"VERSION":1,"PATHWAY-PRIORITY":["A"]})"};
  s.pages["http://steer/s?a=1&_HLS_pathway=B"] = {200, R"({"VERSION":1,"PATHWAY-PRIORITY":["B"]})"};
  CHECK(s.get(kSteering, "_HLS_pathway=A") == R"({"VERSION":1,"PATHWAY-PRIORITY":["A"]})");
  CHECK(s.get(kSteering, "_HLS_pathway=B") == R"({"VERSION":1,"PATHWAY-PRIORITY":["B"]})");
}

TEST_CASE("the RELOAD-URI is requested, and the playlist's URI again when that fails") {
  DocumentsFixture s;
  s.pages["http://steer/s?a=1"] = {200, R"({"VERSION":1,"TTL":1,"RELOAD-URI":"/next?n=2"})"};
  s.pages["http://steer/next?n=2"] = {200, R"({"VERSION":1,"TTL":1,"X":2,"RELOAD-URI":"/gone"})"};
  CHECK(s.get(kSteering) == R"({"VERSION":1,"TTL":1})");
  s.clock.advance(2s);
  CHECK(s.get(kSteering) == R"({"VERSION":1,"TTL":1,"X":2})");
  s.clock.advance(2s);
  s.get(kSteering);  // served from memory, while the origin does not have it
  s.clock.advance(2s);
  s.get(kSteering);
  std::vector<std::string> urls;
  for (const auto& request : s.client.requests()) urls.push_back(request.url);
  CHECK(urls == std::vector<std::string>{"http://steer/s?a=1", "http://steer/next?n=2", "http://steer/gone",
                                         "http://steer/s?a=1"});
}

TEST_CASE("a failing origin is not requested again at once, and the last good document is served for the stale time") {
  DocumentsFixture s;
  s.config.stale_time = 1min;
  s.configure();
  s.pages["http://o/live/l.json"] = {500, "down"};
  CHECK(s.get(kList) == "unavailable 2");
  CHECK(s.get(kList) == "unavailable 2");
  CHECK(s.fetches() == 1);
  s.pages["http://o/live/l.json"] = {200, R"({"ASSETS":[]})"};
  s.clock.advance(2s);
  CHECK(s.get(kList) == R"({"ASSETS":[]})");
  for (const int status : {500, 404, 301}) {
    s.pages["http://o/live/l.json"] = {status, "down"};
    s.clock.advance(3s);
    CHECK(s.get(kList) == R"({"ASSETS":[]})");
  }
  s.clock.advance(1min);
  s.pages.clear();
  CHECK(s.get(kList) == "not_found 0");
  s.pages["http://o/live/l.json"] = {200, "<html>"};
  s.clock.advance(2s);
  CHECK(s.get(kList) == "invalid_input 2");
}

TEST_CASE("the playlists of an asset list can be requested as long as viewers may use the list, and no others") {
  DocumentsFixture s;
  s.pages["http://o/live/main.m3u8"] = {200, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"};
  s.pages["http://o/live/l.json"] = {200, kAssets};
  const auto knows = [&](const std::string& key) { return s.slot->playlists.get()->count(key) == 1; };
  CHECK_FALSE(knows("ad/main.m3u8"));
  s.get(kList);
  CHECK(knows("ad/main.m3u8"));
  for (int i = 0; i < 5; ++i) {
    s.clock.advance(11min);
    s.channel->register_assets({});
    std::vector<NamedPlaylist> none;
    s.channel->register_playlists("index.m3u8", none, 1, {});  // removes old playlists
    CHECK(knows("ad/main.m3u8"));
  }
  s.clock.advance(20min);
  std::vector<NamedPlaylist> none;
  s.channel->register_playlists("index.m3u8", none, 1, {});
  s.clock.advance(20min);
  s.channel->register_playlists("index.m3u8", none, 1, {});
  CHECK_FALSE(knows("ad/main.m3u8"));
}

TEST_CASE("asset lists with ever new playlists evict no other playlists") {
  DocumentsFixture s;
  std::vector<NamedPlaylist> own;
  for (int i = 0; i < 100; ++i)
    own.push_back({fmt::format("v{}.m3u8", i), "", *http::parse_uri(fmt::format("http://o/live/v{}.m3u8", i)),
                   hls::UriKind::variant});
  s.channel->register_playlists("index.m3u8", own, 1, {});
  for (int i = 0; i < 6'000;) {
    std::vector<NamedPlaylist> assets;
    for (const int end = i + 20; i < end; ++i) {
      const auto path = fmt::format("ad{}.m3u8", i);
      assets.push_back({path, "", *http::parse_uri("http://o/live/" + path), hls::UriKind::asset_uri});
    }
    s.clock.advance(20ms);
    s.channel->register_assets(assets);
  }
  const auto known = s.slot->playlists.get();
  CHECK(known->size() <= kMaxPlaylists);
  CHECK(known->count("v0.m3u8") == 1);
  CHECK(known->count("ad5999.m3u8") == 1);
}

TEST_CASE("the documents of a channel and their fetches are bounded") {
  DocumentsFixture s;
  for (std::size_t i = 0; i < 3 * kMaxDocuments; ++i) {
    s.pages[fmt::format("http://o/live/d{}.bin", i)] = {200, "x", {{"Cache-Control", "max-age=60"}}};
    CHECK(s.get({DocumentKind::raw, {fmt::format("d{}.bin", i), ""}}) == "x");
  }
  const auto before = s.fetches();
  s.get({DocumentKind::raw, {fmt::format("d{}.bin", 3 * kMaxDocuments - 1), ""}});
  CHECK(s.fetches() == before);
  s.get({DocumentKind::raw, {"d0.bin", ""}});  // was evicted
  CHECK(s.fetches() == before + 1);

  s.holds = true;
  std::vector<std::string> said;
  for (std::size_t i = 0; i < kMaxDocumentFetches + 1; ++i)
    s.channel->documents().request({DocumentKind::raw, {fmt::format("held{}", i), ""}}, "", [&](auto document) {
      said.push_back(document ? "" : DocumentsFixture::word_of(document.error()));
    });
  CHECK(said == std::vector<std::string>{"unavailable 3"});
  s.channel->close({base::ErrorKind::unavailable, base::Fault::tribune, true, "closed"});
  CHECK(said.size() == kMaxDocumentFetches + 1);
}

TEST_CASE("a new source answers waiting requests and drops the documents of the old one") {
  DocumentsFixture s;
  s.pages["http://o/live/d.bin"] = {200, "old", {{"Cache-Control", "max-age=60"}}};
  s.pages["http://p/d.bin"] = {200, "new"};
  CHECK(s.get(kData) == "old");
  s.config.source = "http://p/main.m3u8";
  s.configure();
  CHECK(s.get(kData) == "new");
  CHECK(s.get({DocumentKind::raw, {"~7/x", ""}}) == "not_found 0");
}
