#include "balancer/sources/documents/document_text.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include "contracts/link.h"

using namespace tribune;
using namespace tribune::balancer;

namespace {

const base::WallTime kDocumentTextTime{std::chrono::seconds{1'700'000'000}};

struct DocumentFixture {
  LinkMaking links{
      "demo", contracts::origin_set("http://origin/live/demo/main.m3u8", {"https://ads"}),
      std::make_shared<base::KeyRing>(std::vector<base::SigningKey>{{"k1", "0123456789abcdef", std::nullopt}})};
  DocumentMaking making{links, *http::parse_uri("http://origin/live/demo/lists/l.json"), "ep1", 1'700'100'000,
                        kDocumentTextTime};

  /// '>' stands for the prefix of the session.
  static std::string text(const base::Result<DocumentText>& made) {
    if (!made) return made.error().text;
    return Document{"", made->pieces}.text(">");
  }
  std::string list(const std::string& json) { return text(asset_list_text(json, making)); }
  std::string steering(const std::string& json) { return text(steering_text(json, making)); }
};

}  // namespace

TEST_CASE("only the URIs of an asset list at the channel's origins are changed") {
  DocumentFixture s;
  const std::vector<std::pair<std::string, std::string>> table{
      {R"({"ASSETS":[{"URI":"ad.m3u8","DURATION":10.50}]})",
       R"({"ASSETS":[{"URI":">lists/ad.m3u8","DURATION":10.50}]})"},
      {R"( {"X-A" : [1e3, null], "ASSETS" : [ { "DURATION":5 , "URI" : "http:\/\/origin\/live\/demo\/a\u0064.m3u8?x=1&_HLS_y=2" , "X-\u00e9":"é\n" } ] , "Z":{} } )",
       R"( {"X-A" : [1e3, null], "ASSETS" : [ { "DURATION":5 , "URI" : ">ad.m3u8?x=1" , "X-\u00e9":"é\n" } ] , "Z":{} } )"},
      {R"({"ASSETS":[{"URI":"https://ads/m.m3u8"},{"URI":"https://elsewhere/m.m3u8"},{"URI":"data:text/plain,"},{"URI":""},{"URI":7},{},4]})",
       R"({"ASSETS":[{"URI":">~1/m.m3u8"},{"URI":"https://elsewhere/m.m3u8"},{"URI":"data:text/plain,"},{"URI":""},{"URI":7},{},4]})"},
      {R"({"ASSETS":[{"URI":"../main"},{"URI":"/index.m3u8"},{"URI":"/live/demo/index.m3u8"}]})",
       R"({"ASSETS":[{"URI":">main"},{"URI":">~0/index.m3u8"},{"URI":">~media/index.m3u8"}]})"},
      {R"({"ASSETS":[]})", R"({"ASSETS":[]})"},
      {R"({"URI":"x.m3u8","ASSETS":[{"N":{"URI":"y.m3u8"}}]})",
       R"({"URI":"x.m3u8","ASSETS":[{"N":{"URI":"y.m3u8"}}]})"}};
  for (const auto& row : table) {
    CAPTURE(row.first);
    CHECK(s.list(row.first) == row.second);
  }
}

TEST_CASE("an asset that is a media file gets a signed link, and one that is a playlist is registered") {
  DocumentFixture s;
  const auto made = asset_list_text(R"({"ASSETS":[{"URI":"ad.mp4?x=1"},{"URI":"b.m3u8?q=2"}]})", s.making);
  REQUIRE(made);
  CHECK(made->pieces.size() == 3);
  const auto query =
      made->pieces[1].substr(made->pieces[1].find('?') + 1, made->pieces[1].find('"') - made->pieces[1].find('?') - 1);
  CHECK(made->pieces[1].starts_with("lists/ad.mp4?x=1&tl=ep1.1700100000.k1."));
  CHECK(
      contracts::verify_link(*s.links.keys, "demo", "lists/ad.mp4", query, kDocumentTextTime, std::chrono::seconds{0}));
  REQUIRE(made->playlists.size() == 1);
  CHECK(made->playlists[0].path == "lists/b.m3u8");
  CHECK(made->playlists[0].query == "q=2");
  CHECK(made->playlists[0].uri.text() == "http://origin/live/demo/lists/b.m3u8?q=2");
}

TEST_CASE("an asset with a scheme that means nothing to a player makes its list unusable") {
  DocumentFixture s;
  for (const auto* uri : {"javascript:alert(1)", " JAVA\\tscript:alert(1)", "file:///etc/passwd", "blob:x"})
    CHECK(s.list(fmt::format(R"({{"ASSETS":[{{"URI":"{}"}}]}})", uri)).find("which is not allowed") !=
          std::string::npos);
}

TEST_CASE("a malformed asset list is refused, and so is one beyond the bounds") {
  DocumentFixture s;
  std::string many = "{\"ASSETS\":[", deep = "{\"ASSETS\":[],\"A\":";
  for (std::size_t i = 0; i <= kMaxAssets; ++i) many += fmt::format("{}{{\"URI\":\"{}\"}}", i == 0 ? "" : ",", i);
  for (int i = 0; i < 100; ++i) deep += "[";
  for (const auto& bad : std::vector<std::string>{
           "", "<html>", "[]", "{}", "{\"ASSETS\":{}}", "{\"ASSETS\":[]", "{\"ASSETS\":[],\"ASSETS\":[]}", many + "]}",
           deep, "{\"ASSETS\":[]," + std::string(kMaxDocumentBytes, ' ') + "\"a\":1}"}) {
    CAPTURE(bad.substr(0, 60));
    const auto made = asset_list_text(bad, s.making);
    REQUIRE_FALSE(made);
    CHECK(made.error().fault == base::Fault::origin);
  }
}

TEST_CASE("a steering manifest keeps its order and TTL, and names no host of the origin") {
  DocumentFixture s;
  const std::vector<std::pair<std::string, std::string>> table{
      {R"({"VERSION":1,"TTL":300,"PATHWAY-PRIORITY":["A","B"]})",
       R"({"VERSION":1,"TTL":300,"PATHWAY-PRIORITY":["A","B"]})"},
      {R"({"RELOAD-URI":"?s=2","VERSION":1,"TTL":3})", R"({"VERSION":1,"TTL":3})"},
      {"{ \"VERSION\" : 1 ,\n \"X-O\" : {\"a\":[1,{}]} , \"RELOAD-URI\" : \"https://elsewhere/s\" , \"TTL\" : 3 }\n",
       "{\"VERSION\" : 1,\"X-O\" : {\"a\":[1,{}]},\"RELOAD-URI\":\"https://elsewhere/s\",\"TTL\" : 3}"},
      {R"({"VERSION":1,"PATHWAY-CLONES":[{"BASE-ID":"A","ID":"C","URI-REPLACEMENT":{"HOST":"origin"}}],"RELOAD-URI":"https://ads/s?x"})",
       R"({"VERSION":1})"},
      {R"({"RELOAD-URI":"/s"})", "{}"},
      {"{}", "{}"}};
  for (const auto& row : table) {
    CAPTURE(row.first);
    CHECK(s.steering(row.first) == row.second);
  }
  const auto made = steering_text(R"({"RELOAD-URI":"?s=2","VERSION":1,"TTL":3})", s.making);
  REQUIRE(made);
  CHECK(made->reload == "http://origin/live/demo/lists/l.json?s=2");
  CHECK(made->ttl == std::chrono::seconds{3});
  for (const std::string bad : {"", "[]", "{\"VERSION\":1", "7"}) CHECK_FALSE(steering_text(bad, s.making));
}
