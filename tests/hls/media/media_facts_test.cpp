#include "hls/media/media_facts.h"

#include <doctest/doctest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <random>
#include <string>

#include "base/encoding.h"
#include "hls/media/samples.h"

using namespace tribune;
using namespace tribune::hls;
using namespace tribune::test;

namespace {

std::string bytes_of(std::string_view sample) {
  auto bytes = base::from_base64url(sample);
  REQUIRE(bytes);
  return *bytes;
}

std::string said(const MediaFacts& facts) {
  return fmt::format("{} {}x{} {:.3f}", fmt::join(facts.codecs, ","), facts.width, facts.height, facts.frame_rate);
}

std::string said(std::string_view sample) { return said(media_facts(bytes_of(sample))); }

std::string number(std::uint64_t value, int size) {
  std::string text;
  for (int i = size; i-- > 0;) text.push_back(i < 8 ? static_cast<char>(value >> (8 * i) & 0xff) : '\0');
  return text;
}

std::string box(std::string_view type, const std::string& body) {
  return number(body.size() + 8, 4) + std::string(type) + body;
}

std::string track(std::string_view handler, const std::string& entry) {
  const auto stsd = box("stsd", number(0, 4) + number(1, 4) + entry);
  return box("trak", box("mdia", box("hdlr", number(0, 8) + std::string(handler) + number(0, 12)) +
                                     box("minf", box("stbl", stsd))));
}

/// An init section with one audio track.
std::string sound(std::string_view type, const std::string& boxes = "") {
  return box("moov", track("soun", box(type, std::string(28, '\0') + boxes)));
}

/// An init section with one video track of 640x360.
std::string picture(std::string_view type, const std::string& boxes) {
  return box("moov", track("vide", box(type, std::string(24, '\0') + number(640, 2) + number(360, 2) +
                                                 std::string(50, '\0') + boxes)));
}

std::string hvcc(std::string_view profile_tier_level) {
  return box("hvcC", "\x01" + std::string(profile_tier_level) + std::string(10, '\0'));
}

}  // namespace

TEST_CASE("an fMP4 init section and a fragment have codecs, picture size and frame rate") {
  CHECK(said(kAvcAacMp4) == "avc1.42c00c,mp4a.40.2 320x180 25.000");
  CHECK(said(kAvcMp4) == "avc1.42c028 1920x1080 29.970");
  CHECK(said(kAv1Mp4) == "av01.0.00M.08 320x180 25.000");
  CHECK(said(kVp9Mp4) == "vp09.00.11.08 320x180 25.000");
  CHECK(said(kOpusMp4) == "opus 0x0 0.000");
  CHECK(said(kFlacMp4) == "fLaC 0x0 0.000");
}

TEST_CASE("the program map, the parameter sets and the frame headers of MPEG-TS have codecs and picture size") {
  CHECK(said(kAvcAacTs) == "avc1.42c00c,mp4a.40.2 320x180 25.000");
  CHECK(said(kHevcAc3Ts) == "hvc1.1.6.L60.90,ac-3 320x180 0.000");
  CHECK(said(kAvcMp3Ts) == "avc1.42c00c,mp4a.40.34 320x180 25.000");
  CHECK(said(kInterlacedTs).find(" 320x180 ") != std::string::npos);
}

TEST_CASE("an unknown codec removes the whole list of codecs, since players take the list for complete") {
  CHECK(media_facts(bytes_of(kMpeg2Ts)).codecs.empty());
  CHECK(media_facts(sound("alac")).codecs.empty());
  const auto both = box(
      "moov", track("soun", box("ac-3", std::string(28, '\0'))) + track("soun", box("alac", std::string(28, '\0'))));
  CHECK(media_facts(both).codecs.empty());
}

TEST_CASE("packed audio is detected by two frames of one kind, after its ID3 tag") {
  const auto aac = bytes_of(kAac);
  CHECK(said(media_facts(aac)) == "mp4a.40.2 0x0 0.000");
  CHECK(said(media_facts("ID3\x04" + std::string(5, '\0') + "\x05" + "abcde" + aac)) == "mp4a.40.2 0x0 0.000");
  CHECK(media_facts(aac.substr(0, 7)).empty());
}

TEST_CASE("sample entries have the codecs of the table") {
  CHECK(said(media_facts(sound("ac-3"))) == "ac-3 0x0 0.000");
  CHECK(said(media_facts(sound("ec-3"))) == "ec-3 0x0 0.000");
  const std::string main("\x01\x60\x00\x00\x00\x90\x00\x00\x00\x00\x00\x5d", 12);
  CHECK(said(media_facts(picture("hev1", hvcc(main)))) == "hev1.1.6.L93.90 640x360 0.000");
  const std::string main10("\x22\x20\x00\x00\x00\xb0\x00\x00\x00\x00\x00\x99", 12);
  CHECK(said(media_facts(picture("hvc1", hvcc(main10)))) == "hvc1.2.4.H153.B0 640x360 0.000");
  CHECK(said(media_facts(picture("avc3", box("avcC", std::string("\x01\x64\x00\x1f", 4))))) ==
        "avc3.64001f 640x360 0.000");
}

TEST_CASE("an encrypted sample entry has its original format") {
  const auto inside = box("avcC", std::string("\x01\x64\x00\x1f", 4));
  const auto protection = [](std::string_view format) { return box("sinf", box("frma", std::string(format))); };
  CHECK(said(media_facts(picture("encv", inside + protection("avc1")))) == "avc1.64001f 640x360 0.000");
  CHECK(media_facts(picture("encv", inside + protection("encv"))).codecs.empty());
  CHECK(media_facts(picture("encv", inside)).codecs.empty());
}

TEST_CASE("a codec of two tracks is listed once, and an invalid picture size is ignored") {
  const auto entry = track("soun", box("ac-3", std::string(28, '\0')));
  CHECK(said(media_facts(box("moov", entry + entry))) == "ac-3 0x0 0.000");
  const auto huge = box("moov", track("vide", box("avc1", std::string(24, '\0') + number(65'535, 2) + number(360, 2) +
                                                              std::string(50, '\0'))));
  CHECK(media_facts(huge).width == 0);
}

TEST_CASE("a file that is not media, or is encrypted, has no properties") {
  for (const std::string text : {"", "G", "#EXTM3U\n", "\xff", "ID3", "<html>", "\x00\x00\x00\x00", "WEBVTT\n"})
    CHECK(media_facts(text).empty());
  CHECK(media_facts(std::string(1'000, '\x47')).empty());
  CHECK(media_facts(std::string(1'000, '\xff')).empty());
}

TEST_CASE("a file that is cut or damaged anywhere gives only values that an attribute can hold") {
  std::mt19937 random(7);
  for (const auto sample : {kAvcAacMp4, kAvcMp4, kAv1Mp4, kVp9Mp4, kOpusMp4, kFlacMp4, kAvcAacTs, kHevcAc3Ts, kAvcMp3Ts,
                            kMpeg2Ts, kInterlacedTs, kAac}) {
    const auto bytes = bytes_of(sample);
    const auto check = [](const std::string& text) {
      const auto facts = media_facts(text);
      for (const auto& codec : facts.codecs)
        CHECK(codec.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
              std::string::npos);
      CHECK((facts.width >= 0 && facts.width <= 16'384 && facts.height >= 0 && facts.height <= 16'384));
      CHECK((facts.frame_rate == 0 || (facts.frame_rate >= 1 && facts.frame_rate <= 300)));
      CHECK(facts.codecs.size() <= 32);
    };
    for (std::size_t size = 0; size <= bytes.size(); size += 3) check(bytes.substr(0, size));
    for (int round = 0; round < 500; ++round) {
      auto damaged = bytes;
      for (int i = 0; i < 1 + round % 8; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
      check(damaged);
    }
  }
}

TEST_CASE("many boxes, tables and parameter sets in a small file are read in linear time") {
  std::string tracks;
  for (int i = 0; i < 20'000; ++i) tracks += box("trak", "");
  CHECK(media_facts(box("moov", tracks)).empty());
  std::string nested(64, '\0');
  for (int i = 0; i < 1'000; ++i) nested = box("moov", nested);
  CHECK(media_facts(nested).empty());
}
