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
constexpr std::chrono::milliseconds kRetryUnknown{10'000};  // a balancer of a version without news answers 404
constexpr auto kTooSoon = 1s;
constexpr auto kTend = 1s;  // a reload may change the list of balancers

}  // namespace

NodePushClient::NodePushClient(NodePushClientParts parts, runtime::Worker& worker)
    : parts_(std::move(parts)),
      worker_(worker),
      taken_(parts_.metrics.counter("tribune_cache_news_total",
                                    "Segments that balancers told this node of before its viewers asked.")),
      failed_(parts_.metrics.counter("tribune_cache_news_failures_total",
                                     "Questions for news that a balancer did not answer well.")) {}
NodePushClient::~NodePushClient() = default;

void NodePushClient::start() {
  timer_ = worker_.loop.every(kTend, [this] { tend(); });
  tend();
}

void NodePushClient::stop() {
  is_stopped_ = true;
  timer_.cancel();
  balancers_.clear();
}

void NodePushClient::tend() {
  const auto view = parts_.view.get();
  std::vector<BalancerPtr> balancers;
  for (const auto& url : view->settings.balancers) {
    const auto known = std::find_if(balancers_.begin(), balancers_.end(), [&](const auto& b) { return b->url == url; });
    balancers.push_back(known != balancers_.end() ? *known : std::make_shared<Balancer>());
    balancers.back()->url = url;
  }
  balancers_ = std::move(balancers);
  for (const auto& balancer : balancers_)
    if (!balancer->is_busy && !balancer->retry.pending()) ask(balancer);
}

void NodePushClient::ask(const BalancerPtr& balancer) {
  const auto view = parts_.view.get();
  const auto path = contracts::news_path(view->settings.id);
  net::FetchRequest request;
  request.method = http::Method::post;
  request.url = balancer->url + path;
  contracts::NodePushPoll question{view->settings.id, parts_.run, ++sequence_, balancer->acknowledged, {}};
  balancer->results_told = std::min(balancer->results.size(), contracts::kMaxQuestionResults);
  question.results.assign(balancer->results.begin(),
                          balancer->results.begin() + static_cast<std::ptrdiff_t>(balancer->results_told));
  request.body = contracts::to_json(question);
  request.headers = {{"Content-Type", "application/json"}};
  request.headers.add(contracts::kSignatureHeader,
                      contracts::sign_body(*view->keys, "POST " + path, request.body, parts_.clock.wall_now()));
  const auto origin = http::parse_uri(balancer->url);
  request.destinations = {{origin ? origin->origin() : balancer->url}, true};
  request.deadlines = {500ms, contracts::kNodePushHold + 1s, 2s, 1, contracts::kNodePushHold + 3s};
  request.max_body_bytes = 4 << 20;
  balancer->is_busy = true;
  balancer->asked = parts_.clock.steady_now();
  balancer->fetch = worker_.client.get_whole(
      std::move(request), [this, weak = std::weak_ptr<Balancer>(balancer)](base::Result<net::WholeAnswer> result) {
        const auto asked = weak.lock();
        if (!asked) return;
        const auto done = std::move(asked->fetch);
        answered(asked, result);
      });
}

void NodePushClient::ask_later(const BalancerPtr& balancer, std::chrono::milliseconds delay) {
  balancer->retry = worker_.loop.after(delay, [this, weak = std::weak_ptr<Balancer>(balancer)] {
    if (const auto again = weak.lock(); again && !again->is_busy) ask(again);
  });
}

void NodePushClient::answered(const BalancerPtr& balancer, const base::Result<net::WholeAnswer>& result) {
  auto news = result ? read(*result) : tl::unexpected(result.error());
  balancer->is_busy = news.has_value();
  if (!news) {
    // Whether the balancer is there at all, heartbeats say in the log.
    failed_.add();
    parts_.log.debug("cache_node", "no_news", {{"balancer", balancer->url}, {"error", news.error().text}});
    return ask_later(balancer, result && result->head.status == 404 ? kRetryUnknown : kRetry);
  }
  balancer->results.erase(balancer->results.begin(),
                          balancer->results.begin() + static_cast<std::ptrdiff_t>(balancer->results_told));
  taken_.add(static_cast<double>(news->targets.size()));
  if (news->number > 0) balancer->acknowledged = news->number;
  follow(balancer, news->orders);
  if (news->targets.empty() && news->number > 0) return ask(balancer);
  if (news->targets.empty()) {
    // Another question took this one's place: two of the URLs may lead to one balancer.
    balancer->is_busy = false;
    return parts_.clock.steady_now() - balancer->asked < kTooSoon ? ask_later(balancer, kRetry) : ask(balancer);
  }
  parts_.begin(std::move(news->targets), [this, weak = std::weak_ptr<Balancer>(balancer)] {
    if (const auto told = weak.lock(); told && !is_stopped_) ask(told);
  });
}

void NodePushClient::follow(const BalancerPtr& balancer, const std::vector<contracts::NodeOrder>& orders) {
  for (const auto& order : orders)
    parts_.follow(
        order, [this, &loop = worker_.loop, weak = std::weak_ptr<Balancer>(balancer)](contracts::OrderResult result) {
          loop.post([this, weak, result = std::move(result)]() mutable {
            if (const auto told = weak.lock(); told && !is_stopped_) followed(told, std::move(result));
          });
        });
}

/// Somebody waits for it: the question that is held does not.
void NodePushClient::followed(const BalancerPtr& balancer, contracts::OrderResult result) {
  balancer->results.push_back(std::move(result));
  if (balancer->is_busy && !balancer->fetch) return;  // fills begin; the next question comes after them
  balancer->retry.cancel();
  balancer->fetch.reset();
  ask(balancer);
}

base::Result<contracts::NodePush> NodePushClient::read(const net::WholeAnswer& answer) const {
  if (answer.head.status != 200)
    return base::failure(base::ErrorKind::unavailable, base::Fault::node,
                         fmt::format("the balancer answered {}", answer.head.status), true);
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
