#include "cache_node/load/origin_answers.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using tribune::cache_node::OriginAnswers;
using tribune::contracts::ChannelAnswers;

TEST_CASE("objects that are refused count once each, until one is delivered") {
  OriginAnswers answers;
  for (int i = 0; i < 10; ++i) answers.add("demo", 1, 503);  // one broken object
  CHECK(answers.counts() == std::vector<ChannelAnswers>{{"demo", 0, 1}});
  for (std::uint64_t object = 2; object <= 40; ++object) {
    answers.add("demo", object, 403);
    answers.add("demo", object, 403);
  }
  CHECK(answers.counts() == std::vector<ChannelAnswers>{{"demo", 0, 40}});
  answers.add("demo", 41, 206);
  CHECK(answers.counts() == std::vector<ChannelAnswers>{{"demo", 1, 0}});
  answers.add("demo", 1, 403);
  CHECK(answers.counts() == std::vector<ChannelAnswers>{{"demo", 1, 1}});
}

TEST_CASE("a status that depends on the object is not counted, and others are") {
  for (const int status : {404, 410, 416, 425}) {
    OriginAnswers answers;
    answers.add("demo", 1, status);
    CHECK(answers.counts().empty());
  }
  for (const int status : {200, 206, 304, 399}) {
    OriginAnswers answers;
    answers.add("demo", 1, status);
    CHECK(answers.counts() == std::vector<ChannelAnswers>{{"demo", 1, 0}});
  }
  for (const int status : {400, 401, 403, 451, 500, 503}) {
    OriginAnswers answers;
    answers.add("demo", 1, status);
    CHECK(answers.counts() == std::vector<ChannelAnswers>{{"demo", 0, 1}});
  }
}

TEST_CASE("of many channels the refused ones are reported first, then the busiest") {
  OriginAnswers answers;
  for (int i = 0; i < 100; ++i) answers.add("busy", 1, 200);
  for (std::size_t i = 0; i < tribune::contracts::kMaxAnsweredChannels; ++i)
    answers.add("c" + std::to_string(i), 1, 200);
  answers.add("refused", 1, 403);
  const auto counts = answers.counts();
  REQUIRE(counts.size() == tribune::contracts::kMaxAnsweredChannels);
  CHECK(counts[0].channel == "refused");
  CHECK(counts[1].channel == "busy");
}
