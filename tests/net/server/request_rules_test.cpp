#include <doctest/doctest.h>

#include <string>

#include "net/client_address.h"
#include "net/event_loop.h"
#include "net/server/connection_limits.h"
#include "net/server/http_server.h"
#include "net/server/proxy_protocol.h"
#include "net/server/send_rate_watch.h"
#include "support/ip_texts.h"

using namespace tribune;
using namespace tribune::net;
using tribune::test::ip;
using tribune::test::prefixes;
using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

/// A header of version 2 (haproxy's proxy-protocol.txt, section 2.2).
std::string after_signature(std::string_view rest) { return "\r\n\r\n\0\r\nQUIT\n"s.append(rest); }

}  // namespace

TEST_CASE("the client is the rightmost address that is not a trusted proxy") {
  const auto trusted = prefixes({"10.0.0.0/8"});
  const auto named = [&](std::string_view field) {
    const auto client = forwarded_client(field, trusted);
    return client ? client->text() : "";
  };
  CHECK(named("203.0.113.7") == "203.0.113.7");
  CHECK(named("9.9.9.9, 203.0.113.7") == "203.0.113.7");
  CHECK(named("9.9.9.9, 203.0.113.7 , 10.0.0.1,10.0.0.2") == "203.0.113.7");
  CHECK(named("10.0.0.1, 10.0.0.2") == "10.0.0.1");
  CHECK(named("203.0.113.7:4711") == "203.0.113.7");
  CHECK(named("[2001:db8::1]:4711, 10.0.0.1") == "2001:db8::1");
  CHECK(named("2001:db8::1") == "2001:db8::1");
  CHECK(named("203.0.113.7, unknown, 10.0.0.1") == "10.0.0.1");
  CHECK(named("203.0.113.7, unknown") == "");
  CHECK(named("") == "");
}

TEST_CASE("PROXY headers of both versions are read") {
  auto header = read_proxy_header("PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\nGET /");
  CHECK(header.state == ProxyHeader::State::complete);
  CHECK(header.length == 42);
  CHECK(header.client->text() == "203.0.113.7");
  CHECK(header.client_port == 4711);
  CHECK(read_proxy_header("PROXY TCP6 2001:db8::1 ::1 1 2\r\n").client->text() == "2001:db8::1");
  header = read_proxy_header("PROXY UNKNOWN ffff::1 whatever\r\n");
  CHECK(header.state == ProxyHeader::State::complete);
  CHECK_FALSE(header.client.has_value());

  const auto four = after_signature("\x21\x11\0\x0f"sv) + "\xcb\0\x71\7\xc0\0\2\1\x12\x67\0\x50"s + "\4\0\0"s;
  header = read_proxy_header(four + "rest");
  CHECK(header.state == ProxyHeader::State::complete);
  CHECK(header.length == four.size());
  CHECK(header.client->text() == "203.0.113.7");
  CHECK(header.client_port == 4711);
  const auto local = after_signature("\x20\0\0\0"sv);
  CHECK(read_proxy_header(local).state == ProxyHeader::State::complete);
  CHECK_FALSE(read_proxy_header(local).client.has_value());
  for (const auto& whole : {four, local, "PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n"s})
    for (std::size_t size = 0; size < whole.size(); ++size)
      CHECK(read_proxy_header(std::string_view(whole).substr(0, size)).state == ProxyHeader::State::incomplete);
}

TEST_CASE("a malformed PROXY header is invalid") {
  for (const auto& bad :
       {"GET / HTTP/1.1\r\n"s, "PROXY TCP4 203.0.113.7\r\n"s, "PROXY TCP4 x 192.0.2.1 1 2\r\n"s,
        "PROXY TCP4 203.0.113.7 192.0.2.1 65536 80\r\n"s, "PROXY TCP4 203.0.113.7 192.0.2.1 1 2 \r\n"s,
        "PROXY TCP6 203.0.113.7 192.0.2.1 1 2\r\n"s, "PROXY TCP4 ::1 ::1 1 2\r\n"s,
        "PROXY UDP4 1.1.1.1 1.1.1.1 1 2\r\n"s, "PROXY TCP4 203.0.113.7  192.0.2.1 1 2\r\n"s, "PROXY "s.append(200, 'x'),
        after_signature("\x11\x11\0\0"sv), after_signature("\x22\x11\0\0"sv), after_signature("\x21\x11\0\4abcd"sv),
        after_signature("\x21\x21\0\4abcd"sv), after_signature("\x21\x11\xff\xff"sv)})
    CHECK_MESSAGE(read_proxy_header(bad).state == ProxyHeader::State::invalid, bad);
}

TEST_CASE(
    "a PROXY header of version 2 has at least its addresses and at most the maximum, and one of version 1 107 bytes") {
  const auto header_of = [](char family, std::size_t length) {
    const char head[] = {'\x21', family, static_cast<char>(length >> 8), static_cast<char>(length & 0xff)};
    return read_proxy_header(after_signature(std::string_view(head, 4)) + std::string(length, '\1'));
  };
  using State = ProxyHeader::State;
  for (const std::size_t longest : {2048u, 2047u}) CHECK(header_of('\x11', longest).state == State::complete);
  CHECK(header_of('\x11', 2049).state == State::invalid);
  CHECK(header_of('\x11', 11).state == State::invalid);
  CHECK(header_of('\x11', 12).client->text() == "1.1.1.1");
  CHECK(header_of('\x11', 12).client_port == 0x0101);
  CHECK(header_of('\x21', 35).state == State::invalid);
  CHECK(header_of('\x21', 36).client->text() == "101:101:101:101:101:101:101:101");
  CHECK(header_of('\x21', 36).client_port == 0x0101);
  for (const char other : {'\x00', '\x12', '\x22', '\x31'}) {
    CHECK(header_of(other, 0).state == State::complete);
    CHECK_FALSE(header_of(other, 36).client.has_value());
  }
  const auto line_of = [](std::size_t length) { return "PROXY UNKNOWN " + std::string(length - 16, 'x') + "\r\n"; };
  CHECK(read_proxy_header(line_of(106)).state == State::complete);
  CHECK(read_proxy_header(line_of(107)).length == 107);
  CHECK(read_proxy_header(line_of(108)).state == State::invalid);
}

TEST_CASE("a client is too slow after a whole window below the rate") {
  SendRateWatch watch;
  const SendRate rate{8'000, 10s};  // 1000 bytes per second
  base::SteadyTime now{1h};
  CHECK_FALSE(watch.is_too_slow(now, 0, 100'000, rate));
  for (int second = 1; second < 10; ++second)
    CHECK_FALSE(watch.is_too_slow(now + std::chrono::seconds(second), 0, 100'000, rate));
  CHECK(watch.is_too_slow(now + 10s, 9'999, 90'001, rate));

  watch.reset();
  CHECK_FALSE(watch.is_too_slow(now, 0, 100'000, rate));
  CHECK_FALSE(watch.is_too_slow(now + 10s, 10'000, 90'000, rate));
  CHECK(watch.is_too_slow(now + 20s, 10'100, 89'900, rate));
}

TEST_CASE("time without queued bytes does not count against a client") {
  SendRateWatch watch;
  const SendRate rate{8'000, 10s};
  const base::SteadyTime now{1h};
  CHECK_FALSE(watch.is_too_slow(now, 0, 10, rate));
  CHECK_FALSE(watch.is_too_slow(now + 9s, 10, 0, rate));
  CHECK_FALSE(watch.is_too_slow(now + 10s, 10, 5, rate));
  CHECK_FALSE(watch.is_too_slow(now + 19s, 10, 5, rate));
  CHECK(watch.is_too_slow(now + 20s, 10, 5, rate));
  CHECK_FALSE(watch.is_too_slow(now + 40s, 10, 5, {0, 10s}));
}

TEST_CASE("the connections of an address are counted up to the limit") {
  ConnectionLimits limits;
  CHECK(limits.enter(ip("192.0.2.1"), 2));
  CHECK(limits.enter(ip("192.0.2.1"), 2));
  CHECK_FALSE(limits.enter(ip("192.0.2.1"), 2));
  CHECK(limits.enter(ip("192.0.2.2"), 2));
  limits.leave(ip("192.0.2.1"));
  CHECK(limits.enter(ip("192.0.2.1"), 2));
  CHECK(limits.claim("a"));
  CHECK_FALSE(limits.claim("a"));
}

TEST_CASE("the worker with the longest idle connection is asked to close it") {
  ConnectionLimits limits;
  EventLoop mine, other;
  int closed_mine = 0, closed_other = 0;
  const auto own = limits.add_worker(mine, [&] { ++closed_mine; });
  const auto theirs = limits.add_worker(other, [&] {
    ++closed_other;
    other.stop();
  });
  CHECK_FALSE(limits.evict_longest_idle(own));
  own->set_longest_idle_since(base::SteadyTime{2s});
  CHECK(limits.evict_longest_idle(own));
  CHECK(closed_mine == 1);
  theirs->set_longest_idle_since(base::SteadyTime{1s});
  CHECK(limits.evict_longest_idle(own));
  CHECK(closed_other == 0);
  other.run();
  CHECK(closed_other == 1);
  theirs->set_none_idle();
  CHECK(limits.evict_longest_idle(own));
  CHECK(closed_mine == 2);
  limits.remove_worker(own);
  limits.remove_worker(theirs);
}

TEST_CASE("the settings of a server are read with their bounds") {
  const auto text =
      R"({"listen": ["127.0.0.1:0"], "trusted_proxies": ["10.0.0.0/8"], "limits": {"head_timeout": "2s", "min_send_rate_bps": 0}})";
  const auto value = base::json::parse(text);
  REQUIRE(value.has_value());
  ServerSettings settings;
  config::Problems problems;
  server_section().read(*value, "server", settings, problems);
  CHECK(problems.none());
  CHECK(settings.listen == std::vector<std::string>{"127.0.0.1:0"});
  CHECK(settings.limits.head_timeout == 2s);
  CHECK(settings.limits.min_send_rate_bps == 0);
  CHECK(settings.limits.max_header_fields == 100);

  const auto bad = base::json::parse(R"({"listen": ["nowhere"], "limits": {"max_head_bytes": 1}})");
  server_section().read(*bad, "server", settings, problems);
  CHECK(problems.all().size() == 2);
}
