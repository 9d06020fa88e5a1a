// Channels that a reload, or a start with another configuration, points at another source.
#include <doctest/doctest.h>

#include <algorithm>

#include "balancer/sources_fixture.h"
#include "contracts/epoch.h"

using namespace tribune;
using namespace tribune::test;

namespace {

const std::string kHead = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n";
const std::string kFilm = kHead + "#EXTINF:2.0,\nseg0.ts\n#EXTINF:2.0,\nseg1.ts\n#EXT-X-ENDLIST\n";
const std::string kSequel =
    kHead + "#EXTINF:2.0,\nseg0.ts\n#EXTINF:2.0,\nseg1.ts\n#EXTINF:2.0,\nseg2.ts\n#EXT-X-ENDLIST\n";

struct ReplacedSource : SourcesFixture {
  ReplacedSource() {
    for (const char* base : {"http://o/one/", "http://o/two/", "http://p/one/"})
      origin.set(std::string(base) + "main.m3u8", kMain);
  }
  void publish_at(const std::string& base, const std::string& text) { origin.set(base + "v/a.m3u8", text); }
  void use(const std::string& source, std::vector<std::string> extra_origins = {}) {
    channels = {};
    add("demo", source);
    channels.back().extra_origins = std::move(extra_origins);
    configure();
    CHECK_FALSE(get("demo", "unknown.m3u8"));  // reaches the owner, so the new source is in force now
  }
  void restart() {
    end();
    begin();
  }
  /// The epochs of the listed segments, in order.
  std::vector<std::string> epochs_in(const std::string& text) {
    std::vector<std::string> epochs;
    for (auto at = text.find("?tl="); at != std::string::npos; at = text.find("?tl=", at + 1))
      epochs.push_back(text.substr(at + 4, text.find('.', at) - at - 4));
    REQUIRE_FALSE(epochs.empty());
    return epochs;
  }
  std::vector<std::string> links_in(const std::string& text) {
    std::vector<std::string> links;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
      if (text[at] != '#') links.push_back(text.substr(at, text.find('\n', at) - at));
    return links;
  }
};

contracts::OriginSet origins_at(const std::string& base) { return {base, {}, {}}; }

}  // namespace

TEST_CASE("another source opens an epoch of its own, and what is listed keeps its text") {
  // The former source names its segments relatively, and at a host that the channel does not have any more.
  for (const std::string former : {"one", "http://o/one/v/one"}) {
    CAPTURE(former);
    ReplacedSource s;
    s.publish_at("http://o/one/", live_text(0, 8, former));
    s.publish_at("http://p/one/", live_text(5, 8, "two"));
    s.use("http://o/one/main.m3u8");
    const auto before = s.text("demo", "v/a.m3u8");
    const auto before_links = s.links_in(before);
    REQUIRE(before_links.size() == 8);
    s.use("http://p/one/main.m3u8");
    const auto after = s.text("demo", "v/a.m3u8");
    const auto links = s.links_in(after);
    REQUIRE(links.size() == 8);
    CHECK(std::equal(links.begin(), links.end() - 3, before_links.begin() + 3));
    CHECK(after.find("two5.ts") != std::string::npos);
    const auto epochs = s.epochs_in(after);
    CHECK(contracts::is_epoch_of(origins_at("http://o/one/"), epochs.front()));
    CHECK_FALSE(contracts::is_epoch_of(origins_at("http://p/one/"), epochs.front()));
    CHECK(contracts::is_epoch_of(origins_at("http://p/one/"), epochs.back()));
    CHECK(epochs.front() != epochs.back());
  }
}

TEST_CASE("a film after another with the same names is only the second one") {
  for (const bool restarts : {false, true}) {
    CAPTURE(restarts);
    ReplacedSource s;
    s.publish_at("http://o/one/", kFilm);
    s.publish_at("http://o/two/", kSequel);
    s.use("http://o/one/main.m3u8");
    const auto film = s.links_in(s.text("demo", "v/a.m3u8"));
    CHECK(film.size() == 2);
    if (restarts) s.restart();
    s.use("http://o/two/main.m3u8");
    const auto sequel = s.links_in(s.text("demo", "v/a.m3u8"));
    REQUIRE(sequel.size() == 3);
    for (const auto& link : sequel) CHECK(std::find(film.begin(), film.end(), link) == film.end());
    for (const auto& epoch : s.epochs_in(s.text("demo", "v/a.m3u8")))
      CHECK(contracts::is_epoch_of(origins_at("http://o/two/"), epoch));
  }
}

TEST_CASE("a channel that was removed and comes back with another source is in another epoch") {
  ReplacedSource s;
  s.publish_at("http://o/one/", live_text(5, 8, "seg"));
  s.publish_at("http://o/two/", live_text(5, 8, "seg"));
  s.use("http://o/one/main.m3u8");
  const auto before = s.epochs_in(s.text("demo", "v/a.m3u8"));
  s.channels = {};
  s.configure();
  s.use("http://o/two/main.m3u8");
  const auto text = s.text("demo", "v/a.m3u8");
  CHECK(s.epochs_in(text).back() != before.back());
  CHECK(text.find("#EXT-X-MEDIA-SEQUENCE:8\n") != std::string::npos);
}

TEST_CASE("credentials in the query, backups and further origins do not open an epoch, another set of origins does") {
  ReplacedSource s;
  s.publish_at("http://o/one/", live_text(5, 8, "seg"));
  s.origin.set("http://o/one/main.m3u8?token=2", kMain);
  s.use("http://o/one/main.m3u8", {"http://ads"});
  const auto before = s.text("demo", "v/a.m3u8");
  s.use("http://o/one/main.m3u8?token=2", {"http://ads"});
  CHECK(s.text("demo", "v/a.m3u8") == before);
  s.use("http://o/one/main.m3u8", {"http://ads", "http://keys"});
  CHECK(s.text("demo", "v/a.m3u8") == before);
  s.use("http://o/one/main.m3u8", {"http://keys"});
  s.publish_at("http://o/one/", live_text(6, 9, "seg"));
  CHECK(s.epochs_in(s.text("demo", "v/a.m3u8")).back() != s.epochs_in(before).back());
}

TEST_CASE("a film behind the same URL with another query is believed at once") {
  ReplacedSource s;
  s.origin.set("http://o/one/film.m3u8?id=1", kFilm);
  s.origin.set("http://o/one/film.m3u8?id=2", kHead + "#EXTINF:2.0,\nother0.ts\n#EXT-X-ENDLIST\n");
  s.use("http://o/one/film.m3u8?id=1");
  s.text("demo", "index.m3u8");
  CHECK(s.links_in(s.text("demo", "~media.m3u8")).size() == 2);
  s.use("http://o/one/film.m3u8?id=2");
  s.text("demo", "index.m3u8");
  const auto text = s.text("demo", "~media.m3u8");
  CHECK(s.links_in(text).size() == 1);
  CHECK(text.find("other0.ts") != std::string::npos);
}
