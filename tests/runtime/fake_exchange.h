#pragma once
// An exchange without a network that keeps its response.

#include <memory>
#include <optional>

#include "net/server/exchange.h"

namespace tribune::runtime {

struct Answered {
  std::optional<http::Response> response;
  std::string body() const {
    const auto* text = response ? std::get_if<std::string>(&response->body) : nullptr;
    return text ? *text : "";
  }
  std::string header(std::string_view name) const {
    return response ? std::string(response->headers.first(name).value_or("")) : "";
  }
};

class FakeExchange final : public net::Exchange {
 public:
  FakeExchange(http::Request request, std::shared_ptr<Answered> answered)
      : request_(std::move(request)), answered_(std::move(answered)) {}
  const http::Request& request() const override { return request_; }
  void reply(http::Response response) override { answered_->response = std::move(response); }
  void begin(http::Response head, std::optional<std::uint64_t>) override { answered_->response = std::move(head); }
  void write(http::Body) override {}
  std::uint64_t unsent() const override { return 0; }
  void when_drained(std::uint64_t, std::function<void()>) override {}
  void finish() override {}
  void on_gone(std::function<void()>) override {}

 private:
  http::Request request_;
  std::shared_ptr<Answered> answered_;
};

inline http::Request request_of(http::Method method, std::string path, http::Headers headers = {}) {
  http::Request request;
  request.method = method;
  request.path = std::move(path);
  request.headers = std::move(headers);
  return request;
}

}  // namespace tribune::runtime
