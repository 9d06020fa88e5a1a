// A group member that cannot reach the origin reports so, and delays no other member.
#include <doctest/doctest.h>

#include <algorithm>

#include "cache_node/node_under_test.h"
#include "contracts/peer_mark.h"
#include "http/range.h"
#include "support/folder.h"
#include "support/sample_body.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

using AskedPtr = std::shared_ptr<Asked>;

NodeUnderTest::Options lost_origin_options() {
  NodeUnderTest::Options options;
  options.group = "arena";
  options.fill.slice_bytes = 1'000;
  options.fill.slice_above = 10'000;  // only the film is longer
  return options;
}

struct LostOriginFixture {
  Folder folder;
  NodeUnderTest node{folder.path(), lost_origin_options()};
  const std::string body = body_of(10'000);
  std::atomic<int> peers_asked = 0, origins_asked = 0;

  LostOriginFixture() { node.peers.update("balancer", {{"a", "http://a.test"}, {"b", "http://b.test"}}); }

  /// The requests of the first worker.
  void on_question(std::function<void(const AskedPtr&)> peer, std::function<void(const AskedPtr&)> origin) {
    node.workers.client().on_asked = [this, peer = std::move(peer), origin = std::move(origin)](const AskedPtr& asked) {
      const bool is_origin = asked->request.url.starts_with("http://origin.test");
      ++(is_origin ? origins_asked : peers_asked);
      (is_origin ? origin : peer)(asked);
    };
  }
  void serve(const AskedPtr& asked) const {
    ScriptedClient::head(*asked, 200, {{"Content-Type", "video/mp2t"}}, body.size());
    ScriptedClient::bytes(*asked, body);
    ScriptedClient::done(*asked);
  }
  static void not_reached(const AskedPtr& asked) {
    ScriptedClient::done(*asked,
                         base::failure(base::ErrorKind::unavailable, base::Fault::origin, "connection refused", true));
  }
  static void no_word(const AskedPtr& asked) {
    ScriptedClient::head(*asked, 503, {{std::string(contracts::kVerdictHeader), "origin_unavailable"}}, 0);
  }
  static void refused(Asked& asked, int status, bool by_node) {
    http::Headers headers;
    if (by_node)
      headers = {{std::string(contracts::kVerdictHeader), "origin_refused"},
                 {std::string(contracts::kOriginStatusHeader), std::to_string(status)}};
    ScriptedClient::head(asked, by_node ? 502 : status, headers, 0);
  }
  std::vector<int> statuses(int segments) {
    std::vector<int> out;
    for (int i = 0; i < segments; ++i) {
      const auto seen = node.ask("seg" + std::to_string(i) + ".ts");
      REQUIRE(seen->wait_end());
      out.push_back(seen->status());
    }
    return out;
  }
};

}  // namespace

TEST_CASE_FIXTURE(LostOriginFixture,
                  "a node's failure without a status of the origin is skipped, and the origin is requested") {
  on_question(no_word, [this](const AskedPtr& asked) { serve(asked); });
  CHECK(statuses(20) == std::vector<int>(20, 200));
  CHECK(peers_asked > 0);
  CHECK(origins_asked == 20);
}

TEST_CASE_FIXTURE(LostOriginFixture,
                  "a node's failure with a status of the origin is taken over, and the origin is not requested") {
  on_question(
      [](const AskedPtr& asked) {
        ScriptedClient::head(*asked, 404,
                             {{std::string(contracts::kVerdictHeader), "origin_not_found"},
                              {std::string(contracts::kOriginStatusHeader), "404"}},
                             0);
      },
      [this](const AskedPtr& asked) { serve(asked); });
  int gone = 0;
  for (const auto status : statuses(20)) gone += status == 404;
  CHECK(gone > 0);
  CHECK(gone == peers_asked);
  CHECK(origins_asked == 20 - gone);
}

TEST_CASE_FIXTURE(LostOriginFixture,
                  "a node that cannot reach the origin gets its objects from other nodes, whatever their rank") {
  on_question(
      [this](const AskedPtr& asked) {
        const auto mark = asked->request.headers.first(contracts::kPeerHeader).value_or("");
        mark.starts_with("stranded") ? serve(asked) : no_word(asked);
      },
      not_reached);
  int served = 0;
  for (const auto status : statuses(30)) served += status == 200;
  CHECK(served > 0);
  CHECK(origins_asked > 0);

  // The others can reach it: all requests are served, also while this node's own circuit is open.
  on_question([this](const AskedPtr& asked) { serve(asked); }, not_reached);
  for (int i = 100; i < 130; ++i) {
    const auto seen = node.ask("seg" + std::to_string(i) + ".ts");
    REQUIRE(seen->wait_end());
    CHECK(seen->status() == 200);
  }
}

TEST_CASE_FIXTURE(LostOriginFixture,
                  "when no node can reach the origin the request fails after a bounded number of requests") {
  on_question(no_word, not_reached);
  for (const auto status : statuses(5)) CHECK(status == 503);
  CHECK(peers_asked + origins_asked <= 5 * 4 * 3);  // each candidate, in each round of the hold
}

TEST_CASE_FIXTURE(LostOriginFixture, "a request of another node fails at once when this node cannot reach the origin") {
  on_question([](const AskedPtr&) {}, not_reached);  // the last resort does not respond
  for (int i = 0; i < 5; ++i) {
    const auto path = "seg" + std::to_string(i) + ".ts";
    const auto fields = contracts::mark_fields(keys(), {contracts::PeerMark::Kind::peer, "a", 0},
                                               object_text(node.link(path)), node.clock.wall_now());
    const auto seen = node.ask(path, fields);
    REQUIRE(seen->wait_end());
    CHECK(seen->status() == 503);
    CHECK_FALSE(seen->header(contracts::kVerdictHeader).empty());
    CHECK(seen->header(contracts::kVerdictHeader) != contracts::kVerdictWaiting);
    CHECK(seen->header(contracts::kOriginStatusHeader).empty());
  }
  CHECK(peers_asked > 0);
}

TEST_CASE_FIXTURE(
    LostOriginFixture,
    "a request of another node for a slice of a file fails at once, too, when this node cannot reach the origin") {
  const auto film = body_of(12'000);
  on_question(no_word, [&film](const AskedPtr& asked) {
    const auto decision = http::decide_range(asked->request.headers.first("Range"), film.size());
    const auto* part = std::get_if<http::ByteRange>(&decision);
    http::Headers head{{"Content-Type", "video/mp4"}, {"Accept-Ranges", "bytes"}, {"ETag", "\"film\""}};
    if (part) head.add("Content-Range", http::content_range(*part, film.size()));
    const auto bytes = part ? std::string_view(film).substr(part->first, part->length()) : std::string_view(film);
    ScriptedClient::head(*asked, part ? 206 : 200, head, bytes.size());
    ScriptedClient::bytes(*asked, bytes);
    ScriptedClient::done(*asked);
  });
  const auto known = node.ask("film.mp4", {{"Range", "bytes=0-9"}});
  REQUIRE(known->wait_end());
  REQUIRE(known->status() == 206);
  node.settle();
  REQUIRE(node.index.sliced().find(object_key(node.link("film.mp4")).id));

  on_question([](const AskedPtr&) {}, not_reached);  // the last resort does not respond
  for (int slice = 2; slice < 10; ++slice) {
    auto fields = contracts::mark_fields(keys(), {contracts::PeerMark::Kind::peer, "a", 0},
                                         object_text(node.link("film.mp4")), node.clock.wall_now());
    fields.add("Range", "bytes=" + std::to_string(slice * 1'000) + "-" + std::to_string(slice * 1'000 + 9));
    const auto seen = node.ask("film.mp4", fields);
    REQUIRE(seen->wait_end());
    CHECK(seen->status() == 503);
    CHECK_FALSE(seen->header(contracts::kVerdictHeader).empty());
    CHECK(seen->header(contracts::kVerdictHeader) != contracts::kVerdictWaiting);
    CHECK(seen->header(contracts::kOriginStatusHeader).empty());
  }
}

TEST_CASE_FIXTURE(LostOriginFixture, "another node's refusal by the origin is no answer: this node asks the origin") {
  for (const int status : {401, 403, 451}) {
    CAPTURE(status);
    peers_asked = origins_asked = 0;
    on_question([status](const AskedPtr& asked) { refused(*asked, status, true); },
                [this](const AskedPtr& asked) { serve(asked); });
    for (int i = 0; i < 20; ++i) {
      const auto seen = node.ask(std::to_string(status) + "/seg" + std::to_string(i) + ".ts");
      REQUIRE(seen->wait_end());
      CHECK(seen->status() == 200);
    }
    CHECK(peers_asked > 0);
    CHECK(origins_asked == 20);
  }
}

TEST_CASE_FIXTURE(LostOriginFixture, "a node that the origin refuses gets its objects from other nodes") {
  on_question(
      [this](const AskedPtr& asked) {
        const auto mark = asked->request.headers.first(contracts::kPeerHeader).value_or("");
        mark.starts_with("stranded") ? serve(asked) : no_word(asked);
      },
      [](const AskedPtr& asked) { refused(*asked, 403, false); });
  const auto all = statuses(30);
  const auto served = std::count(all.begin(), all.end(), 200);
  CHECK(served > 0);
  CHECK(node.fill_metrics.refused_alone.value() == static_cast<double>(served));
}

TEST_CASE_FIXTURE(LostOriginFixture, "what the origin refuses to every node keeps its status") {
  on_question([](const AskedPtr& asked) { refused(*asked, 403, true); },
              [](const AskedPtr& asked) { refused(*asked, 403, false); });
  CHECK(statuses(5) == std::vector<int>(5, 502));
  CHECK(node.fill_metrics.refused_alone.value() == 0);
}
