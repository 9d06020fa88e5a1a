#include "balancer/access_http/queue_status_handler.h"

#include <chrono>

#include "http/problem.h"

namespace tribune::balancer {

http::Response QueueStatusHandler::answer(std::string_view channel) {
  const auto now = clock_.steady_now();
  base::SharedBytes text;
  {
    const std::lock_guard lock(mutex_);
    auto known = notices_.find(channel);
    if (known == notices_.end() || now - known->second.made >= std::chrono::seconds{1}) {
      const auto status = admission_.queue_status(channel);
      if (!status) {
        if (known != notices_.end()) notices_.erase(known);
        return http::problem(http::problems::channel_unknown, "no channel has this id");
      }
      if (known == notices_.end()) known = notices_.emplace(channel, Notice{}).first;
      known->second = {base::share(access::to_json(*status)), now};
    }
    text = known->second.text;
  }
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "public, max-age=1"}};
  response.body = base::BytesSlice{text, 0, text->size()};
  return response;
}

}  // namespace tribune::balancer
