// What cache nodes have seen of a former process.
#include "balancer/sources/former_numbers.h"

#include <doctest/doctest.h>

#include "balancer/sources_fixture.h"

using namespace tribune;
using namespace tribune::test;
using balancer::FormerNumbers;

namespace {

struct FormerNumbersFixture : SourcesFixture {
  std::optional<FormerNumbers> former;
  ~FormerNumbersFixture() { end(); }  // its timer is of the worker's loop

  /// A balancer that starts with these nodes.
  void start(const std::vector<std::string>& nodes) {
    former.emplace(*sources, *store).start(*workers[1], nodes);
    publish(origin);
    add("demo", "http://o/live/main.m3u8");
    configure();
  }
  bool begins_with(std::int64_t msn) {
    return text("demo", "v/a.m3u8").find("#EXT-X-MEDIA-SEQUENCE:" + std::to_string(msn) + "\n") != std::string::npos;
  }
};

}  // namespace

TEST_CASE_FIXTURE(FormerNumbersFixture, "a channel lists nothing before every node has said what was listed before") {
  start({"stadium", "city"});
  bool is_answered = false;
  const auto pending = sources->look_up(*workers[0], {"demo", "v/a.m3u8", ""}, [&](auto) { is_answered = true; });
  former->take("stadium", {{"demo", {"lost", 59'553, 4}}, {"unknown", {"e", 5, 0}}});
  CHECK_FALSE(former->wants("stadium"));
  CHECK(former->wants("city"));
  CHECK_FALSE(is_answered);
  CHECK(former->listed().empty());
  former->take("city", {{"demo", {"lost", 59'551, 4}}});
  const auto listed = text("demo", "v/a.m3u8");
  CHECK(listed.find("#EXT-X-MEDIA-SEQUENCE:" + std::to_string(59'553 + balancer::kUnseen) + "\n") != std::string::npos);
  CHECK(former->listed().at("demo").next_msn == 59'553 + balancer::kUnseen + 3);
  CHECK(former->listed().at("demo").discontinuity > 4);
}

TEST_CASE_FIXTURE(FormerNumbersFixture, "nodes that know nothing, or only what this process lists, change no number") {
  start({"stadium"});
  former->take("stadium", {});
  CHECK(begins_with(5));
  const auto own = former->listed();
  CHECK(own.at("demo").next_msn == 8);
  former->take("city", own);
  CHECK(begins_with(5));
}

TEST_CASE_FIXTURE(FormerNumbersFixture, "a node that answers late is heard, and only once") {
  start({});
  CHECK(begins_with(5));
  former->take("stadium", {{"demo", {"lost", 59'553, 4}}});
  origin.set("http://o/live/v/a.m3u8", live_text(6, 9, "one"));
  clock.advance(std::chrono::seconds{10});
  CHECK(begins_with(59'553 + balancer::kUnseen));
  former->take("stadium", {{"demo", {"forged", 99'000'000, 4}}});
  origin.set("http://o/live/v/a.m3u8", live_text(7, 10, "one"));
  clock.advance(std::chrono::seconds{10});
  CHECK(text("demo", "v/a.m3u8").find("99000000") == std::string::npos);
}
