#include "api/viewer_entitlements.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "api/account_problems.h"
#include "api/entitled_channels.h"
#include "contracts/signed_body.h"
#include "http/problem.h"

namespace tribune::api {
namespace {

using contracts::ViewerVerdict;
using Devices = accounts::Answer<std::vector<accounts::Device>>;
using Owned = shop::ShopAnswer<std::vector<shop::Entitlement>>;

base::Counter entitlement_checks_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_api_entitlement_checks_total",
                         "Requests of balancers for the entitlements of sessions of paid channels, by result.",
                         {{"result", result}});
}

const accounts::Device* find_device(const std::vector<accounts::Device>& devices, accounts::DeviceId id) {
  const auto found = std::find_if(devices.begin(), devices.end(), [id](const auto& device) { return device.id == id; });
  return found == devices.end() ? nullptr : &*found;
}

/// The time of the claims' entitlement to the channel; nullopt: they have none.
std::optional<std::int64_t> claimed_until(const contracts::AccountClaims& claims, std::string_view channel,
                                          base::WallTime now) {
  if (!claims.may_watch(channel, now)) return std::nullopt;
  return claims.expires;  // it is checked again long before
}

http::Response store_silent(const http::Request&) {
  auto response = http::problem(http::problems::overloaded, "the store of the accounts does not answer");
  response.headers.add("Retry-After", "2");
  return response;
}

}  // namespace

/// The accounts of one check, each of which is looked up once. It answers when the last one is known.
class ViewerEntitlements::Batch : public std::enable_shared_from_this<Batch> {
 public:
  Batch(ViewerEntitlements& owner, contracts::EntitlementCheck check, DeferredReply reply)
      : owner_(owner), check_(std::move(check)), reply_(std::move(reply)) {
    answer_.viewers.resize(check_.viewers.size());
    for (std::size_t i = 0; i < check_.viewers.size(); ++i) by_account_[check_.viewers[i].account].push_back(i);
    left_ = by_account_.size();
  }

  void start() {
    if (by_account_.empty()) return finish();
    for (const auto& entry : by_account_)
      owner_.service_.devices(entry.first, [self = shared_from_this(), &entry](Devices devices) {
        if (!devices && devices.error().why != accounts::Refusal::not_found) return self->fail();
        self->look_up_owned(entry.first, entry.second, devices ? std::move(*devices) : std::vector<accounts::Device>());
      });
  }

 private:
  using Viewers = std::vector<std::size_t>;  // places in check_.viewers

  void look_up_owned(accounts::AccountId account, const Viewers& viewers, std::vector<accounts::Device> devices) {
    owner_.shop_.entitlements(account,
                              [self = shared_from_this(), &viewers, devices = std::move(devices)](Owned owned) {
                                if (!owned) return self->fail();
                                self->judge(viewers, devices, *owned);
                                self->end_one();
                              });
  }

  /// Each viewer is written by one callback alone.
  void judge(const Viewers& viewers, const std::vector<accounts::Device>& devices,
             const std::vector<shop::Entitlement>& owned) {
    const auto now = owner_.clock_.wall_now();
    for (const auto place : viewers) {
      const auto& viewer = check_.viewers[place];
      auto& verdict = answer_.viewers[place];
      const auto until = watched_until(owned, viewer.channel, now);
      if (!find_device(devices, viewer.device))
        verdict.kind = ViewerVerdict::Kind::logged_out;
      else if (until)
        verdict = {ViewerVerdict::Kind::entitled, *until};
    }
  }

  void fail() {
    has_failed_ = true;
    end_one();
  }

  void end_one() {
    if (left_.fetch_sub(1) == 1) finish();
  }

  void finish() {
    reply_.reply([self = shared_from_this()](const http::Request&) { return self->response(); });
  }

  http::Response response() {
    if (has_failed_) {
      owner_.failed_.add();
      return store_silent({});
    }
    if (check_.wants_offers) answer_.offers = owner_.offers();
    owner_.answered_.add();
    return owner_.answer_with_verdicts(check_.nonce, answer_);
  }

  ViewerEntitlements& owner_;
  const contracts::EntitlementCheck check_;
  const DeferredReply reply_;
  std::map<accounts::AccountId, Viewers> by_account_;
  contracts::EntitlementAnswer answer_;
  std::atomic<std::size_t> left_{0};
  std::atomic<bool> has_failed_{false};
};

ViewerEntitlements::ViewerEntitlements(accounts::AccountService& service, shop::ShopService& shop, SessionGate& gate,
                                       const CataloguePages& pages, std::chrono::milliseconds clock_skew,
                                       runtime::Services& services)
    : service_(service),
      shop_(shop),
      gate_(gate),
      pages_(pages),
      clock_(services.clock),
      clock_skew_(clock_skew),
      answered_(entitlement_checks_counter(services.metrics, "answered")),
      refused_(entitlement_checks_counter(services.metrics, "refused")),
      failed_(entitlement_checks_counter(services.metrics, "failed")) {}

runtime::Route ViewerEntitlements::route() {
  return {{http::Method::post}, contracts::kEntitlementCheckPath, [this](auto& worker, auto exchange, const auto&) {
            check(worker, std::move(exchange));
          }};
}

void ViewerEntitlements::check(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange) {
  auto asked = authenticated(exchange->request());
  if (!asked) {
    refused_.add();
    const bool is_forbidden = asked.error().kind == base::ErrorKind::forbidden;
    return exchange->reply(
        http::problem(is_forbidden ? http::problems::forbidden : http::problems::bad_request, asked.error().text));
  }
  const auto batch = std::make_shared<Batch>(*this, std::move(*asked), DeferredReply(worker.loop, std::move(exchange)));
  batch->start();
}

base::Result<contracts::EntitlementCheck> ViewerEntitlements::authenticated(const http::Request& request) const {
  const auto keys = keys_.get();
  if (!keys) return base::failure(base::ErrorKind::forbidden, base::Fault::tribune, "the event has no keys yet");
  const auto context = "POST " + std::string(contracts::kEntitlementCheckPath);
  const auto signature = request.headers.first(contracts::kSignatureHeader).value_or("");
  if (auto verified = contracts::verify_body(*keys, context, request.body, signature, clock_.wall_now(), clock_skew_);
      !verified)
    return tl::unexpected(std::move(verified.error()));
  return contracts::entitlement_check_from_json(request.body);
}

contracts::ChannelOffers ViewerEntitlements::offers() const {
  contracts::ChannelOffers offers;
  for (const auto& channel : pages_.get()->channels) {
    if (!channel.is_paid) continue;
    auto products = channel.products;
    if (products.size() > contracts::kMaxOffersOfChannel) products.resize(contracts::kMaxOffersOfChannel);
    offers.emplace_back(channel.id, std::move(products));
  }
  return offers;
}

http::Response ViewerEntitlements::answer_with_verdicts(const std::string& nonce,
                                                        const contracts::EntitlementAnswer& answer) const {
  auto text = contracts::to_json(answer);
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.headers.add(contracts::kAccountSignatureHeader,
                       contracts::sign_entitlement_answer(gate_.credentials().signer(), nonce, text));
  if (const auto keys = keys_.get())
    response.headers.add(contracts::kSignatureHeader,
                         contracts::sign_body(*keys, contracts::answer_context(nonce), text, clock_.wall_now()));
  response.body = std::move(text);
  return response;
}

void ViewerEntitlements::identify(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange,
                                  contracts::AccessRequest request, OnIdentified go_on) {
  const auto passed = gate_.pass(worker, *exchange);
  if (!passed) return exchange->reply(http::Response(passed.error()));
  const auto claims = *passed;
  const DeferredReply reply(worker.loop, std::move(exchange));
  const auto finish = [reply, claims, go_on = std::move(go_on)](contracts::AccessRequest made,
                                                                std::optional<std::int64_t> until) {
    made.account = accounts::to_text(claims->account);
    if (until) made.entitled = contracts::EntitledDevice{claims->account, claims->device, *until};
    reply.resume([made = std::move(made), go_on](auto still) { go_on(std::move(still), made); });
  };
  const bool is_paid = listed_as_paid(request.channel);
  // A store that does not answer keeps nobody from watching what the token names.
  const auto finish_by_claims = [this, claims, reply, finish, is_paid](contracts::AccessRequest made) {
    const auto until = claimed_until(*claims, made.channel, clock_.wall_now());
    if (is_paid && !until && claims->has_more_channels) return reply.reply(store_silent);
    finish(std::move(made), until);
  };
  service_.devices(claims->account, [=, this, request = std::move(request)](Devices devices) mutable {
    if (!devices) return finish_by_claims(std::move(request));
    const auto* device = find_device(*devices, claims->device);
    if (!device)
      return reply.reply([](const http::Request& r) { return problem_of(r, {accounts::Refusal::logged_out, "", {}}); });
    request.device = device->name;
    if (!is_paid) return finish(std::move(request), std::nullopt);
    shop_.entitlements(claims->account, [=, this, request = std::move(request)](Owned owned) mutable {
      if (!owned) return finish_by_claims(std::move(request));
      const auto until = watched_until(*owned, request.channel, clock_.wall_now());
      finish(std::move(request), until);
    });
  });
}

bool ViewerEntitlements::listed_as_paid(std::string_view channel) const {
  const auto pages = pages_.get();
  const auto& channels = pages->channels;
  return std::any_of(channels.begin(), channels.end(),
                     [&](const ListedChannel& listed) { return listed.id == channel && listed.is_paid; });
}

}  // namespace tribune::api
