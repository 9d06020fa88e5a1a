#include "balancer/entitlements/entitlement_checker.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/ids.h"
#include "contracts/signed_body.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

constexpr auto kOffersPeriod = 10s;
constexpr auto kOwnClockSkew = 30s;  // the clock may step while the answer is made
constexpr std::size_t kCheckNonceBytes = 8;

base::Counter entitlement_checks_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_balancer_entitlement_checks_total",
                         "Requests to the api for the entitlements of sessions of paid channels, by result.",
                         {{"result", result}});
}

}  // namespace

EntitlementChecker::EntitlementChecker(const base::Clock& clock, base::Log& log, base::Metrics& metrics,
                                       SessionEntitlements& sessions)
    : clock_(clock),
      log_(log),
      sessions_(sessions),
      answered_(entitlement_checks_counter(metrics, "answered")),
      failed_(entitlement_checks_counter(metrics, "failed")),
      age_seconds_(metrics.gauge("tribune_balancer_entitlements_age_seconds",
                                 "Time since the last check of entitlements that the api answered; 0 without paid "
                                 "channels.")),
      api_(std::make_shared<const AccountsApi>()),
      offers_(std::make_shared<const Offers>()) {}

void EntitlementChecker::configure(std::shared_ptr<const AccountsApi> api, bool has_paid_channels) {
  api_.publish(has_paid_channels ? std::move(api) : std::make_shared<const AccountsApi>());
}

void EntitlementChecker::start(runtime::Worker& worker) {
  worker_ = &worker;
  ticking_ = worker.loop.every(1s, [this] { tick(); });
}

void EntitlementChecker::tick() {
  const auto is_on = !api_.get()->url.empty();
  const auto known = age();
  age_seconds_.set(known && is_on ? std::chrono::duration<double>(*known).count() : 0);
  if (!is_on || fetch_) return;
  auto urgent = sessions_.urgent();
  due_.insert(due_.begin(), std::make_move_iterator(urgent.begin()), std::make_move_iterator(urgent.end()));
  if (due_.empty()) due_ = sessions_.due();
  const bool is_silent = !known || *known >= kOffersPeriod;  // without sessions the offers alone are asked for
  if (!due_.empty() || is_silent) ask();
}

void EntitlementChecker::ask() {
  const auto api = api_.get();
  asked_at_ = clock_.steady_now();
  check_ = {
      base::to_hex(base::random_bytes(kCheckNonceBytes)), !offers_at_ || asked_at_ - *offers_at_ >= kOffersPeriod, {}};
  asked_.clear();
  const auto count = std::min(due_.size(), contracts::kMaxCheckedViewers);
  for (std::size_t i = 0; i < count; ++i) {
    asked_.push_back(due_[i].session);
    check_.viewers.push_back(due_[i].viewer);
  }
  auto request = request_to(*api, contracts::kEntitlementCheckPath, contracts::to_json(check_), clock_.wall_now());
  request.deadlines = {1s, 4s, 4s, 1, 6s};
  request.max_body_bytes = contracts::kMaxEntitlementAnswerBytes;
  fetch_ = worker_->client.get_whole(
      std::move(request), [this, api](base::Result<net::WholeAnswer> answer) { take(*api, std::move(answer)); });
}

void EntitlementChecker::take(const AccountsApi& api, base::Result<net::WholeAnswer> answer) {
  const auto done = std::move(fetch_);  // lives until the end of this call
  if (!answer) return fail(api, answer.error().text);
  if (answer->head.status != 200)
    return fail(api, "the api answered with status " + std::to_string(answer->head.status));
  if (auto verified = verify(api, *answer); !verified) return fail(api, verified.error().text);
  auto read = contracts::entitlement_answer_from_json(check_, answer->body);
  if (!read) return fail(api, read.error().text);
  apply(api, std::move(*read));
  if (!due_.empty()) ask();
}

base::Status EntitlementChecker::verify(const AccountsApi& api, const net::WholeAnswer& answer) const {
  const auto now = clock_.wall_now();
  const auto& headers = answer.head.headers;
  if (api.is_own_process)
    return contracts::verify_body(*api.keys, contracts::answer_context(check_.nonce), answer.body,
                                  headers.first(contracts::kSignatureHeader).value_or(""), now, kOwnClockSkew);
  return contracts::verify_entitlement_answer(api.account_keys, check_.nonce, answer.body,
                                              headers.first(contracts::kAccountSignatureHeader).value_or(""), now);
}

void EntitlementChecker::apply(const AccountsApi& api, contracts::EntitlementAnswer answer) {
  for (std::size_t i = 0; i < asked_.size(); ++i) sessions_.apply(asked_[i], answer.viewers[i]);
  due_.erase(due_.begin(), due_.begin() + static_cast<std::ptrdiff_t>(asked_.size()));
  if (answer.offers) {
    Offers offers;
    for (auto& [channel, products] : *answer.offers) offers.emplace(std::move(channel), std::move(products));
    offers_.publish(std::make_shared<const Offers>(std::move(offers)));
    offers_at_ = asked_at_;
  }
  answered_.add();
  if (!std::exchange(failure_, "").empty()) log_.info("balancer", "entitlements_known", {{"url", api.url}});
  const std::lock_guard lock(mutex_);
  answered_at_ = asked_at_;
}

/// Sessions that could not be checked stay as they are, and are asked about again in the next second.
void EntitlementChecker::fail(const AccountsApi& api, const std::string& why) {
  failed_.add();
  if (std::exchange(failure_, why) != why)
    log_.warning("balancer", "entitlements_unknown", {{"url", api.url}, {"error", why}});
}

std::vector<std::string> EntitlementChecker::products(std::string_view channel) const {
  const auto offers = offers_.get();
  const auto found = offers->find(channel);
  return found == offers->end() ? std::vector<std::string>() : found->second;
}

std::optional<std::chrono::milliseconds> EntitlementChecker::age() const {
  const std::lock_guard lock(mutex_);
  if (!answered_at_) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady_now() - *answered_at_);
}

void EntitlementChecker::describe(base::json::Writer& w) const {
  const auto api = api_.get();
  if (api->url.empty()) return;
  w.key("entitlements").begin_object().member("url", api->url).member("sessions", std::uint64_t{sessions_.size()});
  if (const auto known = age()) w.member("age_ms", std::int64_t{known->count()});
  w.end_object();
}

}  // namespace tribune::balancer
