#include "api/revocation_feed.h"

#include <utility>

#include "contracts/canonical.h"
#include "contracts/signed_body.h"
#include "http/problem.h"

namespace tribune::api {
namespace {

base::Counter revocation_polls_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_api_revocation_polls_total",
                         "Polls of other processes for devices of accounts that have ended, by result.",
                         {{"result", result}});
}

}  // namespace

RevocationFeed::RevocationFeed(accounts::RevocationLog& log, const contracts::AccountTokenSigner& signer,
                               std::chrono::milliseconds clock_skew, runtime::Services& services)
    : log_(log),
      signer_(signer),
      clock_skew_(clock_skew),
      services_(services),
      answered_(revocation_polls_counter(services.metrics, "answered")),
      refused_(revocation_polls_counter(services.metrics, "refused")) {
  for (std::size_t i = 0; i < services.workers.size(); ++i) held_.push_back(std::make_unique<HeldPolls>());
  log_.on_growth([this] { release_on_all_workers(); });
}

runtime::Route RevocationFeed::route() {
  return {{http::Method::get}, contracts::kRevocationFeedPath, [this](auto& worker, auto exchange, const auto&) {
            answer(worker, std::move(exchange));
          }};
}

void RevocationFeed::answer(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange) {
  auto poll = authenticated(exchange->request());
  if (!poll) {
    refused_.add();
    const bool is_forbidden = poll.error().kind == base::ErrorKind::forbidden;
    return exchange->reply(
        http::problem(is_forbidden ? http::problems::forbidden : http::problems::bad_request, poll.error().text));
  }
  answered_.add();
  const auto page = page_for(*poll);
  const bool is_known = page.devices.empty() && page.run == poll->run;
  if (is_known && !is_draining_ && held_[worker.index]->polls.size() < kMaxHeldPerWorker)
    return hold(worker, std::move(exchange), std::move(*poll));
  reply(*exchange, *poll, page);
}

base::Result<contracts::RevocationPoll> RevocationFeed::authenticated(const http::Request& request) const {
  const auto keys = keys_.get();
  if (!keys) return base::failure(base::ErrorKind::forbidden, base::Fault::tribune, "the event has no keys yet");
  const auto context = "GET " + std::string(contracts::kRevocationFeedPath) + "?" + request.query;
  const auto signature = request.headers.first(contracts::kSignatureHeader).value_or("");
  if (auto verified =
          contracts::verify_body(*keys, context, request.body, signature, services_.clock.wall_now(), clock_skew_);
      !verified)
    return tl::unexpected(std::move(verified.error()));
  return contracts::revocation_poll_from_query(request.query);
}

contracts::RevocationPage RevocationFeed::page_for(const contracts::RevocationPoll& poll) const {
  const auto found = log_.after(poll.run == log_.run() ? poll.after : 0, contracts::kMaxRevocationsPerPage);
  contracts::RevocationPage page{log_.run(), found.number, found.is_last, {}};
  page.devices.reserve(found.revocations.size());
  for (const auto& revocation : found.revocations)
    page.devices.push_back({revocation.device, contracts::unix_ms(revocation.at)});
  return page;
}

void RevocationFeed::hold(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange,
                          contracts::RevocationPoll poll) {
  auto& held = *held_[worker.index];
  const auto key = held.next++;
  auto& entry = held.polls.emplace(key, HeldPoll{std::move(exchange), std::move(poll), {}}).first->second;
  entry.exchange->on_gone([&held, key] { held.polls.erase(key); });
  entry.timeout =
      worker.loop.after(contracts::kRevocationHold, [this, index = worker.index, key] { release(index, key); });
}

void RevocationFeed::reply(net::Exchange& exchange, const contracts::RevocationPoll& poll,
                           const contracts::RevocationPage& page) {
  http::Response response;
  auto text = contracts::to_json(page);
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.headers.add(contracts::kAccountSignatureHeader, contracts::sign_revocation_page(signer_, poll.nonce, text));
  response.body = std::move(text);
  exchange.reply(std::move(response));
}

void RevocationFeed::release(std::size_t worker, std::uint64_t key) {
  auto entry = held_[worker]->polls.extract(key);
  if (entry) reply(*entry.mapped().exchange, entry.mapped().poll, page_for(entry.mapped().poll));
}

void RevocationFeed::release_all(std::size_t worker) {
  auto& held = *held_[worker];
  held.has_release = false;  // before the log is read: what is added from now on queues another release
  for (auto& [key, entry] : std::exchange(held.polls, {})) reply(*entry.exchange, entry.poll, page_for(entry.poll));
}

void RevocationFeed::release_on_all_workers() {
  for (std::size_t i = 0; i < held_.size(); ++i)
    if (!held_[i]->has_release.exchange(true)) services_.workers[i]->loop.post([this, i] { release_all(i); });
}

void RevocationFeed::drain() {
  is_draining_ = true;
  release_on_all_workers();
}

}  // namespace tribune::api
