// Files that are stored in slices, before and after a restart.
#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "http/range.h"
#include "support/folder.h"
#include "support/sample_body.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

constexpr std::size_t kSlice = 1'000;
constexpr std::string_view kFilm = "film.ts";

NodeUnderTest::Options in_slices() {
  NodeUnderTest::Options options;
  options.fill.slice_bytes = kSlice;
  options.fill.slice_above = kSlice;
  return options;
}

struct Film {
  std::string body = body_of(3'500);
  http::Headers fields{
      {"Content-Type", "video/mp2t"}, {"Accept-Ranges", "bytes"}, {"ETag", "\"film\""}, {"Surrogate-Key", "films"}};

  /// Makes the node's origin serve the film.
  void at_origin_of(NodeUnderTest& node) const {
    node.workers.on(0, [&] {
      node.workers.client().on_asked = [this](const std::shared_ptr<Asked>& asked) {
        const auto decision = http::decide_range(asked->request.headers.first("Range"), body.size());
        const auto* part = std::get_if<http::ByteRange>(&decision);
        auto head = fields;
        if (part) head.add("Content-Range", http::content_range(*part, body.size()));
        const auto bytes = part ? std::string_view(body).substr(part->first, part->length()) : std::string_view(body);
        ScriptedClient::head(*asked, part ? 206 : 200, head, bytes.size());
        ScriptedClient::bytes(*asked, bytes);
        ScriptedClient::done(*asked);
      };
    });
  }
  void served(NodeUnderTest& node, std::size_t first, std::size_t last) const {
    const auto seen = node.ask(kFilm, {{"Range", "bytes=" + std::to_string(first) + "-" + std::to_string(last)}});
    REQUIRE(seen->wait_end());
    CHECK(seen->status() == 206);
    CHECK(seen->body() == body.substr(first, last - first + 1));
  }
};

}  // namespace

TEST_CASE("after a restart a file is known from its record, and slices on disk are served without the origin") {
  const Folder folder;
  const Film film;
  SlicedFilePtr known;
  {
    NodeUnderTest node(folder.path(), in_slices());
    film.at_origin_of(node);
    film.served(node, 500, 1'700);
    node.settle();
    known = node.index.sliced().find(object_key(node.link(kFilm)).id);
    REQUIRE(known);
  }
  NodeUnderTest node(folder.path(), in_slices());
  film.served(node, 200, 1'999);
  CHECK(node.workers.asked() == 0);
  const auto again = node.index.sliced().find(known->key.id);
  REQUIRE(again);
  CHECK(again->head == known->head);
  CHECK(again->seen == known->seen);
  film.at_origin_of(node);
  film.served(node, 1'999, 2'000);
  CHECK(node.workers.asked() == 1);  // the slice that was missing
}

TEST_CASE("a forgotten file stays unknown after a restart") {
  const Folder folder;
  const Film film;
  {
    NodeUnderTest node(folder.path(), in_slices());
    film.at_origin_of(node);
    film.served(node, 0, 9);
    node.index.sliced().forget(node.index.sliced().find(object_key(node.link(kFilm)).id));
    node.settle();
  }
  NodeUnderTest node(folder.path(), in_slices());
  CHECK_FALSE(node.index.sliced().find(object_key(node.link(kFilm)).id));
  film.at_origin_of(node);
  film.served(node, 0, 9);
  CHECK(node.workers.asked() == 1);  // only for the version; its slice is stored
}
