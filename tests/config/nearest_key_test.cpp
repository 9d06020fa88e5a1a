#include "config/nearest_key.h"

#include <doctest/doctest.h>

using namespace tribune::config;

TEST_CASE("edit distance counts insertions, deletions, substitutions and transpositions") {
  CHECK(edit_distance("listen", "listen") == 0);
  CHECK(edit_distance("lisen", "listen") == 1);
  CHECK(edit_distance("listenn", "listen") == 1);
  CHECK(edit_distance("lasten", "listen") == 1);
  CHECK(edit_distance("litsen", "listen") == 1);
  CHECK(edit_distance("", "listen") == 6);
  CHECK(edit_distance("LISTEN", "listen") == 0);
}

TEST_CASE("the nearest key is suggested when it is near enough to be a misspelling") {
  const std::vector<std::string> known{"listen", "limits", "trusted_proxies"};
  CHECK(nearest_key("lisen", known) == "listen");
  CHECK(nearest_key("limts", known) == "limits");
  CHECK(nearest_key("trustedproxys", known) == "trusted_proxies");
  CHECK_FALSE(nearest_key("workers", known));
  CHECK_FALSE(nearest_key("", known));
  CHECK_FALSE(nearest_key("listen", {}));
}

TEST_CASE("for a key that is too long to be a misspelling no distance is computed") {
  CHECK_FALSE(nearest_key(std::string(1'000'000, 'x'), {"listen"}));
}

TEST_CASE("an unknown key without a near one is reported with the list of known keys") {
  CHECK(unknown_key_text("colour", {"listen", "limits"}) == "is not a known key; known keys: listen, limits");
  CHECK(unknown_key_text("lisen", {"listen", "limits"}) == "is not a known key; did you mean \"listen\"?");
  CHECK(unknown_key_text("x", {}) == "is not a known key; no keys are allowed here");
}
