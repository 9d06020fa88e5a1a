// Any bytes as the body of a request to the api. What an endpoint reads is within its bounds and survives a round trip
// as JSON; the words for what is wrong can be shown to people.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/account.h"
#include "api/access_client.h"
#include "api/cache_requests.h"
#include "api/refresh_token.h"
#include "api/request_body.h"
#include "base/json.h"
#include "contracts/canonical.h"
#include "http/uri_bytes.h"

using namespace tribune;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct TextMember {
  std::string_view name;
  std::size_t least;  // 0: the member is optional
  std::size_t most;
};
struct Endpoint {
  std::vector<TextMember> texts;
  std::string_view flag = "";  // empty: it has none
};

/// As the handlers of accounts read them.
const std::vector<Endpoint>& endpoints() {
  constexpr TextMember kLogin{"login", 1, accounts::kMaxLoginBytes};
  constexpr TextMember kPassword{"password", 1, accounts::kMaxPasswordBytes};
  constexpr TextMember kNewPassword{"new_password", 1, accounts::kMaxPasswordBytes};
  static const std::vector<Endpoint> endpoints{{{kLogin, kPassword}},  // registration
                                               {{kLogin,
                                                 kPassword,
                                                 {"device", 0, accounts::kMaxDeviceNameBytes},
                                                 {"device_token", 0, api::kMaxKnownDeviceCharacters}}},
                                               {{{"refresh_token", 1, api::kMaxRefreshTokenCharacters}}},
                                               {{kLogin, {"code", 1, 32}, kNewPassword}},
                                               {{kPassword, kNewPassword}},
                                               {{kPassword}},        // the end of the account
                                               {{}, "everywhere"}};  // logout
  return endpoints;
}

http::Request request_with(std::string_view body) {
  http::Request request;
  request.method = http::Method::post;
  request.client = "192.0.2.7";
  request.body = body;
  return request;
}

bool is_for_people(std::string_view text) {
  return !text.empty() && http::is_utf8(text) &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

struct Reading {
  std::vector<std::string> texts;
  bool flag = false;
  bool is_accepted = false;
  bool operator==(const Reading&) const = default;
};

Reading read(const Endpoint& endpoint, std::string_view text) {
  const auto request = request_with(text);
  api::RequestBody body(request);
  Reading reading;
  for (const auto& [name, least, most] : endpoint.texts) {
    reading.texts.push_back(least > 0 ? body.text(name, least, most) : body.optional_text(name, most));
    const auto& value = reading.texts.back();
    require(value.size() <= most && http::is_utf8(value));
  }
  if (!endpoint.flag.empty()) reading.flag = body.optional_flag(endpoint.flag);
  const auto wrong = body.finish();
  reading.is_accepted = !wrong;
  const bool is_too_large = text.size() > api::RequestBody::kMaxBodyBytes;
  require(&body.problem_type() == (is_too_large ? &http::problems::body_too_large : &http::problems::bad_request));
  require(!wrong || (is_for_people(wrong->en) && is_for_people(wrong->ru)));
  require(!is_too_large || wrong);
  const bool is_object = base::json::parse(text, {false, 4, api::RequestBody::kMaxBodyBytes, 64})
                             .map([](const auto& value) { return value.is(base::json::Kind::object); })
                             .value_or(false);
  if (is_object) return reading;
  require(wrong && !reading.flag);
  for (const auto& value : reading.texts) require(value.empty());
  return reading;
}

void check_endpoint(const Endpoint& endpoint, std::string_view text) {
  const auto reading = read(endpoint, text);
  if (!reading.is_accepted) return;
  base::json::Writer w;
  w.begin_object();
  for (std::size_t i = 0; i < endpoint.texts.size(); ++i) {
    require(reading.texts[i].size() >= endpoint.texts[i].least);
    w.member(endpoint.texts[i].name, reading.texts[i]);
  }
  if (!endpoint.flag.empty()) w.member(endpoint.flag, reading.flag);
  const auto written = w.end_object().take();
  // Escapes may make it longer than a body may be: a control character of one byte has six.
  if (written.size() <= api::RequestBody::kMaxBodyBytes) require(read(endpoint, written) == reading);
}

/// The balancer reads the request as the api wrote it.
void check_request(const base::Result<contracts::AccessRequest>& made) {
  if (!made) return require(is_for_people(made.error().text));
  const auto read = contracts::access_request_from_json(contracts::to_json(*made));
  require(read && *read == *made);
}

void check_access(std::string_view text) {
  static const api::BalancerEndpoint road{"http://127.0.0.1:8080", "https://balancer.example", nullptr, "operator"};
  auto request = request_with(text);
  const auto made = api::access_request(request, road);
  check_request(made);
  require(!made || (!made->channel.empty() && made->account.empty() && made->device.empty() && made->lane.empty() &&
                    made->client == request.client));
  request.headers.add("Authorization", "Bearer operator");
  const auto by_operator = api::access_request(request, road);
  check_request(by_operator);
  require(!made || (by_operator && *by_operator == *made));
  const auto report = api::session_report(request);
  check_request(report);
  require(!report || report->gone.empty() || contracts::is_id(report->gone));
  require(!report || report->cache.empty() || contracts::is_id(report->cache));
  const auto pings = api::pings_report(request);
  check_request(pings);
  require(!pings || (contracts::is_id(pings->channel) && pings->pass.size() <= api::kMaxPassBytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const auto& endpoint : endpoints()) check_endpoint(endpoint, input);
  check_access(input);
  return 0;
}
