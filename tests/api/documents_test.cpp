#include "api/documents.h"
#include "api/access_client.h"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "api/catalogue_pages.h"
#include "base/json.h"
#include "net/server/http_server.h"

using namespace tribune;
using namespace tribune::api;

namespace {

base::json::Value parsed(const std::string& text) {
  auto value = base::json::parse(text);
  REQUIRE(value);
  return std::move(*value);
}

contracts::Event two_channels() {
  contracts::Event event;
  event.channels.resize(2);
  event.channels[0].id = "demo";
  event.channels[0].title = "The \"Demo\"";
  event.channels[1].id = "other";
  return event;
}

/// Says all that it can about a channel, and has a product that opens it.
shop::CatalogueView catalogue_about(const std::string& channel) {
  shop::CatalogueView catalogue;
  catalogue.channels.push_back(
      {channel, {"Main stage", ""}, "/main.jpg", {"Opening", ""}, base::WallTime(std::chrono::hours(1))});
  shop::ListedProduct listed;
  listed.product.id = channel;
  listed.product.kind = shop::ProductKind::channel;
  listed.product.title.en = "Main stage";
  listed.product.price = {500, "EUR"};
  listed.product.grant.channels = {channel};
  listed.taken = {0};
  catalogue.products.push_back(std::move(listed));
  return catalogue;
}

std::set<std::string> names_of(const base::json::Value& object) {
  std::set<std::string> names;
  for (const auto& member : object.object) names.insert(member.name);
  return names;
}

std::set<std::string> required_by(const base::json::Value& schema) {
  std::set<std::string> names;
  for (const auto& name : schema.find("required")->array) names.insert(name.string);
  return names;
}

/// All "$ref" references of the document.
void collect_references(const base::json::Value& value, std::set<std::string>& out) {
  if (const auto reference = value.text("$ref")) out.emplace(*reference);
  for (const auto& member : value.object) collect_references(member.value, out);
  for (const auto& item : value.array) collect_references(item, out);
}

}  // namespace

TEST_CASE("caches are listed with the URL to ping") {
  ApiSettings settings;
  settings.caches = {{"stadium", "http://s:81/"}};
  const auto value = parsed(caches_document(settings));
  const auto& cache = value.find("caches")->array.at(0);
  CHECK(cache.text("id") == "stadium");
  CHECK(cache.text("url") == "http://s:81");
  CHECK(cache.text("ping_url") == "http://s:81/ping");
  CHECK(caches_document({}) == R"({"caches":[]})");
}

TEST_CASE("the description is OpenAPI 3.1 in ASCII, and every reference in it can be resolved") {
  const std::string text(openapi_document());
  CHECK(std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; }));
  const auto document = parsed(text);
  CHECK(document.text("openapi") == "3.1.0");
  std::set<std::string> references;
  collect_references(document, references);
  CHECK(references.size() > 20);
  for (const auto& reference : references) {
    CAPTURE(reference);
    const base::json::Value* at = &document;
    for (std::size_t begin = 2; at && begin <= reference.size();) {
      const auto end = std::min(reference.find('/', begin), reference.size());
      at = at->find(reference.substr(begin, end - begin));
      begin = end + 1;
    }
    CHECK(at != nullptr);
  }
}

TEST_CASE("an app's request names its channel, and members that are reserved for operators are refused") {
  http::Request request;
  request.client = "192.0.2.7";
  request.body = R"({"channel":"demo","ticket":"t","cache":"stadium"})";
  BalancerEndpoint road;
  road.playback_base = "https://live.example";
  const auto made = access_request(request, road);
  REQUIRE(made);
  CHECK(made->channel == "demo");
  CHECK(made->pass == "t");
  CHECK(made->client == "192.0.2.7");
  CHECK(contracts::access_request_from_json(contracts::to_json(*made)) == *made);
  for (const auto* bad : {"", "[]", R"({})", R"({"channel":1})", R"({"channel":"demo","lane":"vip"})",
                          R"({"channel":"demo","account":"a"})"}) {
    CAPTURE(bad);
    request.body = bad;
    CHECK_FALSE(access_request(request, {}));
  }
}

TEST_CASE("only a request with the operator's token may name an account") {
  http::Request request;
  request.client = "192.0.2.7";
  request.body = R"({"channel":"demo","account":"ann","device":"TV","client":"198.51.100.9","lane":"paid"})";
  BalancerEndpoint road;
  road.operator_token = "operator-token";
  const auto refused = [&](base::ErrorKind kind) {
    const auto made = access_request(request, road);
    return !made && made.error().kind == kind;
  };
  CHECK(refused(base::ErrorKind::forbidden));
  request.headers = {{"Authorization", "Bearer wrong"}};
  CHECK(refused(base::ErrorKind::forbidden));
  request.headers = {{"Authorization", "Bearer operator-token"}};
  const auto made = access_request(request, road);
  REQUIRE(made);
  CHECK(made->account == "ann");
  CHECK(made->device == "TV");
  CHECK(made->client == "198.51.100.9");
  CHECK(made->lane == "paid");
  for (const auto* bad :
       {R"({"channel":"demo","device":"TV"})", R"({"channel":"demo","account":"ann","client":"near"})"}) {
    request.body = bad;
    CHECK(refused(base::ErrorKind::invalid_input));
  }
  request.headers = {{"Authorization", "Bearer "}};
  road.operator_token.clear();
  request.body = R"({"channel":"demo","account":"ann"})";
  CHECK(refused(base::ErrorKind::forbidden));
}

TEST_CASE("the balancer in the same process is requested at the address of the front listener") {
  CHECK(net::own_front_url({"0.0.0.0:8080"}) == "http://127.0.0.1:8080");
  CHECK(net::own_front_url({"[::]:8080", "1.2.3.4:1"}) == "http://[::1]:8080");
  CHECK(net::own_front_url({"127.0.0.1:0"}) == "");
  CHECK(net::own_front_url({}) == "");
}

TEST_CASE("the API's documents have the members that its schema requires, and no others than it has") {
  ApiSettings settings;
  settings.caches = {{"stadium", "http://s:81"}};
  const auto document = parsed(std::string(openapi_document()));
  const auto& schemas = *document.find("components")->find("schemas");
  const auto plain =
      parsed(channels_document(listed_channels(two_channels(), settings, {}, {}), Language::en, nullptr, {}));
  auto event = two_channels();
  event.channels[0].access = contracts::ChannelAccess::paid;
  const auto full = parsed(
      channels_document(listed_channels(event, settings, catalogue_about("demo"), {}), Language::en, nullptr, {}));
  const auto caches = parsed(caches_document(settings));
  const auto& cache = caches.find("caches")->array[0];
  const auto& least = plain.find("channels")->array[0];
  const auto& most = full.find("channels")->array[0];
  CHECK(names_of(least) == required_by(*schemas.find("Channel")));
  CHECK(names_of(most) == names_of(*schemas.find("Channel")->find("properties")));
  CHECK(names_of(cache) == required_by(*schemas.find("Cache")));
  const auto& required =
      schemas.find("Cache")->find("required")->array;  // the others are those of a list for a channel
  CHECK(names_of(cache).size() == required.size());
  for (const auto& name : required) CHECK(cache.find(name.string) != nullptr);
}
