// Which playlists of a channel with hold_end end at once.
#include <doctest/doctest.h>

#include "balancer/sources_fixture.h"

using namespace tribune;
using namespace tribune::test;
using namespace std::chrono_literals;

namespace {

const std::string kEnd = "#EXT-X-ENDLIST\n";

struct HeldEnd : SourcesFixture {
  HeldEnd() {
    publish(origin);
    add("demo", "http://o/live/main.m3u8");
    channels.back().hold_end = 1min;
    configure();
  }
  /// The playlist for the next viewer, `later`, when the origin has that text.
  std::string next(const std::string& path, const std::string& text_at_origin, std::chrono::seconds later = 10s) {
    origin.set("http://o/live/" + path, text_at_origin);
    clock.advance(later);
    return text("demo", path);
  }
  static bool has_end(const std::string& playlist) { return playlist.find(kEnd) != std::string::npos; }
};

const std::string kWithAd =
    "#EXT-X-DATERANGE:ID=\"ad\",CLASS=\"com.apple.hls.interstitial\",START-DATE=\"2026-06-01T12:00:00Z\",X-ASSET-URI="
    "\"ad.m3u8\"\n";

}  // namespace

TEST_CASE_FIXTURE(HeldEnd, "the end of a playlist that was live is held for hold_end") {
  text("demo", "index.m3u8");
  CHECK_FALSE(has_end(next("v/a.m3u8", live_text(5, 8))));
  CHECK_FALSE(has_end(next("v/a.m3u8", live_text(5, 9) + kEnd)));
  CHECK_FALSE(has_end(next("v/a.m3u8", live_text(5, 9) + kEnd, 59s)));
  CHECK(has_end(next("v/a.m3u8", live_text(5, 9) + kEnd, 5s)));
  end();
  begin();
  configure();
  CHECK(has_end(next("v/a.m3u8", live_text(5, 9) + kEnd)));
}

TEST_CASE_FIXTURE(HeldEnd, "a film and an asset of an interstitial end at once") {
  text("demo", "index.m3u8");
  CHECK(has_end(next("v/a.m3u8", live_text(5, 8) + kEnd)));

  origin.set("http://o/live/v/a.m3u8?q=2", live_text(50, 58, "two", kWithAd));
  text("demo", "v/a.m3u8", "q=2");
  CHECK_FALSE(has_end(next("v/ad.m3u8", live_text(0, 2, "ad"))));
  CHECK(has_end(next("v/ad.m3u8", live_text(0, 3, "ad") + kEnd)));
}

TEST_CASE_FIXTURE(HeldEnd, "an operator ends a channel for an hour, also over a restart") {
  text("demo", "index.m3u8");
  CHECK_FALSE(has_end(next("v/a.m3u8", live_text(5, 8))));
  CHECK_FALSE(sources->believe_end("nothing", clock.wall_now() + balancer::kEndBelieved, {}));
  CHECK(sources->believe_end("demo", clock.wall_now() + balancer::kEndBelieved, {}));
  end();
  begin();
  configure();
  CHECK(has_end(next("v/a.m3u8", live_text(5, 9) + kEnd)));
}

TEST_CASE_FIXTURE(HeldEnd, "after the hour an end is held again") {
  CHECK(sources->believe_end("demo", clock.wall_now() + balancer::kEndBelieved, {}));
  text("demo", "index.m3u8");
  CHECK_FALSE(has_end(next("v/a.m3u8", live_text(5, 8), 3'590s)));
  CHECK_FALSE(has_end(next("v/a.m3u8", live_text(5, 9) + kEnd)));
}
