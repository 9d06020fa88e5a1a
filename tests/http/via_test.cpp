#include "http/via.h"

#include <doctest/doctest.h>

using tribune::http::via_names;

TEST_CASE("an intermediary is found in Via by its whole name") {
  for (const auto* via : {"1.1 local", "1.0 other, 1.1 local", "HTTP/1.1 local (tribune), 1.1 more", "  1.1\t local\t",
                          "1.1 a (x, y), 1.1 local", "1.1 local(comment)"})
    CHECK_MESSAGE(via_names(via, "local"), via);
}

TEST_CASE("longer names, comments and protocols in Via are not the intermediary") {
  for (const auto* via :
       {"", "1.1 localhost (squid)", "1.1 local:8080", "1.1 my-local", "1.1 LOCAL", "1.1 other (from 1.1 local)",
        "1.1 other (a, 1.1 local)", "local 1.1", "local", "1.1", "1.1 other (\\), 1.1 local)",
        "1.1 other ((a), 1.1 local)", ",,", "1.1 other (open, 1.1 local"})
    CHECK_MESSAGE(!via_names(via, "local"), via);
}
