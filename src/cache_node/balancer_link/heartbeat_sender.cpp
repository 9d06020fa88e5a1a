#include "cache_node/balancer_link/heartbeat_sender.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ids.h"
#include "contracts/signed_body.h"
#include "http/uri.h"

namespace tribune::cache_node {

namespace {

using namespace std::chrono_literals;

constexpr auto kSoonest = 100ms;

base::Counter heartbeats_counter(base::Metrics& m, std::string_view result) {
  return m.counter("tribune_cache_heartbeats_total", "Heartbeats sent to balancers, by result.", {{"result", result}});
}

}  // namespace

HeartbeatSender::HeartbeatSender(HeartbeatParts parts, runtime::Worker& worker)
    : parts_(std::move(parts)),
      worker_(worker),
      accepted_(heartbeats_counter(parts_.metrics, "accepted")),
      failed_(heartbeats_counter(parts_.metrics, "failed")),
      run_(base::random_id(12)) {}

void HeartbeatSender::start() {
  timer_ = worker_.loop.every(parts_.view.get()->settings.heartbeat_interval, [this] { send_all(false); });
  send_all(false);
}

void HeartbeatSender::send_soon() {
  if (!stopped_ && parts_.clock.steady_now() - sent_at_ >= kSoonest) send_all(false);
}

void HeartbeatSender::stop() {
  if (stopped_) return;
  stopped_ = true;
  timer_.cancel();
  soon_.cancel();
  for (auto& balancer : balancers_) balancer->fetch.reset();
  send_all(true);
}

void HeartbeatSender::send_all(bool stopping) {
  const auto view = parts_.view.get();
  sent_at_ = parts_.clock.steady_now();
  ++unanswered_;
  auto heartbeat = parts_.next_heartbeat();
  heartbeat.node = view->settings.id;
  heartbeat.public_url = view->settings.public_url;
  heartbeat.group = view->settings.group;
  heartbeat.peer_url = view->settings.peer_url;
  heartbeat.run = run_;
  heartbeat.sequence = ++sequence_;
  heartbeat.sent_unix_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.wall_now().time_since_epoch()).count();
  if (stopping) {
    heartbeat.healthy = false;
    heartbeat.reason = "stopping";
  }
  const auto body = contracts::to_json(heartbeat);

  // A reload may have changed the list of balancers.
  std::vector<std::shared_ptr<Balancer>> balancers;
  for (const auto& url : view->settings.balancers) {
    const auto known = std::find_if(balancers_.begin(), balancers_.end(), [&](const auto& b) { return b->url == url; });
    balancers.push_back(known != balancers_.end() ? *known
                                                  : std::make_shared<Balancer>(Balancer{url, nullptr, false, ""}));
  }
  balancers_ = std::move(balancers);
  for (const auto& balancer : balancers_) {
    if (balancer->fetch) continue;  // one at a time: its deadline is about an interval
    if (!balancer->wants_listed) {
      send(balancer, body, *view);
      continue;
    }
    heartbeat.listed_numbers = balancer->listed;
    send(balancer, contracts::to_json(heartbeat), *view);
  }
}

void HeartbeatSender::send(const std::shared_ptr<Balancer>& balancer, const std::string& body, const NodeView& view) {
  const auto path = contracts::heartbeat_path(view.settings.id);
  net::FetchRequest request;
  request.method = http::Method::post;
  request.url = balancer->url + path;
  request.body = body;
  request.headers = {{"Content-Type", "application/json"}};
  request.headers.add(contracts::kSignatureHeader,
                      contracts::sign_body(*view.keys, "POST " + path, body, parts_.clock.wall_now()));
  const auto origin = http::parse_uri(balancer->url);
  request.destinations = {{origin ? origin->origin() : balancer->url}, true};
  request.deadlines = {500ms, 900ms, 1s, 1, 1'500ms};
  request.max_body_bytes = 4 << 20;
  request.may_repeat = true;
  balancer->fetch = worker_.client.get_whole(
      std::move(request), [this, weak = std::weak_ptr<Balancer>(balancer)](base::Result<net::WholeAnswer> result) {
        const auto state = weak.lock();
        if (!state) return;
        const auto done = std::move(state->fetch);
        on_response(*state, result);
      });
}

void HeartbeatSender::on_response(Balancer& balancer, const base::Result<net::WholeAnswer>& result) {
  const auto wrong = result ? rejection(balancer, *result) : result.error().text;
  if (!wrong.empty()) balancer.unfit.clear();  // its last verdict is out of date
  publish_unfit();
  if (wrong.empty()) {
    unanswered_ = 0;
    accepted_.add();
    if (std::exchange(balancer.failing, false))
      parts_.log.info("cache_node", "balancer_found", {{"balancer", balancer.url}});
    return;
  }
  failed_.add();
  parts_.peers.mark_unreachable(balancer.url);
  if (!std::exchange(balancer.failing, true))
    parts_.log.warning("cache_node", "balancer_away", {{"balancer", balancer.url}, {"error", wrong}});
}

void HeartbeatSender::publish_unfit() {
  std::string unfit;
  for (const auto& balancer : balancers_)
    if (unfit.empty() && !balancer->unfit.empty())
      unfit = fmt::format("the balancer {} routes no viewers to this node: {}", balancer->url, balancer->unfit);
  const std::lock_guard lock(unfit_mutex_);
  unfit_ = std::move(unfit);
}

std::string HeartbeatSender::unfit() const {
  const std::lock_guard lock(unfit_mutex_);
  return unfit_;
}

/// The reason why the response is rejected; empty when its map was accepted.
std::string HeartbeatSender::rejection(Balancer& balancer, const net::WholeAnswer& answer) {
  if (answer.head.status != 200) return fmt::format("the balancer responded with status {}", answer.head.status);
  const auto view = parts_.view.get();
  const auto signature = answer.head.headers.first(contracts::kSignatureHeader).value_or("");
  const auto context = "200 " + contracts::heartbeat_path(view->settings.id);
  if (const auto verified = contracts::verify_body(*view->keys, context, answer.body, signature,
                                                   parts_.clock.wall_now(), view->clock_skew);
      !verified)
    return "invalid heartbeat response: " + verified.error().text;
  if (const auto taken =
          parts_.channels.update(answer.body, balancer.url, parts_.clock.steady_now(), view->settings.balancers);
      !taken)
    return taken.error().text;
  auto numbers = contracts::numbers_from_answer(answer.body);
  if (!numbers) return numbers.error().text;
  keep_listed(balancer, std::move(*numbers));
  auto peers = contracts::peers_from_answer(answer.body, &balancer.unfit);
  if (!peers) return peers.error().text;
  parts_.peers.update(balancer.url, std::move(*peers));
  return "";
}

/// A balancer that asks has not heard of its former run yet, so that its own numbers replace nothing.
void HeartbeatSender::keep_listed(Balancer& balancer, contracts::NumbersOfAnswer numbers) {
  const bool begins_to_ask = numbers.wanted && !balancer.wants_listed;
  balancer.wants_listed = numbers.wanted;
  if (begins_to_ask && !stopped_) soon_ = worker_.loop.after(kSoonest, [this] { send_soon(); });
  if (numbers.wanted) return;
  for (auto& [channel, number] : numbers.listed) balancer.listed[channel] = std::move(number);
  const auto map = parts_.channels.map();
  std::erase_if(balancer.listed, [&](const auto& entry) { return map && !map->find(entry.first); });
}

}  // namespace tribune::cache_node
