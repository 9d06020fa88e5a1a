#include "balancer/slate/fragment_shift.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

std::string number(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string shifted_box(const std::string& type, const std::string& body) {
  return number(8 + body.size(), 4) + type + body;
}
std::string full_box(const std::string& type, int version, std::uint32_t flags, const std::string& body) {
  return shifted_box(type, number(static_cast<std::uint64_t>(version) << 24 | flags, 4) + body);
}

std::string track(std::uint32_t id, std::uint32_t timescale, int version) {
  const std::string times(version == 0 ? 8 : 16, '\0');
  return shifted_box("trak", full_box("tkhd", version, 7, times + number(id, 4) + std::string(60, '\0')) +
                                 shifted_box("mdia", full_box("mdhd", version, 0,
                                                              times + number(timescale, 4) + std::string(8, '\0'))));
}

std::string init() {
  return shifted_box("ftyp", "iso5") +
         shifted_box("moov", full_box("mvhd", 0, 0, std::string(96, '\0')) + track(1, 12'800, 0) + track(2, 48'000, 1));
}

std::string tfdt(int version, std::uint64_t time) {
  return full_box("tfdt", version, 0, number(time, version == 0 ? 4 : 8));
}

std::string traf(std::uint32_t id, const std::string& time, std::uint32_t data_offset = 200) {
  return shifted_box("traf", full_box("tfhd", 0, 0x20000, number(id, 4)) + time +
                                 full_box("trun", 0, 1, number(3, 4) + number(data_offset, 4)));
}

std::string moof(std::uint32_t sequence, const std::string& tracks) {
  return shifted_box("moof", full_box("mfhd", 0, 0, number(sequence, 4)) + tracks);
}

std::string sidx(int version, std::uint64_t time) {
  const int width = version == 0 ? 4 : 8;
  return full_box("sidx", version, 0,
                  number(1, 4) + number(12'800, 4) + number(time, width) + number(0, width) + number(0, 4));
}

const Timescales kTimescales{{1, 12'800}, {2, 48'000}};
constexpr auto kFar =
    std::chrono::milliseconds{90'000'000'012'000};  // beyond 32 bits in every timescale, and in milliseconds

}  // namespace

TEST_CASE("the timescales of an init section are those of its tracks") {
  CHECK(timescales_of(init()).value() == kTimescales);
  CHECK_FALSE(timescales_of(""));
  CHECK_FALSE(timescales_of("not a box at all"));
  CHECK_FALSE(timescales_of(shifted_box("moov", "")));
  CHECK_FALSE(timescales_of(shifted_box("moov", track(1, 0, 0))));
}

TEST_CASE("all tracks of a segment are shifted by the same time, and its fragments' numbers continue") {
  const auto made = [](std::uint64_t by_ms, std::uint32_t by_fragments) {
    return shifted_box("styp", "msdh") + sidx(1, 512 + by_ms * 12'800 / 1000) +
           moof(1 + by_fragments,
                traf(1, tfdt(1, 25'600 + by_ms * 12'800 / 1000)) + traf(2, tfdt(1, 96'000 + by_ms * 48))) +
           shifted_box("mdat", "samples") + moof(2 + by_fragments, traf(2, tfdt(1, 97'024 + by_ms * 48))) +
           shifted_box("mdat", "more");
  };
  CHECK(shifted(made(0, 0), kTimescales, {0ms, 0}).value() == made(0, 0));
  CHECK(shifted(made(0, 0), kTimescales, {12'000ms, 12}).value() == made(12'000, 12));
  CHECK(shifted(made(0, 0), kTimescales, {kFar, 12}).value() == made(static_cast<std::uint64_t>(kFar.count()), 12));
  CHECK(fragments_in(made(0, 0)).value() == 2);
}

TEST_CASE("32-bit times become 64-bit times, and the offsets of the samples are adjusted") {
  const auto before =
      sidx(0, 0) + moof(1, traf(1, tfdt(0, 25'600)) + traf(2, tfdt(0, 96'000))) + shifted_box("mdat", "samples");
  const auto by = static_cast<std::uint64_t>(kFar.count());
  const auto after =
      moof(8, traf(1, tfdt(1, 25'600 + by / 1000 * 12'800), 208) + traf(2, tfdt(1, 96'000 + by * 48), 208)) +
      shifted_box("mdat", "samples");
  CHECK(shifted(before, kTimescales, {kFar, 7}).value() == after);
}

TEST_CASE("a segment that cannot be shifted is reported") {
  const auto fails = [](const std::string& segment) { return !shifted(segment, kTimescales, {12s, 1}).has_value(); };
  CHECK(fails(moof(1, traf(3, tfdt(1, 0)))));
  CHECK(fails(moof(1, traf(1, ""))));
  CHECK(fails(moof(1, traf(1, tfdt(1, 0) + tfdt(1, 0)))));
  CHECK(fails(moof(1, shifted_box("traf", tfdt(1, 0)))));
  CHECK(fails(moof(1, traf(1, full_box("tfdt", 1, 0, "1234")))));
  CHECK(fails(moof(1, traf(1, tfdt(0, 0) + full_box("saio", 0, 0, "12345678")))));
  CHECK(fails(moof(1, shifted_box("traf", full_box("tfhd", 0, 1, number(1, 4) + number(0, 8)) + tfdt(0, 0)))));
  CHECK_FALSE(fragments_in(shifted_box("mdat", "x")));
}

TEST_CASE("damaged boxes are refused or copied, whatever was damaged") {
  const auto whole =
      sidx(1, 512) + moof(1, traf(1, tfdt(1, 25'600)) + traf(2, tfdt(0, 96'000))) + shifted_box("mdat", "samples");
  const auto head = init();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto moved = shifted(std::string_view(whole).substr(0, length), kTimescales, {kFar, 1});
    if (moved) CHECK(moved->size() <= whole.size() + 4);
  }
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    auto segment = whole, start = head;
    for (int i = 0; i < 3; ++i) {
      segment[random() % segment.size()] = static_cast<char>(random() % 3 ? random() : 0);
      start[random() % start.size()] = static_cast<char>(random());
    }
    if (const auto moved = shifted(segment, kTimescales, {kFar, 1})) CHECK(moved->size() <= whole.size() + 8);
    if (const auto found = timescales_of(start)) CHECK(found->size() <= 2);
    (void)fragments_in(segment);
  }
}
