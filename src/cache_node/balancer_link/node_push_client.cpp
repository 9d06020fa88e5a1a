#include "cache_node/balancer_link/node_push_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "contracts/signed_body.h"
#include "http/uri.h"

namespace tribune::cache_node {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kRetry{500};
constexpr std::chrono::milliseconds kRetryUnknown{
    10'000};  // a balancer of a version without pushed messages answers 404
constexpr auto kTooSoon = 1s;
constexpr auto kBalancerListCheck = 1s;  // a reload may change the list of balancers

}  // namespace

NodePushClient::NodePushClient(NodePushClientParts parts, runtime::Worker& worker)
    : parts_(std::move(parts)),
      worker_(worker),
      taken_(parts_.metrics.counter(
          "tribune_cache_news_total",
          "Segments that balancers announced to this node before the first request of a viewer.")),
      failed_(parts_.metrics.counter("tribune_cache_news_failures_total",
                                     "Polls of a balancer for pushed messages that failed or returned an error.")) {}
NodePushClient::~NodePushClient() = default;

void NodePushClient::start() {
  timer_ = worker_.loop.every(kBalancerListCheck, [this] { update_balancers(); });
  update_balancers();
}

void NodePushClient::stop() {
  is_stopped_ = true;
  timer_.cancel();
  balancers_.clear();
}

void NodePushClient::update_balancers() {
  const auto view = parts_.view.get();
  std::vector<BalancerPtr> balancers;
  for (const auto& url : view->settings.balancers) {
    const auto known = std::find_if(balancers_.begin(), balancers_.end(), [&](const auto& b) { return b->url == url; });
    balancers.push_back(known != balancers_.end() ? *known : std::make_shared<Balancer>());
    balancers.back()->url = url;
  }
  balancers_ = std::move(balancers);
  for (const auto& balancer : balancers_)
    if (!balancer->is_busy && !balancer->retry.pending()) request(balancer);
}

void NodePushClient::request(const BalancerPtr& balancer) {
  const auto view = parts_.view.get();
  const auto path = contracts::news_path(view->settings.id);
  net::FetchRequest request;
  request.method = http::Method::post;
  request.url = balancer->url + path;
  contracts::NodePushPoll poll{view->settings.id, parts_.run, ++sequence_, balancer->acknowledged, {}};
  balancer->results_sent = std::min(balancer->results.size(), contracts::kMaxQuestionResults);
  poll.results.assign(balancer->results.begin(),
                      balancer->results.begin() + static_cast<std::ptrdiff_t>(balancer->results_sent));
  request.body = contracts::to_json(poll);
  request.headers = {{"Content-Type", "application/json"}};
  request.headers.add(contracts::kSignatureHeader,
                      contracts::sign_body(*view->keys, "POST " + path, request.body, parts_.clock.wall_now()));
  const auto origin = http::parse_uri(balancer->url);
  request.destinations = {{origin ? origin->origin() : balancer->url}, true};
  request.deadlines = {500ms, contracts::kNodePushHold + 1s, 2s, 1, contracts::kNodePushHold + 3s};
  request.max_body_bytes = 4 << 20;
  balancer->is_busy = true;
  balancer->requested_at = parts_.clock.steady_now();
  balancer->fetch = worker_.client.get_whole(
      std::move(request), [this, weak = std::weak_ptr<Balancer>(balancer)](base::Result<net::WholeAnswer> result) {
        const auto state = weak.lock();
        if (!state) return;
        const auto done = std::move(state->fetch);
        on_response(state, result);
      });
}

void NodePushClient::request_later(const BalancerPtr& balancer, std::chrono::milliseconds delay) {
  balancer->retry = worker_.loop.after(delay, [this, weak = std::weak_ptr<Balancer>(balancer)] {
    if (const auto state = weak.lock(); state && !state->is_busy) request(state);
  });
}

void NodePushClient::on_response(const BalancerPtr& balancer, const base::Result<net::WholeAnswer>& result) {
  auto push = result ? read(*result) : tl::unexpected(result.error());
  balancer->is_busy = push.has_value();
  if (!push) {
    // HeartbeatSender logs whether the balancer answers.
    failed_.add();
    parts_.log.debug("cache_node", "no_news", {{"balancer", balancer->url}, {"error", push.error().text}});
    return request_later(balancer, result && result->head.status == 404 ? kRetryUnknown : kRetry);
  }
  balancer->results.erase(balancer->results.begin(),
                          balancer->results.begin() + static_cast<std::ptrdiff_t>(balancer->results_sent));
  taken_.add(static_cast<double>(push->targets.size()));
  if (push->number > 0) balancer->acknowledged = push->number;
  execute(balancer, push->orders);
  if (push->targets.empty() && push->number > 0) return request(balancer);
  if (push->targets.empty()) {
    // Another request has replaced this one: two of the URLs may lead to one balancer.
    balancer->is_busy = false;
    return parts_.clock.steady_now() - balancer->requested_at < kTooSoon ? request_later(balancer, kRetry)
                                                                         : request(balancer);
  }
  parts_.begin_fills(std::move(push->targets), [this, weak = std::weak_ptr<Balancer>(balancer)] {
    if (const auto state = weak.lock(); state && !is_stopped_) request(state);
  });
}

void NodePushClient::execute(const BalancerPtr& balancer, const std::vector<contracts::NodeOrder>& orders) {
  for (const auto& order : orders)
    parts_.execute(
        order, [this, &loop = worker_.loop, weak = std::weak_ptr<Balancer>(balancer)](contracts::OrderResult result) {
          loop.post([this, weak, result = std::move(result)]() mutable {
            if (const auto state = weak.lock(); state && !is_stopped_) on_executed(state, std::move(result));
          });
        });
}

/// Sends the result at once: the held request would return later.
void NodePushClient::on_executed(const BalancerPtr& balancer, contracts::OrderResult result) {
  balancer->results.push_back(std::move(result));
  if (balancer->is_busy && !balancer->fetch) return;  // fills are being begun; the next request follows them
  balancer->retry.cancel();
  balancer->fetch.reset();
  request(balancer);
}

base::Result<contracts::NodePush> NodePushClient::read(const net::WholeAnswer& answer) const {
  if (answer.head.status != 200)
    return base::failure(base::ErrorKind::unavailable, base::Fault::node,
                         fmt::format("the balancer responded with status {}", answer.head.status), true);
  const auto view = parts_.view.get();
  const auto signature = answer.head.headers.first(contracts::kSignatureHeader).value_or("");
  const auto context = "200 " + contracts::news_path(view->settings.id);
  if (const auto verified = contracts::verify_body(*view->keys, context, answer.body, signature,
                                                   parts_.clock.wall_now(), view->clock_skew);
      !verified)
    return tl::unexpected(verified.error());
  return contracts::news_from_json(answer.body);
}

}  // namespace tribune::cache_node
