#include <doctest/doctest.h>
#include <sys/resource.h>

#include <optional>

#include "net/server_fixture.h"

using namespace tribune;
using namespace tribune::net;
using namespace tribune::test;

namespace {

const std::string kDescriptorsGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kBegun = "GET /a HT";

/// Leaves the client in the middle of a head that the server has received: its beginning came with the request that was
/// answered. While all connections are in this state none is closed for a new client.
void keep_busy(RawClient& client) { CHECK(status_of_answer(client.ask(kDescriptorsGet + kBegun)) == 200); }

/// Lowers the process's limit of descriptors during its lifetime.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t count) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{count, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("without free descriptors accepting pauses without a busy loop, and resumes later") {
  ServerUnderTest server(echo);
  CHECK(status_of_answer(server.client().ask(kDescriptorsGet)) == 200);
  REQUIRE(server.becomes_true([&] { return server.server().connections() == 0; }));
  std::vector<RawClient> clients(20);
  {
    const FewDescriptors few(static_cast<rlim_t>(clients.back().fd()) + 4);  // three for the server's ends
    for (std::size_t i = 0; i < clients.size(); ++i) {
      clients[i].connect(server.address());
      if (i < 3)
        keep_busy(clients[i]);
      else
        clients[i].send(kBegun);
    }
    CHECK(server.becomes_true(
        [&] { return server.metric("tribune_http_accept_pauses_total{listener=\"front\"}") >= 1; }));
    CHECK(server.connections() == 3);
  }
  for (auto& client : clients) client.send("TP/1.1\r\nHost: x\r\n\r\n");
  CHECK(server.metric("tribune_http_accept_pauses_total{listener=\"front\"}") < 5);
  for (auto& client : clients) CHECK(status_of_answer(client.read_answer()) == 200);
}

TEST_CASE("a share of the descriptors is reserved, and accepting resumes when connections end") {
  std::optional<FewDescriptors> few(240);  // 160 for connections
  ServerUnderTest server(echo);
  few.reset();  // the clients of this test need descriptors, too
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(server.client());
    if (i < 160) keep_busy(clients.back());
  }
  CHECK(
      server.becomes_true([&] { return server.metric("tribune_http_accept_pauses_total{listener=\"front\"}") >= 1; }));
  CHECK(server.connections() == 161);
  const auto began = std::chrono::steady_clock::now();
  for (auto half = clients.size() / 2; half != 0; --half) clients.pop_back();
  CHECK(status_of_answer(server.client().ask(kDescriptorsGet)) == 200);
  CHECK(std::chrono::steady_clock::now() - began < 1s);
}
