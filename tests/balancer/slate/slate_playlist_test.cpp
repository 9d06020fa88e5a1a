#include "balancer/slate/slate_playlist.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "balancer/slate/slates.h"
#include "base/log.h"
#include "base/metrics.h"
#include "hls/playlist.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

/// A slate of two renditions, three segments of two seconds, on disk while it is loaded.
std::shared_ptr<const Slate> made_slate(bool fmp4 = true, const std::string& more = "") {
  static int count = 0;
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("slate_test_{}_{}", ::getpid(), ++count);
  std::filesystem::create_directories(folder / "demo" / "r0");
  for (const auto* name : {"r0/init.mp4", "r0/0.m4s", "r0/1.m4s", "r0/2.m4s"})
    std::ofstream(folder / "demo" / name) << name;
  const std::string init = fmp4 ? R"("init":"r0/init.mp4",)" : "";
  const std::string segments =
      R"("segments":[{"file":"r0/0.m4s","ms":2000},{"file":"r0/1.m4s","ms":2000},{"file":"r0/2.m4s","ms":2000}])";
  std::ofstream(folder / "demo" / "slate.json")
      << R"({"slot_ms":2000,"renditions":[{"playlist":"v1/index.m3u8",)" << init << segments
      << R"(},{"playlist":"v2/index.m3u8",)" << init << segments << "}" << more << "]}";
  contracts::Channel channel;
  channel.id = "demo";
  channel.source = "http://origin/live/demo/master.m3u8";
  auto slate = Slate::load(folder, channel);
  std::filesystem::remove_all(folder);
  return slate ? *slate : nullptr;
}

std::string bytes(std::uint64_t value, int count) {
  std::string out;
  for (int i = count - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string slate_box(const std::string& type, const std::string& body) {
  return bytes(8 + body.size(), 4) + type + body;
}

/// A fragment of track 1 at a time of its timescale, 1000.
std::string fragment(std::uint32_t sequence, std::uint64_t time) {
  return slate_box("moof", slate_box("mfhd", bytes(0, 4) + bytes(sequence, 4)) +
                               slate_box("traf", slate_box("tfhd", bytes(0, 4) + bytes(1, 4)) +
                                                     slate_box("tfdt", bytes(1u << 24, 4) + bytes(time, 8)))) +
         slate_box("mdat", "x");
}

/// Three segments of 2,002 ms in slots of two seconds, real boxes.
std::shared_ptr<const Slate> fragmented_slate(const std::string& more = "") {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("slate_test_{}_fragmented", ::getpid());
  std::filesystem::create_directories(folder / "demo");
  const std::string times(8, '\0');
  std::ofstream(folder / "demo" / "init.mp4") << slate_box(
      "moov", slate_box("trak", slate_box("tkhd", bytes(0, 4) + times + bytes(1, 4)) +
                                    slate_box("mdia", slate_box("mdhd", bytes(0, 4) + times + bytes(1'000, 4)))));
  for (std::uint32_t i = 0; i < 3; ++i)
    std::ofstream(folder / "demo" / fmt::format("{}.m4s", i)) << fragment(i + 1, i * 2'002);
  std::ofstream(folder / "demo" / "slate.json")
      << R"({"slot_ms":2000,)" << more
      << R"("renditions":[{"playlist":"v1/index.m3u8","init":"init.mp4","segments":[{"file":"0.m4s","ms":2002},{"file":"1.m4s","ms":2002},{"file":"2.m4s","ms":2002}]}]})";
  contracts::Channel channel;
  channel.id = "demo";
  channel.source = "http://origin/live/demo/master.m3u8";
  auto slate = Slate::load(folder, channel);
  std::filesystem::remove_all(folder);
  return slate ? *slate : nullptr;
}

std::string programme(std::int64_t first, std::int64_t end, const std::string& head = "",
                      std::int64_t discontinuity = 0) {
  auto text = fmt::format(
      "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}"
      "\n{}"
      "#EXT-X-MAP:URI=\"init.mp4\"\n",
      first, discontinuity, head);
  for (auto msn = first; msn < end; ++msn) text += fmt::format("#EXTINF:2,\nseg{}.m4s\n", msn);
  return text;
}

hls::Playlist parsed(const std::string& text) {
  CAPTURE(text);
  auto playlist = hls::parse(text);
  REQUIRE(playlist);
  return std::move(*playlist);
}

/// The URI of each listed MSN, with the discontinuity sequence.
std::map<std::int64_t, std::string> listed(const hls::Playlist& playlist) {
  std::map<std::int64_t, std::string> out;
  for (const auto& segment : playlist.segments)
    out[segment.msn] = fmt::format("{} {}", playlist.uris[segment.uri_use].uri, segment.discontinuity_sequence);
  return out;
}

/// Checks what a player may see after `before`: numbers that do not go back, and the same text for the same number.
void check_continues(const hls::Playlist& before, const hls::Playlist& after) {
  CHECK(after.media_sequence >= before.media_sequence);
  CHECK(after.end_msn() >= before.end_msn());
  CHECK(after.discontinuity_sequence >= before.discontinuity_sequence);
  const auto old = listed(before), now = listed(after);
  for (const auto& [msn, what] : now)
    if (const auto known = old.find(msn); known != old.end()) CHECK(known->second == what);
}

}  // namespace

TEST_CASE("slots follow the time, and each begins where the previous one ends") {
  const auto t = begin_of_slot(2s, 1'000);
  CHECK(slot_at(2s, t) == 1'000);
  CHECK(slot_at(2s, t - 1ms) == 999);
  CHECK(slot_at(2s, t + 1'999ms) == 1'000);
}

TEST_CASE("waiting viewers see a live playlist that only grows, with a discontinuity where the loop restarts") {
  const auto slate = made_slate();
  REQUIRE(slate);
  auto before = parsed(slate_text(*slate, slate->renditions()[0], 1'000));
  CHECK(before.segments.size() == kSlateWindow);
  CHECK(before.target_duration == 2s);
  for (std::int64_t end = 1'001; end < 1'020; ++end) {
    auto after = parsed(slate_text(*slate, slate->renditions()[0], end));
    CHECK(after.end_msn() == end);
    check_continues(before, after);
    for (const auto& segment : after.segments) {
      CHECK(segment.discontinuities == (segment.msn % 3 == 0 ? 1 : 0));
      CHECK(segment.discontinuity_sequence == segment.msn / 3);
      CHECK(after.uris[segment.uri_use].uri == fmt::format("{}r0/{}.m4s", slate->base_path(), segment.msn % 3));
    }
    before = std::move(after);
  }
}

TEST_CASE(
    "a slate of fragmented MP4 is one timeline: each slot has its URL and time, and no time stamp jumps at the loop") {
  const auto slate = fragmented_slate();
  REQUIRE(slate);
  REQUIRE(slate->is_continuous());
  CHECK_FALSE(made_slate()->is_continuous());
  for (std::int64_t slot = 999; slot < 1'006; ++slot) {
    const auto path = slate->path_in(slot, slate->renditions()[0]);
    CHECK(path == fmt::format("{}slot-{}/{}.m4s", slate->base_path(), slot, slot % 3));
    const auto read = read_slot_path(std::string_view(path).substr(slate->base_path().size()));
    REQUIRE(read);
    CHECK(read->slot == slot);
    const auto file = slate->file_in(slot, read->file);
    REQUIRE(file);
    CHECK(*file->body == fragment(static_cast<std::uint32_t>(slot) + 1, static_cast<std::uint64_t>(slot) * 2'000));
    CHECK(file->etag != slate->file(read->file)->etag);
    CHECK_FALSE(slate->file_in(slot + 1, read->file));
  }
  const auto text = slate_text(*slate, slate->renditions()[0], 1'003);
  CHECK(text.find("#EXT-X-DISCONTINUITY\n") == std::string::npos);
  CHECK(text.find("#EXT-X-DISCONTINUITY-SEQUENCE:0\n") != std::string::npos);
  for (const auto* bad : {"slot-/0.m4s", "slot-1", "slot--1/0.m4s", "slot-99999999999999999999/0.m4s", "0.m4s"})
    CHECK_FALSE(read_slot_path(bad));
}

TEST_CASE("with the programme's timeline the slate ends near the begin of the programme's newest segment") {
  const auto listed = begin_of_slot(2s, 1'000) + 700ms;
  const auto slate = fragmented_slate(
      fmt::format(R"("time_line":{{"unix_ms":{},"media_ms":50000}},)",
                  std::chrono::duration_cast<std::chrono::milliseconds>(listed.time_since_epoch()).count()));
  REQUIRE(slate);
  CHECK(*slate->file_in(1'001, "2.m4s")->body == fragment(1'002, 50'000));
  CHECK(*slate->file_in(1'002, "0.m4s")->body == fragment(1'003, 52'000));
  // Before the begin of the programme there is no time.
  CHECK(*slate->file_in(0, "0.m4s")->body == fragment(1, 0));
  CHECK_FALSE(fragmented_slate(R"("time_line":{"unix_ms":1},)"));
  CHECK_FALSE(fragmented_slate(R"("time_line":{"unix_ms":1,"media_ms":-1},)"));
}

TEST_CASE("a continuous slate has one discontinuity, which leads into the programme") {
  const auto slate = fragmented_slate();
  const auto& rendition = slate->renditions()[0];
  auto before = parsed(slate_text(*slate, rendition, 1'001));
  const auto transition = transition_at(*slate, 1'000, programme(500, 506));
  REQUIRE(transition);
  CHECK(transition->discontinuity == 1);
  for (std::int64_t end = 506; end < 516; ++end) {
    const auto text = text_after_transition(slate.get(), &rendition, *transition, programme(end - 6, end));
    REQUIRE(text);
    auto after = parsed(*text);
    check_continues(before, after);
    for (const auto& segment : after.segments)
      CHECK(segment.discontinuity_sequence == (segment.msn < transition->slot ? 0 : 1));
    before = std::move(after);
  }
}

TEST_CASE("the playlist of a called viewer changes to the programme, and no number goes back") {
  const auto slate = made_slate();
  const auto& rendition = slate->renditions()[0];
  for (const std::int64_t start : {1'000, 1'001, 1'002}) {
    auto before = parsed(slate_text(*slate, rendition, start + 1));
    const auto transition = transition_at(*slate, start, programme(500, 506));
    REQUIRE(transition);
    CHECK(transition->msn == 505);
    CHECK(transition->slot == start + 1);
    for (std::int64_t end = 506; end < 530; ++end) {
      const auto text = text_after_transition(slate.get(), &rendition, *transition, programme(end - 6, end));
      REQUIRE(text);
      auto after = parsed(*text);
      check_continues(before, after);
      CHECK(after.end_msn() == end + transition->msn_shift());
      CHECK(after.target_duration == 2s);
      CHECK(after.segments.size() == kSlateWindow);
      for (const auto& segment : after.segments) {
        const auto& uri = after.uris[segment.uri_use].uri;
        if (segment.msn < transition->slot)
          CHECK(uri.find("/slate/demo/") == 0);
        else
          CHECK(uri == fmt::format("seg{}.m4s", segment.msn - transition->msn_shift()));
        if (segment.msn == transition->slot && segment.msn != after.media_sequence) CHECK(segment.discontinuities == 1);
      }
      before = std::move(after);
    }
    for (const auto& segment : before.segments) CHECK(segment.discontinuity_sequence == transition->discontinuity);
  }
}

TEST_CASE("a rendition that is behind that of the transition shows the slate to its end") {
  const auto slate = made_slate();
  const SlateTransition transition{1'001, 505, 334, 0};
  const auto text = text_after_transition(slate.get(), &slate->renditions()[1], transition, programme(499, 505));
  REQUIRE(text);
  CHECK(*text == slate_text(*slate, slate->renditions()[1], 1'001));
}

TEST_CASE("a programme with a long window shows nothing from before the transition") {
  const auto slate = made_slate();
  const SlateTransition transition{1'001, 505, 334, 0};
  const auto text = text_after_transition(slate.get(), &slate->renditions()[0], transition, programme(100, 600));
  REQUIRE(text);
  const auto playlist = parsed(*text);
  CHECK(playlist.media_sequence == 1'001);
  CHECK(playlist.uris[playlist.segments.front().uri_use].uri == "seg505.m4s");
  CHECK(text->find("/slate/") == std::string::npos);
}

TEST_CASE("the programme's discontinuities and key IVs keep their meaning under the new numbers") {
  const auto slate = made_slate();
  const SlateTransition transition{1'001, 505, 334, 7};
  const auto text = text_after_transition(slate.get(), &slate->renditions()[0], transition,
                                          programme(505, 530, "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n", 7));
  REQUIRE(text);
  const auto playlist = parsed(*text);
  CHECK(playlist.media_sequence == 1'001);
  CHECK(playlist.segments.front().discontinuity_sequence == 334);
  CHECK(text->find(fmt::format("IV=0x{:032x}", 505)) != std::string::npos);
}

TEST_CASE("without a slate, as after its folder was emptied, a viewer keeps the numbers of the transition") {
  const SlateTransition transition{1'001, 505, 334, 0};
  const auto text = text_after_transition(nullptr, nullptr, transition, programme(505, 511));
  REQUIRE(text);
  const auto playlist = parsed(*text);
  CHECK(playlist.media_sequence == 1'001);
  CHECK(playlist.segments.size() == 6);
}

TEST_CASE("a slate of MPEG-TS precedes a programme of MPEG-TS") {
  const auto slate = made_slate(false);
  const SlateTransition transition{1'001, 505, 334, 0};
  auto text = programme(500, 506);
  text.erase(text.find("#EXT-X-MAP"), std::string_view("#EXT-X-MAP:URI=\"init.mp4\"\n").size());
  const auto after = text_after_transition(slate.get(), &slate->renditions()[0], transition, text);
  REQUIRE(after);
  CHECK(after->find("EXT-X-MAP") == std::string::npos);
  CHECK(parsed(*after).segments.size() == kSlateWindow);
}

TEST_CASE("a slate of another format than the programme is dropped at the transition") {
  const auto slate = made_slate(true);
  const SlateTransition transition{1'001, 505, 334, 0};
  auto text = programme(500, 506);
  text.erase(text.find("#EXT-X-MAP"), std::string_view("#EXT-X-MAP:URI=\"init.mp4\"\n").size());
  const auto after = text_after_transition(slate.get(), &slate->renditions()[0], transition, text);
  REQUIRE(after);
  CHECK(parsed(*after).media_sequence == 1'001);
}

TEST_CASE("slots listed before a step of the clock are served after it, and slots never listed are not") {
  const auto slate = made_slate();
  base::ManualClock clock{base::WallTime{1'750'000'000s}};
  base::LogSettings quiet;
  quiet.level = base::LogLevel::error;
  base::Log log{quiet};
  base::Metrics metrics;
  Slates slates(clock, log, metrics, std::make_shared<RenderedPlaylists>(clock, metrics, kRenderedBytes));
  const auto before = slates.slot(*slate);
  clock.step_wall(1h);
  const auto after = slates.slot(*slate);
  CHECK(after == before + 1h / slate->slot());
  for (const auto listed : {before - 5, before, after - 5, after, after + 1}) CHECK(slates.is_listed(*slate, listed));
  for (const auto never : {before - 200, (before + after) / 2, after + 2}) CHECK_FALSE(slates.is_listed(*slate, never));
}

TEST_CASE("a programme within its channel's limits is accepted, however long its links made it") {
  const auto slate = made_slate();
  const auto text = programme(1, 110'000);
  hls::Limits limits;
  limits.max_lines = 300'000;
  limits.max_bytes = text.size() / 2;  // the bound applies to the source, and links are longer
  const auto transition = transition_at(*slate, 1'000, text, limits);
  REQUIRE(transition);
  CHECK(transition->msn == 109'999);
  const auto after = text_after_transition(slate.get(), &slate->renditions()[0], {1'001, 505, 334, 0}, text, limits);
  REQUIRE(after);
  CHECK(after->find("seg109999.m4s") != std::string::npos);
  limits.max_rewritten_bytes = 64 * 1024;
  CHECK(text_after_transition(slate.get(), &slate->renditions()[0], {1'001, 505, 334, 0}, text, limits));
}

TEST_CASE("a programme with a long key is accepted, however often the key is restated") {
  const auto slate = made_slate();
  auto text = programme(1, 2'000);
  text.insert(text.find("#EXTINF"), "#EXT-X-KEY:METHOD=AES-128,URI=\"" + std::string(800, 'k') + "\"\n");
  hls::Limits limits;
  limits.max_rewritten_bytes = 64 * 1024;
  const auto after = text_after_transition(slate.get(), &slate->renditions()[0], {1'001, 505, 334, 0}, text, limits);
  REQUIRE(after);
  CHECK(after->find("seg1999.m4s") != std::string::npos);
}

TEST_CASE("a blocking reload uses the viewer's numbers") {
  const SlateTransition transition{1'001, 505, 334, 0};
  CHECK(query_after_transition("_HLS_msn=1003&_HLS_part=1&a=b", transition) == "_HLS_msn=507&_HLS_part=1&a=b");
  CHECK(query_after_transition("_HLS_msn=x", transition) == "_HLS_msn=x");
  CHECK(query_after_transition("", transition) == "");
}

TEST_CASE("a slate whose renditions differ in length, or that names files elsewhere, is refused") {
  CHECK_FALSE(made_slate(true, R"(,{"playlist":"v3/index.m3u8","segments":[{"file":"r0/0.m4s","ms":2000}]})"));
  CHECK_FALSE(made_slate(
      true,
      R"(,{"playlist":"v3/index.m3u8","segments":[{"file":"../x","ms":2000},{"file":"a","ms":2000},{"file":"b","ms":2000}]})"));
  CHECK(made_slate()->rendition("v2/index.m3u8"));
  CHECK_FALSE(made_slate()->rendition("v3/index.m3u8"));
}
