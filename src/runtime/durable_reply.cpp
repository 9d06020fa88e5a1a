#include "runtime/durable_reply.h"

#include <utility>

namespace tribune::runtime {
namespace {

/// Owned by one worker; the store's thread posts it back to the worker's loop.
struct Answer {
  std::unique_ptr<net::Exchange> exchange;
  http::Response response;
  net::Timer patience;

  void give() {
    if (const auto asked = std::move(exchange)) asked->reply(std::move(response));
  }
};

}  // namespace

void reply_when_durable(net::EventLoop& loop, std::unique_ptr<net::Exchange> exchange, const DurableOperation& order) {
  const auto answer = std::make_shared<Answer>();
  answer->exchange = std::move(exchange);
  answer->response = order(answer->exchange->request(), [&loop, answer](base::Status) mutable {
    loop.post([answer = std::move(answer)] { answer->give(); });
  });
  if (answer->response.status != 200) return answer->give();
  answer->patience = loop.after(kDurableWithin, [waiting = std::weak_ptr(answer)] {
    if (const auto late = waiting.lock()) late->give();
  });
}

}  // namespace tribune::runtime
