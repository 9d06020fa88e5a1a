#include "cache_node/filling/fill_candidates.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "contracts/purge_mark.h"

using namespace tribune;
using namespace tribune::cache_node;

namespace {

const base::WallTime kNow{std::chrono::seconds{1'750'000'000}};

struct FillCandidatesFixture {
  FillCandidatesFixture() {
    origins.base = "http://origin.test/live/";
    view.keys = std::make_shared<const base::KeyRing>(
        std::vector<base::SigningKey>{{"k1", "a secret of sixteen bytes", std::nullopt}});
    view.settings.group = "arena";
    for (const char* id : {"a", "b", "c", "d"}) peers.push_back({id, std::string("http://") + id + ".test"});
  }
  FillSource line(std::string own, int segment = 1, Asker asker = {}, KnownPurges::Covering purges = {}) {
    view.settings.id = std::move(own);
    const contracts::Link link{"demo", "e1", "seg" + std::to_string(segment) + ".ts", "", 1'750'000'000 + 3'600};
    return fill_candidates(view, peers, origins, link, object_key(link), asker, kNow, std::move(purges)).value();
  }
  /// The candidates while the origin is reachable.
  static std::vector<std::string> names(const FillSource& source) {
    std::vector<std::string> out;
    for (const auto& candidate : source.candidates)
      if (!candidate.is_last_resort) out.push_back(candidate.name);
    return out;
  }
  static std::vector<std::string> last_resorts(const FillSource& source) {
    std::vector<std::string> out;
    for (const auto& candidate : source.candidates)
      if (candidate.is_last_resort) out.push_back(candidate.name);
    return out;
  }
  contracts::OriginSet origins;
  NodeView view;
  Peers peers;
};

}  // namespace

TEST_CASE_FIXTURE(
    FillCandidatesFixture,
    "for each object exactly one node goes straight to the origin, and each node asks only nodes ranked before it") {
  for (int segment = 0; segment < 100; ++segment) {
    std::set<std::size_t> lengths;
    std::vector<std::string> longest;
    for (const char* own : {"a", "b", "c", "d"}) {
      const auto line = names(this->line(own, segment));
      CHECK(line.back() == "http://origin.test");
      lengths.insert(line.size());
      if (line.size() > longest.size()) longest = line;
      CHECK(std::find(line.begin(), line.end(), std::string("peer ") + own) == line.end());
    }
    CHECK(lengths == std::set<std::size_t>{1, 2, 3, 4});
    for (const char* own : {"a", "b", "c", "d"}) {
      const auto line = names(this->line(own, segment));
      CHECK(std::equal(line.begin(), line.end() - 1, longest.begin()));
    }
  }
}

TEST_CASE_FIXTURE(FillCandidatesFixture, "of two nodes with different peers exactly one asks the other for an object") {
  const auto all = peers;
  for (int segment = 0; segment < 200; ++segment) {
    peers = {all[1], all[2]};
    const auto a = names(line("a", segment));
    peers = {all[0], all[3]};
    const auto b = names(line("b", segment));
    const bool a_asks_b = std::find(a.begin(), a.end(), "peer b") != a.end();
    const bool b_asks_a = std::find(b.begin(), b.end(), "peer a") != b.end();
    CHECK(a_asks_b != b_asks_a);
  }
}

TEST_CASE_FIXTURE(FillCandidatesFixture, "a request from a peer is never forwarded to a peer") {
  for (int segment = 0; segment < 20; ++segment)
    for (const char* own : {"a", "b", "c", "d"})
      CHECK(names(line(own, segment, {Asker::Kind::peer, 0})) == std::vector<std::string>{"http://origin.test"});
}

TEST_CASE_FIXTURE(FillCandidatesFixture,
                  "parents are asked in the configured order, with links and marks that they accept") {
  view.settings.parents = {"http://up.test"};
  peers.clear();
  const auto source = line("a");
  REQUIRE(names(source) == std::vector<std::string>{"parent http://up.test", "http://origin.test"});
  const auto& parent = source.candidates[0];
  CHECK(parent.allowed_origins == std::vector<std::string>{"http://up.test"});
  CHECK(parent.url.starts_with("http://up.test/media/demo/e1/seg1.ts?tl="));
  const auto mark = contracts::read_mark(*view.keys, source.signing.fields(parent, kNow), "demo/e1/seg1.ts", kNow,
                                         std::chrono::seconds(1));
  REQUIRE(mark);
  CHECK(mark->kind == contracts::PeerMark::Kind::child);
  CHECK(mark->tiers == 1);
  CHECK(names(line("a", 1, {Asker::Kind::child, contracts::kMaxTiers})) ==
        std::vector<std::string>{"http://origin.test"});
}

TEST_CASE_FIXTURE(FillCandidatesFixture,
                  "backup origins come after the origin, and a node without a group asks no peer") {
  view.settings.group = "";
  origins.backups = {"http://backup.test"};
  const auto source = line("a");
  REQUIRE(names(source) == std::vector<std::string>{"http://origin.test", "http://backup.test"});
  CHECK(source.candidates[1].url == "http://backup.test/live/seg1.ts");
  view.settings.fill = {"parent"};
  CHECK(names(line("a")) == std::vector<std::string>{"http://origin.test", "http://backup.test"});
}

TEST_CASE_FIXTURE(FillCandidatesFixture, "a backup with other files is asked only for paths of its own") {
  view.settings.group = "";
  origins.backups = {"http://backup.test", "http://second.test"};
  origins.distrusted = {"http://backup.test"};
  CHECK(names(line("a")) == std::vector<std::string>{"http://origin.test", "http://second.test"});
  const contracts::Link own{"demo", "e2", "~1/live/seg1.ts", "", 1'750'000'000 + 3'600};
  const auto source = fill_candidates(view, peers, origins, own, object_key(own), {}, kNow).value();
  CHECK(names(source) == std::vector<std::string>{"http://backup.test"});
  origins.distrusted.push_back("http://second.test");
  CHECK(names(line("a")) == std::vector<std::string>{"http://origin.test"});
}

TEST_CASE_FIXTURE(
    FillCandidatesFixture,
    "at most two later-ranked nodes are the last resort after the origin, except for requests of stranded nodes") {
  bool any = false;
  for (int segment = 0; segment < 50; ++segment) {
    const auto source = line("a", segment);
    const auto before = names(source), behind = last_resorts(source);
    CHECK(behind.size() == std::min<std::size_t>(2, 3 - (before.size() - 1)));
    for (const auto& name : behind) {
      CHECK(name != "peer a");
      CHECK(std::find(before.begin(), before.end(), name) == before.end());
    }
    any |= !behind.empty();
    CHECK(last_resorts(line("a", segment, {Asker::Kind::peer, 0})) == behind);
    CHECK(last_resorts(line("a", segment, {Asker::Kind::stranded, 0})).empty());
    CHECK(names(line("a", segment, {Asker::Kind::stranded, 0})) == std::vector<std::string>{"http://origin.test"});
  }
  CHECK(any);
  view.settings.fill = {"origin"};
  CHECK(last_resorts(line("a")).empty());
}

TEST_CASE_FIXTURE(
    FillCandidatesFixture,
    "nodes are skipped when the purges exceed the limit, except a parent that is the only way to the origin") {
  view.settings.parents = {"http://up.test"};
  const KnownPurges::Covering too_much{"k-1;channel;hard;0;demo", true};
  for (int segment = 0; segment < 20; ++segment) {
    view.settings.fill = {"peers", "parent", "origin"};
    CHECK(names(line("a", segment, {}, too_much)) == std::vector<std::string>{"http://origin.test"});
    CHECK(last_resorts(line("a", segment, {}, too_much)).empty());
    view.settings.fill = {"peers", "parent"};
    const auto source = line("a", segment, {}, too_much);
    REQUIRE(names(source) == std::vector<std::string>{"parent http://up.test"});
    CHECK(last_resorts(source).empty());
    CHECK(source.signing.fields(source.candidates[0], kNow).first(contracts::kPurgesHeader) == too_much.marks);
  }
}

TEST_CASE_FIXTURE(FillCandidatesFixture,
                  "peers that the configured order does not name are not asked, not even as the last resort") {
  view.settings.parents = {"http://up.test"};
  view.settings.fill = {"parent", "origin"};
  for (int segment = 0; segment < 20; ++segment) {
    CHECK(names(line("a", segment)) == std::vector<std::string>{"parent http://up.test", "http://origin.test"});
    CHECK(last_resorts(line("a", segment)).empty());
  }
}

TEST_CASE_FIXTURE(FillCandidatesFixture, "the request to a last resort is marked as stranded") {
  for (int segment = 0; segment < 50; ++segment) {
    const auto source = line("a", segment);
    for (const auto& candidate : source.candidates) {
      if (!candidate.is_node()) continue;
      const auto object = "demo/e1/seg" + std::to_string(segment) + ".ts";
      const auto mark = contracts::read_mark(*view.keys, source.signing.fields(candidate, kNow), object, kNow,
                                             std::chrono::seconds(1));
      REQUIRE(mark);
      CHECK(mark->kind ==
            (candidate.is_last_resort ? contracts::PeerMark::Kind::stranded : contracts::PeerMark::Kind::peer));
    }
  }
}
