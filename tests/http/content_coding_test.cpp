#include "http/content_coding.h"

#include <doctest/doctest.h>

#include <string>

using namespace tribune::http;

TEST_CASE("Accept-Encoding is read according to RFC 9110 section 12.5.3") {
  for (const std::string yes :
       {"gzip", "GZIP", "x-gzip", "br , gzip;q=0.5", "br, *", "*", "identity;q=0, *;q=0.1", "gzip; q=1.000"}) {
    CAPTURE(yes);
    CHECK(accepts_gzip({{"Accept-Encoding", yes}}));
  }
  for (const std::string no :
       {"", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "gzip;q=0, *", "*, gzip;q=0", "gzipped", "identity"}) {
    CAPTURE(no);
    CHECK_FALSE(accepts_gzip({{"Accept-Encoding", no}}));
  }
  CHECK_FALSE(accepts_gzip({}));
}
