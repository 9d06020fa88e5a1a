#include "balancer/access_http/queue_status_handler.h"

#include <chrono>

#include "http/problem.h"

namespace tribune::balancer {

http::Response QueueStatusHandler::answer(std::string_view channel) {
  const auto now = clock_.steady_now();
  base::SharedBytes text;
  {
    const std::lock_guard lock(mutex_);
    auto known = cached_.find(channel);
    if (known == cached_.end() || now - known->second.made >= std::chrono::seconds{1}) {
      const auto status = admission_.queue_status(channel);
      if (!status) {
        if (known != cached_.end()) cached_.erase(known);
        return http::problem(http::problems::channel_unknown, "no channel has this id");
      }
      if (known == cached_.end()) known = cached_.emplace(channel, CachedStatus{}).first;
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
