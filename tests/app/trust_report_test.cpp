#include "app/trust_report.h"

#include <doctest/doctest.h>

#include "app/schema.h"

using namespace tribune;
using namespace tribune::app;

namespace {

std::string report_of(const std::string& sections) {
  const auto settings =
      settings_of({"f", R"({"event": {"keys": [{"id": "k1", "secret": "scenario-secret-0123456789abcdef"}]},
      "balancer": {"state_dir": "s", "nodes": [])" +
                            sections});
  REQUIRE_MESSAGE(settings, settings.error());
  return trust_report(*settings);
}

bool says(const std::string& report, const std::string& line) {
  return report.find("trusts  " + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("the report prints none where no client is trusted") {
  const auto report = report_of(R"(}, "front": {"listen": ["0.0.0.0:80"]}})");
  CHECK(says(report, "X-Forwarded-For, X-Forwarded-Proto: none"));
  CHECK(says(report, "/access_queue_switch: none"));
  CHECK(says(report, "admin listener: all clients that can connect to 127.0.0.1:9080"));
  CHECK(says(report, "links, tokens, tickets, heartbeats, orders and peers: holders of the event keys k1"));
}

TEST_CASE("the report says whether names of origins may lead to special addresses, by default none") {
  const std::string names =
      "names of origins that lead the balancer to loopback, private and other special addresses: ";
  CHECK(says(report_of(R"(}, "front": {"listen": ["0.0.0.0:80"]}})"), names + "none"));
  CHECK(says(report_of(R"(, "origin": {"allow_special_addresses": true}}, "front": {"listen": ["0.0.0.0:80"]}})"),
             names + "all"));
}

TEST_CASE("the report names the origin of the plain cache") {
  const auto settings =
      settings_of({"f", R"({"http_cache": {"listen": ["127.0.0.1:0"], "origin": "http://origin.test"}})"});
  REQUIRE_MESSAGE(settings, settings.error());
  CHECK(says(trust_report(*settings), "origin of the plain cache: http://origin.test"));
}

TEST_CASE("the report has the trusted proxies, networks and tokens, and no secret") {
  const auto report = report_of(R"(, "operator_networks": ["10.1.0.0/16"], "operator_token": "secret-of-operators"},
      "front": {"listen": ["0.0.0.0:80"], "trusted_proxies": ["10.0.0.0/8"], "proxy_protocol": true},
      "admin": {"listen": ["0.0.0.0:9080"], "token": "secret-of-the-admin", "names": ["ops.example"]}})");
  CHECK(says(report, "X-Forwarded-For, X-Forwarded-Proto: 10.0.0.0/8"));
  CHECK(says(report,
             "PROXY header: 10.0.0.0/8; required on their connections, and the client address that it carries is "
             "checked again"));
  CHECK(says(report, "/access_queue_switch: 10.1.0.0/16, and clients that present balancer.operator_token"));
  CHECK(says(report, "admin listener: clients that present admin.token at 0.0.0.0:9080"));
  CHECK(says(report, "admin host names: ops.example, in addition to its addresses and localhost"));
  CHECK(report.find("secret") == std::string::npos);
}

TEST_CASE("the report names the origin of the hook that receives one-time codes") {
  CHECK(report_of(R"(}, "front": {"listen": ["0.0.0.0:80"]}, "api": {}})").find("one-time codes") == std::string::npos);
  const auto with_hook = [](const std::string& hook) {
    return report_of(
        R"(}, "front": {"listen": ["0.0.0.0:80"]}, "api": {"accounts": {"state_dir": "s", "reset_hook": )" + hook +
        "}}}");
  };
  CHECK(says(with_hook("{}"), "one-time codes for forgotten passwords: operators"));
  CHECK(says(with_hook(R"({"url": "https://mail.test:8443/codes?key=x", "token_file": "t"})"),
             "one-time codes for forgotten passwords: operators, and https://mail.test:8443, which receives those that "
             "viewers request"));
}

TEST_CASE("the report names the paid channels whose media need no session") {
  const auto report_with = [](const std::string& channel) {
    const auto settings = settings_of({"f", R"({"front": {"listen": ["0.0.0.0:80"]}, "api": {},
      "event": {"keys": [{"id": "k1", "secret": "scenario-secret-0123456789abcdef"}],
                "channels": [{"id": "cup", "source": "http://o.test/i.m3u8")" +
                                                channel + "}]}}"});
    REQUIRE_MESSAGE(settings, settings.error());
    return trust_report(*settings);
  };
  CHECK(report_with(R"(, "access": "paid")").find("paid channels") == std::string::npos);
  CHECK(report_with(R"(, "links": "direct", "fallback": "origin")").find("paid channels") == std::string::npos);
  CHECK(says(report_with(R"(, "access": "paid", "links": "direct", "fallback": "origin")"),
             "media of paid channels without a session: holders of links of cup, holders of the origin's URLs of cup"));
}
