#include "balancer/account_tokens/revocation_follower.h"

#include <utility>

#include "base/encoding.h"
#include "base/ids.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

constexpr auto kRepeatAfter = 1s;  // a poll that failed, and the look whether the feed is configured
// WHY: an api that holds no poll, because it stops or holds too many, is not asked without a pause.
constexpr auto kPauseWithoutNews = 200ms;
constexpr std::size_t kNonceBytes = 8;

base::Counter follower_polls_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_balancer_revocation_polls_total",
                         "Polls of the api for devices of accounts that have ended, by result.", {{"result", result}});
}

}  // namespace

RevocationFollower::RevocationFollower(const base::Clock& clock, base::Log& log, base::Metrics& metrics)
    : clock_(clock),
      log_(log),
      answered_(follower_polls_counter(metrics, "answered")),
      failed_(follower_polls_counter(metrics, "failed")),
      age_seconds_(metrics.gauge("tribune_balancer_revocations_age_seconds",
                                 "Time since the begin of the last poll for ended devices of accounts that the api "
                                 "answered; 0 without event.accounts_url.")),
      feed_(std::make_shared<const AccountsApi>()) {}

void RevocationFollower::configure(std::shared_ptr<const AccountsApi> api) {
  feed_.publish(api->is_own_process ? std::make_shared<const AccountsApi>() : std::move(api));
}

void RevocationFollower::start(runtime::Worker& worker) {
  worker_ = &worker;
  cleaning_ = worker.loop.every(1s, [this] {
    revoked_.forget(clock_.wall_now() - accounts::kRevocationLifetime);
    const auto known = age();
    age_seconds_.set(known && !feed_.get()->url.empty() ? std::chrono::duration<double>(*known).count() : 0);
  });
  poll();
}

void RevocationFollower::poll() {
  const auto feed = feed_.get();
  if (feed->url.empty()) return poll_after(kRepeatAfter);
  const contracts::RevocationPoll asked{run_, number_, base::to_hex(base::random_bytes(kNonceBytes))};
  const auto target = contracts::target_of(asked);
  auto request = request_to(*feed, target, "", clock_.wall_now());
  request.deadlines.first_byte = contracts::kRevocationHold + 2s;
  request.deadlines.total = contracts::kRevocationHold + 4s;
  request.max_body_bytes = contracts::kMaxRevocationPageBytes;
  asked_at_ = clock_.steady_now();
  fetch_ = worker_->client.get_whole(std::move(request),
                                     [this, feed, nonce = asked.nonce](base::Result<net::WholeAnswer> answer) {
                                       learn(*feed, nonce, std::move(answer));
                                     });
}

void RevocationFollower::learn(const AccountsApi& feed, const std::string& nonce,
                               base::Result<net::WholeAnswer> answer) {
  if (!answer) return fail(feed, answer.error().text);
  if (answer->head.status != 200)
    return fail(feed, "the api answered with status " + std::to_string(answer->head.status));
  const auto signature = answer->head.headers.first(contracts::kAccountSignatureHeader).value_or("");
  const auto page =
      contracts::read_revocation_page(feed.account_keys, nonce, answer->body, signature, clock_.wall_now());
  if (!page) return fail(feed, page.error().text);
  std::vector<accounts::Revocation> revocations;
  revocations.reserve(page->devices.size());
  for (const auto& [device, at_unix_ms] : page->devices)
    revocations.push_back({0, device, base::WallTime(std::chrono::milliseconds(at_unix_ms))});
  revoked_.add(revocations);
  run_ = page->run;
  number_ = page->number;
  answered_.add();
  if (!std::exchange(failure_, "").empty()) log_.info("balancer", "revocations_known", {{"url", feed.url}});
  if (page->is_last) {
    const std::lock_guard lock(mutex_);
    known_up_to_ = asked_at_;
  }
  poll_after(revocations.empty() ? kPauseWithoutNews : 0ms);
}

void RevocationFollower::fail(const AccountsApi& feed, const std::string& why) {
  failed_.add();
  if (std::exchange(failure_, why) != why)
    log_.warning("balancer", "revocations_unknown", {{"url", feed.url}, {"error", why}});
  poll_after(kRepeatAfter);
}

void RevocationFollower::poll_after(std::chrono::milliseconds delay) {
  next_ = worker_->loop.after(delay, [this] { poll(); });
}

std::optional<std::chrono::milliseconds> RevocationFollower::age() const {
  const std::lock_guard lock(mutex_);
  if (!known_up_to_) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady_now() - *known_up_to_);
}

void RevocationFollower::describe(base::json::Writer& w) const {
  const auto feed = feed_.get();
  if (feed->url.empty()) return;
  w.key("revocations").begin_object().member("url", feed->url).member("devices", std::uint64_t{revoked_.size()});
  if (const auto known = age()) w.member("age_ms", std::int64_t{known->count()});
  w.end_object();
}

}  // namespace tribune::balancer
