#include "balancer/sources/documents/document.h"

#include <doctest/doctest.h>

#include "contracts/link.h"

using namespace tribune;
using namespace tribune::balancer;

namespace {

const base::WallTime kDocumentTime{std::chrono::seconds{1'700'000'000}};

base::KeyRing document_keys() { return base::KeyRing({{"k1", "0123456789abcdef", std::nullopt}}); }

struct Target {
  std::string path, query;
};

Target cut(const std::string& target) {
  const auto mark = target.find('?');
  return {target.substr(0, mark), target.substr(mark + 1)};
}

}  // namespace

TEST_CASE("the path of a document names its kind, its path at the origin and the origin's own query") {
  const std::vector<std::pair<DocumentName, std::string>> table{
      {{DocumentKind::asset_list, {"ads/l.json", ""}}, "~doc/assets/-/ads/l.json"},
      {{DocumentKind::steering, {"~1/steer", "x=1"}}, "~doc/steering/eD0x/~1/steer"},
      {{DocumentKind::json, {"~0b/L2Ev.json", "~q=YT0lMmY"}}, "~doc/json/fnE9WVQwbE1tWQ/~0b/L2Ev.json"},
      {{DocumentKind::raw, {"a/b/c.bin", ""}}, "~doc/raw/-/a/b/c.bin"}};
  for (const auto& row : table) {
    CAPTURE(row.second);
    CHECK(document_path(row.first) == row.second);
    CHECK(read_document_path(row.second) == row.first);
  }
  for (const std::string bad : {"", "v.m3u8", "~doc/", "~doc/assets", "~doc/assets/-", "~doc/assets/-/",
                                "~doc/assets//a", "~doc/list/-/a", "~doc/assets/a b/x", "~doc/assets/=/x"}) {
    CAPTURE(bad);
    CHECK_FALSE(read_document_path(bad));
  }
}

TEST_CASE("only a signed document is accepted, at any age and with the keys that players add") {
  const auto keys = document_keys();
  const DocumentName name{DocumentKind::asset_list, {"ads/l.json", "a=1"}};
  const auto [path, query] = cut(signed_document(keys, "demo", name, kDocumentTime));
  const auto verify = [&](const std::string& channel, const std::string& p, const std::string& q) {
    return verify_document(keys, channel, p, q, kDocumentTime + std::chrono::hours{100});
  };
  REQUIRE(verify("demo", path, query));
  CHECK(*verify("demo", path, query) == name);
  CHECK(verify("demo", path, query + "&_HLS_primary_id=5&_HLS_start_offset=2.5&_HLS_msn=7"));
  const std::vector<std::pair<std::string, std::string>> forged{{path, ""},
                                                                {path, "tl=doc.0.k1.AAAA"},
                                                                {"~doc/steering/YT0x/ads/l.json", query},
                                                                {"~doc/assets/-/ads/l.json", query},
                                                                {"~doc/assets/YT0x/ads/m.json", query},
                                                                {path, "b=1&" + query}};
  for (const auto& link : forged) {
    CAPTURE(link.first);
    CAPTURE(link.second);
    CHECK_FALSE(verify("demo", link.first, link.second));
  }
  CHECK_FALSE(verify("other", path, query));
}

TEST_CASE("the link of a segment is not valid for a document") {
  const auto keys = document_keys();
  for (const std::string path : {"ads/l.json", "~doc/assets/-/ads/l.json"}) {
    const contracts::Link link{"demo", "ep1", path, "", base::unix_seconds(kDocumentTime) + 60, 0};
    CHECK_FALSE(verify_document(keys, "demo", path, contracts::signed_query(keys, link, kDocumentTime), kDocumentTime));
  }
}

TEST_CASE("the origin receives the keys of a player's query that it needs, in one notation") {
  struct Row {
    DocumentKind kind;
    std::string query, expected;
  };
  const std::vector<Row> table{
      {DocumentKind::asset_list, "tl=x&_HLS_primary_id=7&_HLS_start_offset=12.3456789", "_HLS_start_offset=12.345"},
      {DocumentKind::asset_list, "_HLS_start_offset=12", "_HLS_start_offset=12"},
      {DocumentKind::asset_list, "_HLS_start_offset=0", ""},
      {DocumentKind::asset_list, "_HLS_start_offset=-1", ""},
      {DocumentKind::asset_list, "_HLS_start_offset=1e3", ""},
      {DocumentKind::asset_list, "_HLS_start_offset=nan", ""},
      {DocumentKind::asset_list, "_HLS_start_offset=100000", ""},
      {DocumentKind::asset_list, "_HLS_pathway=A&_HLS_msn=4", ""},
      {DocumentKind::steering, "_HLS_pathway=CDN-A&_HLS_throughput=5140000", "_HLS_pathway=CDN-A"},
      {DocumentKind::steering, "_HLS_pathway=%22CDN-A%22", "_HLS_pathway=%22CDN-A%22"},
      {DocumentKind::steering, "_HLS_pathway=a%26b=c", ""},
      {DocumentKind::steering, "_HLS_pathway=" + std::string(65, 'a'), ""},
      {DocumentKind::steering, "_HLS_start_offset=4", ""},
      {DocumentKind::json, "_HLS_start_offset=4&_HLS_pathway=A", ""},
      {DocumentKind::raw, "a=b", ""}};
  for (const auto& row : table) {
    CAPTURE(row.query);
    CHECK(query_for_origin(row.kind, row.query) == row.expected);
  }
}
