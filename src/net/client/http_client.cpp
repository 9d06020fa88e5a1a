#include "net/client/http_client.h"

#include <utility>

#include "net/client/http_client_curl.h"

namespace tribune::net {
namespace {

/// Collects one response in memory. Destroying it cancels the fetch.
class WholeFetch final : public Fetch {
 public:
  using OnDone = std::function<void(base::Result<WholeAnswer>)>;

  WholeFetch(HttpClient& client, FetchRequest request, OnDone on_done) : on_done_(std::move(on_done)) {
    FetchHandlers handlers;
    handlers.on_head = [this](const FetchHead& head) {
      answer_.head = head;
      if (head.content_length && head.content_length <= kMaxReserved) answer_.body.reserve(*head.content_length);
    };
    handlers.on_body = [this](std::string_view bytes) {
      answer_.body.append(bytes);
      return Flow::go_on;
    };
    handlers.on_done = [this](base::Result<void> result) {
      // The caller may destroy this object, so no member is used after the call.
      const auto callback = std::move(on_done_);
      if (!result) return callback(tl::unexpected(std::move(result.error())));
      callback(std::move(answer_));
    };
    fetch_ = client.start(std::move(request), std::move(handlers));
  }

  void resume() override { fetch_->resume(); }

 private:
  /// An origin may announce more than it sends.
  static constexpr std::uint64_t kMaxReserved = 1 << 20;

  OnDone on_done_;
  WholeAnswer answer_;
  std::unique_ptr<Fetch> fetch_;
};

}  // namespace

std::unique_ptr<HttpClient> HttpClient::make(EventLoop& loop, const base::Clock& clock, base::Log& log,
                                             base::Metrics& metrics, const ClientSettings& settings) {
  return std::make_unique<CurlClient>(loop, clock, log, metrics, settings);
}

std::unique_ptr<Fetch> HttpClient::get_whole(FetchRequest request,
                                             std::function<void(base::Result<WholeAnswer>)> on_done) {
  return std::make_unique<WholeFetch>(*this, std::move(request), std::move(on_done));
}

}  // namespace tribune::net
