// Playlists whose text does not change get new links before the old ones expire.
#include <doctest/doctest.h>

#include "balancer/sources_fixture.h"

using namespace tribune;
using namespace tribune::test;
using namespace std::chrono_literals;

namespace {

struct LinkRenewal : SourcesFixture {
  static constexpr std::chrono::hours kLifetime{6};

  LinkRenewal() {
    origin.set("http://o/live/main.m3u8",
               "#EXTM3U\n#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"key.bin\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/a.m3u8\n");
    add("demo", "http://o/live/main.m3u8");
    channels.back().link_lifetime = kLifetime;
    configure();
  }
  void use(const std::string& media) {
    origin.set("http://o/live/v/a.m3u8", media);
    text("demo", "index.m3u8");
  }
  /// The expiry of the first link, in Unix seconds.
  std::int64_t expiry(const std::string& playlist) {
    const auto text = this->text("demo", playlist);
    const auto at = text.find('.', text.find("tl="));
    return std::stoll(text.substr(at + 1));
  }
  std::int64_t now() { return base::unix_seconds(clock.wall_now()); }
};

}  // namespace

TEST_CASE_FIXTURE(LinkRenewal, "the links of a multivariant playlist last for half of their lifetime at least") {
  use(live_text(5, 8));
  const auto before = expiry("index.m3u8");
  for (int quarter = 0; quarter < 12; ++quarter) {
    clock.advance(kLifetime / 4);
    CHECK(expiry("index.m3u8") >= now() + std::chrono::seconds(kLifetime / 2).count());
  }
  CHECK(expiry("index.m3u8") > before);
}

TEST_CASE_FIXTURE(LinkRenewal, "the links of a live playlist keep their text while they are listed") {
  use(live_text(5, 8));
  const auto before = expiry("v/a.m3u8");
  for (int quarter = 0; quarter < 12; ++quarter) {
    clock.advance(kLifetime / 4);
    CHECK(expiry("v/a.m3u8") == before);
  }
}
