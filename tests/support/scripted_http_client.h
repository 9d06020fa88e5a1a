#pragma once
// An HTTP client whose responses a test writes. Owned by one loop.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "http/uri.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"

namespace tribune::test {

struct ScriptedResponse {
  int status = 200;
  std::string body = {};
  http::Headers headers = {};
  std::optional<std::uint64_t> content_length = {};
};

/// Calls the script for each request, and delivers its response in the next round of the loop. A request for which the
/// script returns nullopt gets no response.
class ScriptedHttpClient : public net::HttpClient {
 public:
  using Script = std::function<std::optional<ScriptedResponse>(const net::FetchRequest&)>;
  ScriptedHttpClient(net::EventLoop& loop, Script script) : loop_(loop), script_(std::move(script)) {}

  std::unique_ptr<net::Fetch> start(net::FetchRequest request, net::FetchHandlers handlers) override {
    auto running = std::make_unique<Running>();
    running->transfer->handlers = std::move(handlers);
    if (auto response = script_(request))
      loop_.post([transfer = running->transfer, url = request.url, response = std::move(*response)] {
        deliver(*transfer, url, response);
      });
    return running;
  }

 private:
  struct Transfer {
    net::FetchHandlers handlers;
    bool is_cancelled = false;
  };
  struct Running final : net::Fetch {
    std::shared_ptr<Transfer> transfer = std::make_shared<Transfer>();
    ~Running() override { transfer->is_cancelled = true; }
    void resume() override {}
  };
  static void deliver(Transfer& transfer, const std::string& url, const ScriptedResponse& response) {
    if (transfer.is_cancelled) return;
    net::FetchHead head;
    head.status = response.status;
    head.headers = response.headers;
    head.content_length = response.content_length;
    head.final_uri = *http::parse_uri(url);
    transfer.handlers.on_head(head);
    if (!transfer.is_cancelled && !response.body.empty()) transfer.handlers.on_body(response.body);
    if (transfer.is_cancelled) return;
    const auto on_done = std::move(transfer.handlers.on_done);
    on_done({});
  }

  net::EventLoop& loop_;
  Script script_;
};

}  // namespace tribune::test
