#include "contracts/key_watch.h"

#include <doctest/doctest.h>

#include "base/rfc3339.h"
#include "contracts/event.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::contracts;
using namespace std::chrono_literals;

namespace {

struct Watched {
  base::ManualClock clock{*base::parse_rfc3339("2026-06-01T00:00:00Z")};
  base::Log log{test::silent()};
  base::Metrics metrics;
  KeyWatch watch{clock, log, metrics, "balancer"};

  void use(std::vector<std::string> ends) {
    Event event;
    for (const auto& end : ends)
      event.keys.push_back({"k" + std::to_string(event.keys.size() + 1), "a secret of sixteen bytes", "", end});
    watch.watch(event);
  }
  std::string said() const {
    base::json::Writer w;
    w.begin_object();
    watch.describe(w);
    return w.end_object().take();
  }
};

}  // namespace

TEST_CASE("the end of the last key is reported a week before, and is a problem when it is reached") {
  Watched w;
  w.use({"2026-06-02T00:00:00Z", "2026-06-09T00:00:00Z"});
  CHECK(w.said() == R"({"keys":"ok"})");
  CHECK(w.metrics.scrape().find("tribune_keys_seconds_left{role=\"balancer\"} 691200") != std::string::npos);
  w.clock.advance(25h);  // the first key has ended: the second one signs
  w.watch.look();
  CHECK(w.said().find("the last signing key expires at") != std::string::npos);
  CHECK(w.watch.trouble().empty());
  w.clock.advance(24h * 7);
  w.watch.look();
  CHECK(w.watch.trouble().find("no key is valid for signing") == 0);
  w.use({""});
  CHECK(w.watch.trouble().empty());
  CHECK(w.said() == R"({"keys":"ok"})");
}

TEST_CASE("a key without an end causes no warning") {
  Watched w;
  w.use({"2026-06-01T01:00:00Z", ""});
  w.clock.advance(24h * 400);
  w.watch.look();
  CHECK(w.watch.trouble().empty());
  CHECK(w.metrics.scrape().find("+Inf") != std::string::npos);
}

TEST_CASE("a configuration whose keys have all ended is reported with the latest end") {
  Event event;
  const auto now = *base::parse_rfc3339("2026-06-01T20:00:00Z");
  CHECK(no_key_signs(event, now).empty());
  event.keys = {{"k1", "0123456789abcdef", "", "2026-06-01T00:00:00Z"},
                {"k2", "0123456789abcdef", "", "2026-05-01T00:00:00Z"}};
  CHECK(no_key_signs(event, now) ==
        "no key is valid for signing: the last one expired at Mon, 01 Jun 2026 00:00:00 GMT; add a key, or set a later "
        "not_after");
  event.keys[1].not_after = "";
  CHECK(no_key_signs(event, now).empty());
}
