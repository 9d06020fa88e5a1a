#include <doctest/doctest.h>

#include "config/section.h"

using namespace tribune::config;

namespace {

void check_all(std::string (*check)(const std::string&), std::initializer_list<const char*> fine,
               std::initializer_list<const char*> wrong) {
  for (const auto* text : fine) CHECK_MESSAGE(check(text).empty(), text);
  for (const auto* text : wrong) CHECK_MESSAGE(!check(text).empty(), text);
}

}  // namespace

TEST_CASE("a listen address is an address literal and a port") {
  check_all(check_listen_address, {"127.0.0.1:80", "0.0.0.0:0", "[::1]:8080", "[::]:65535"},
            {"", "8080", ":8080", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
             "127.0.0.1:8o", "::1:80", "[::1]", "[127.0.0.1]:80", "[]:80", "1.2.3:80", "1.2.3.4.5:80"});
}

TEST_CASE("an http URL is absolute, without a user name and a fragment") {
  check_all(check_http_url,
            {"http://a/b.m3u8", "https://example.com:8443/x?y=z", "http://[::1]:80/x", "http://10.0.0.1", "http://h?x"},
            {"", "a/b", "ftp://a/b", "HTTP://a", "http://", "http:///x", "http://user@host/", "http://user:pass@host/x",
             "http://a/b#c", "http://a b/", "http://a:0/", "http://a:65536/", "http://a:/", "http://[::1/x",
             "http://[zz]/", "http://a/\x01", "http://a/ü"});
}

TEST_CASE("a private URL is of https, or of http to this machine") {
  check_all(check_private_url,
            {"https://mail.example/hook?x=y", "https://10.0.0.1:8443/", "http://localhost:8080/x", "http://localhost",
             "http://127.0.0.1:80/x", "http://127.8.9.10?x", "http://[::1]:80/x"},
            {"", "http://mail.example/hook", "http://10.0.0.1/", "http://localhost.example/",
             "http://127.0.0.1.example/", "http://[::2]/", "http://127.1/", "https://user:pass@host/x", "https://a/b#c",
             "ftp://localhost/x", "HTTPS://a", "http://localhost@mail.example/", "http://LOCALHOST/"});
}

TEST_CASE("an http origin has no path") {
  check_all(check_http_origin, {"http://a", "https://example.com:8443", "http://[::1]:80"},
            {"", "a", "http://", "http://a/", "http://a/b", "http://a?x", "http://u@a", "http://a:99999", "file://a"});
}

TEST_CASE("an http base may have a path, without a slash at its end") {
  check_all(check_http_base,
            {"http://a", "https://example.com:8443", "http://[::1]:80", "https://a/nodes/stadium", "http://a/b"},
            {"", "a", "http://", "http://a/", "http://a/b/", "http://a//b", "http://a/../b", "http://a/b?x",
             "http://a/b#x", "http://a/%2e", "http://u@a/b", "http://a:99999"});
}

TEST_CASE("a prefix is an address with as many bits as it can have") {
  check_all(check_prefix, {"10.0.0.0/8", "192.0.2.7", "192.0.2.7/32", "::1", "fd00::/8", "::/0"},
            {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "fd00::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "host/8"});
}

TEST_CASE("an id is short and plain") {
  check_all(check_id, {"a", "7", "demo-ts", "a.b_c"}, {"", "-a", ".a", "A", "a b", "a/b", "ä"});
  CHECK(check_id(std::string(64, 'a')).empty());
  CHECK_FALSE(check_id(std::string(65, 'a')).empty());
}
