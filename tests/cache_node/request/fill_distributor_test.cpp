#include "cache_node/request/fill_distributor.h"

#include <doctest/doctest.h>

#include <map>

#include "support/workers.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {
struct FillDistributorFixture {
  Workers workers{3};
  std::mutex mutex;
  std::map<std::size_t, std::vector<std::string>> begun;  // by worker
  FillDistributor distributor{workers.all(), [this](runtime::Worker& worker, const std::string& target) {
                                const std::lock_guard lock(mutex);
                                begun[worker.index].push_back(target);
                              }};

  void distribute(std::vector<std::string> targets) {
    std::promise<void> done;
    workers.on(0, [&] { distributor.distribute(std::move(targets), [&] { done.set_value(); }); });
    REQUIRE(done.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
  }
};
using Targets = std::vector<std::string>;
}  // namespace

TEST_CASE_FIXTURE(FillDistributorFixture,
                  "targets are distributed over the workers in turn, and the next call continues the turn") {
  distribute({"a", "b", "c", "d"});
  CHECK(begun[0] == Targets{"a", "d"});
  CHECK(begun[1] == Targets{"b"});
  CHECK(begun[2] == Targets{"c"});
  distribute({"e"});
  CHECK(begun[1] == Targets{"b", "e"});
}

TEST_CASE_FIXTURE(FillDistributorFixture, "a call without targets calls back, too") {
  distribute({});
  CHECK(begun.empty());
}
