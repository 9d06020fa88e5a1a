#include "balancer/kept_order.h"

#include <utility>

namespace tribune::balancer {
namespace {

/// Owned by one worker; the store's thread hands it back to the loop.
struct Answer {
  std::unique_ptr<net::Exchange> exchange;
  http::Response response;
  net::Timer patience;

  void give() {
    if (const auto asked = std::move(exchange)) asked->reply(std::move(response));
  }
};

}  // namespace

void answer_when_kept(net::EventLoop& loop, std::unique_ptr<net::Exchange> exchange, const KeptOrder& order) {
  const auto answer = std::make_shared<Answer>();
  answer->exchange = std::move(exchange);
  answer->response = order(answer->exchange->request(), [&loop, answer](base::Status) mutable {
    loop.post([answer = std::move(answer)] { answer->give(); });
  });
  if (answer->response.status != 200) return answer->give();
  answer->patience = loop.after(kKeptWithin, [waiting = std::weak_ptr(answer)] {
    if (const auto late = waiting.lock()) late->give();
  });
}

}  // namespace tribune::balancer
