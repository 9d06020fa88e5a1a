#include "cache_node/balancer_link/queue_relay_handler.h"

#include <utility>

#include "base/json.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::cache_node {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxTextBytes = 64 * 1024;
constexpr auto kRetryAfterFailure = 500ms;

}  // namespace

QueueRelayHandler::QueueRelayHandler(const base::Clock& clock, base::Metrics& metrics,
                                     const std::vector<std::unique_ptr<runtime::Worker>>& workers,
                                     std::function<std::vector<std::string>()> balancers,
                                     std::function<bool(std::string_view)> is_known)
    : clock_(clock),
      workers_(workers),
      balancers_(std::move(balancers)),
      is_known_(std::move(is_known)),
      requests_(metrics.counter("tribune_cache_queue_fills_total", "Requests to balancers for the status of a queue.")),
      failed_(metrics.counter("tribune_cache_queue_fill_failures_total",
                              "Requests to balancers for the status of a queue that failed.")),
      served_(metrics.counter("tribune_cache_queue_answers_total",
                              "Requests of waiting viewers for the status of a queue.")) {}
QueueRelayHandler::~QueueRelayHandler() = default;

bool QueueRelayHandler::is_servable(const QueueStatus& status) const {
  return status.text && clock_.steady_now() - status.fetched < kQueueKept;
}

http::Response QueueRelayHandler::response_of(const QueueStatus& status) const {
  const auto age = std::chrono::floor<std::chrono::seconds>(clock_.steady_now() - status.fetched).count();
  http::Response response;
  response.headers = {
      {"Content-Type", "application/json"}, {"Cache-Control", "public, max-age=1"}, {"Age", std::to_string(age)}};
  response.body = base::BytesSlice{status.text, 0, status.text->size()};
  return response;
}

void QueueRelayHandler::answer(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange,
                               std::string_view channel) {
  if (!is_known_(channel))
    return exchange->reply(
        http::problem(http::problems::channel_unknown, "the channel is not in the channel map of this node"));
  served_.add();
  http::Response response;
  bool must_fetch = false;
  std::string id(channel);
  {
    const std::lock_guard lock(mutex_);
    auto& status = statuses_[id];
    const auto now = clock_.steady_now();
    const bool is_fresh = status.text && now - status.fetched < kQueueFresh;
    const bool is_resting = !status.is_fetching && status.failed && now - *status.failed < kRetryAfterFailure;
    if (is_fresh || (is_resting && is_servable(status))) {
      response = response_of(status);
    } else if (is_resting || status.waiters.size() >= kMaxQueueWaiters) {
      response = http::problem(http::problems::not_ready, "no balancer returned the status of the queue");
    } else {
      const auto held = std::make_shared<std::unique_ptr<net::Exchange>>(std::move(exchange));
      (*held)->on_gone([held] { held->reset(); });
      status.waiters.push_back({worker.index, held});
      must_fetch = !std::exchange(status.is_fetching, true);
    }
  }
  if (must_fetch) workers_.front()->loop.post([this, id = std::move(id)] { fetch(id, 0); });
  if (exchange) exchange->reply(std::move(response));
}

/// Runs on the first worker.
void QueueRelayHandler::fetch(const std::string& channel, std::size_t balancer) {
  const auto urls = balancers_();
  if (balancer >= urls.size())
    return fetched(
        channel, balancer,
        base::failure(base::ErrorKind::unavailable, base::Fault::tribune, "every balancer failed to respond"));
  net::FetchRequest request;
  request.url = urls[balancer] + "/queue/" + channel;
  const auto uri = http::parse_uri(urls[balancer]);
  request.destinations = {{uri ? uri->origin() : urls[balancer]}, true};
  request.deadlines = {500ms, 1s, 1s, 1, 2s};
  request.max_body_bytes = kMaxTextBytes;
  requests_.add();
  auto fetch = workers_.front()->client.get_whole(
      std::move(request),
      [this, channel, balancer](base::Result<net::WholeAnswer> result) { fetched(channel, balancer, result); });
  const std::lock_guard lock(mutex_);
  statuses_[channel].fetch = std::move(fetch);
}

void QueueRelayHandler::fetched(const std::string& channel, std::size_t balancer,
                                const base::Result<net::WholeAnswer>& result) {
  const bool is_good = result && result->head.status == 200 && base::json::parse(result->body);
  std::unique_ptr<net::Fetch> done;  // destroyed last, outside the lock
  if (!is_good) {
    failed_.add();
    if (balancer < balancers_().size()) return fetch(channel, balancer + 1);
  }
  std::vector<Waiter> waiters;
  http::Response response;
  {
    const std::lock_guard lock(mutex_);
    auto& status = statuses_[channel];
    done = std::move(status.fetch);
    status.is_fetching = false;
    waiters.swap(status.waiters);
    if (is_good) {
      status.text = base::share(std::string(result->body));
      status.fetched = clock_.steady_now();
    } else {
      status.failed = clock_.steady_now();
    }
    response = is_servable(status)
                   ? response_of(status)
                   : http::problem(http::problems::not_ready, "no balancer returned the status of the queue");
  }
  std::vector<std::vector<std::shared_ptr<std::unique_ptr<net::Exchange>>>> by_worker(workers_.size());
  for (auto& waiter : waiters) by_worker[waiter.worker].push_back(std::move(waiter.exchange));
  for (std::size_t worker = 0; worker < by_worker.size(); ++worker) {
    if (by_worker[worker].empty()) continue;
    workers_[worker]->loop.post([held = std::move(by_worker[worker]), response] {
      for (const auto& exchange : held)
        if (*exchange) (*exchange)->reply(response);
      for (const auto& exchange : held) exchange->reset();
    });
  }
}

}  // namespace tribune::cache_node
