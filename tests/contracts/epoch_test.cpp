#include "contracts/epoch.h"

#include <doctest/doctest.h>

#include "contracts/canonical.h"

using namespace tribune::contracts;

TEST_CASE("an epoch refers to the origins that it was made for, and is used once") {
  const OriginSet origins{"http://o/live/a/", {"https://ads.example", "https://keys.example"}, {"http://backup"}};
  const auto epoch = new_epoch(origins);
  CHECK(is_short_id(epoch));
  CHECK(new_epoch(origins) != epoch);
  struct Case {
    const char* name;
    OriginSet origins;
    bool is_same;
  };
  const Case cases[] = {
      {"the same", origins, true},
      {"other backups", {origins.base, origins.extra_origins, {"http://b2", "http://b3"}}, true},
      {"no backup", {origins.base, origins.extra_origins, {}}, true},
      {"one more extra origin", {origins.base, {"https://ads.example", "https://keys.example", "https://x"}, {}}, true},
      {"one extra origin less", {origins.base, {"https://ads.example"}, {}}, false},
      {"extra origins in another order", {origins.base, {"https://keys.example", "https://ads.example"}, {}}, false},
      {"another directory", {"http://o/live/b/", origins.extra_origins, {}}, false},
      {"another host", {"http://p/live/a/", origins.extra_origins, {}}, false},
  };
  for (const auto& one : cases) {
    CAPTURE(one.name);
    CHECK(is_epoch_of(one.origins, epoch) == one.is_same);
  }
}

TEST_CASE("an extra origin may be added to a channel that had none") {
  const auto epoch = new_epoch({"http://o/live/", {}, {}});
  CHECK(is_epoch_of({"http://o/live/", {"https://ads.example"}, {}}, epoch));
  CHECK_FALSE(is_epoch_of({"http://p/live/", {"https://ads.example"}, {}}, epoch));
}

TEST_CASE("an epoch without a mark refers to any origins") {
  const OriginSet origins{"http://o/live/", {}, {}};
  CHECK(is_epoch_of(origins, "k3x0a1b2"));
  CHECK(is_epoch_of(origins, "k3x0a1b2cdef0"));         // 13 characters
  CHECK_FALSE(is_epoch_of(origins, "k3x0a1b2zzzzzz"));  // 14
  CHECK(is_epoch_of(origins, "k3x0a1b2zzzzzzz"));       // 15
}

TEST_CASE("an epoch that names backups refers to its origins only while the backups keep their places") {
  const OriginSet origins{"http://o/live/", {"https://ads"}, {"http://b1", "http://b2"}};
  const auto epoch = new_epoch(origins, true);
  struct Case {
    const char* name;
    OriginSet origins;
    bool is_same;
  };
  const Case cases[] = {
      {"the same", origins, true},
      {"one more backup", {origins.base, {"https://ads"}, {"http://b1", "http://b2", "http://b3"}}, true},
      {"one more extra origin", {origins.base, {"https://ads", "https://slate"}, origins.backups}, true},
      {"one backup less", {origins.base, {"https://ads"}, {"http://b1"}}, false},
      {"the first backup less", {origins.base, {"https://ads"}, {"http://b2"}}, false},
      {"backups in another order", {origins.base, {"https://ads"}, {"http://b2", "http://b1"}}, false},
      {"one extra origin less", {origins.base, {}, origins.backups}, false},
      {"a backup as an extra origin", {origins.base, {"https://ads", "http://b1", "http://b2"}, {}}, false},
      {"another directory", {"http://o/other/", {"https://ads"}, origins.backups}, false},
  };
  for (const auto& one : cases) {
    CAPTURE(one.name);
    CHECK(is_epoch_of(one.origins, epoch) == one.is_same);
    // The path that the balancer gave the second backup is that backup for the node.
    if (!one.is_same) continue;
    const auto found = origins_of_epoch(one.origins, epoch);
    CHECK(to_uri(*found, "~3/live/seg1.ts", "")->text() == "http://b2/live/seg1.ts");
  }
  CHECK(new_epoch({origins.base, {}, {}}, true).substr(8) == new_epoch({origins.base, {}, {}}).substr(8));
}
