#include "net/client/http_client_curl.h"

#include <algorithm>
#include <utility>

namespace tribune::net {

ClientMetrics::ClientMetrics(base::Metrics& registry)
    : connections(registry.counter("tribune_client_connections_total", "Connections opened to origins and peers.")),
      first_byte(registry.histogram("tribune_client_first_byte_seconds",
                                    "Time from sending a request to its complete response head, in seconds.",
                                    base::latency_buckets())) {
  using base::ErrorKind;
  constexpr std::string_view kHelp = "Fetches from origins and peers, by result.";
  results_.emplace_back("answered", registry.counter("tribune_client_requests_total", kHelp, {{"result", "answered"}}));
  for (const auto kind : {ErrorKind::timeout, ErrorKind::refused, ErrorKind::unavailable, ErrorKind::protocol,
                          ErrorKind::too_large, ErrorKind::forbidden, ErrorKind::invalid_input, ErrorKind::internal}) {
    results_.emplace_back(to_string(kind),
                          registry.counter("tribune_client_requests_total", kHelp, {{"result", to_string(kind)}}));
  }
}

void ClientMetrics::count(const base::Result<void>& result) {
  const auto name = result ? std::string_view("answered") : to_string(result.error().kind);
  for (auto& [known, counter] : results_) {
    if (known == name) counter.add();
  }
}

CurlClient::CurlClient(EventLoop& on, const base::Clock& c, base::Log& l, base::Metrics& m, const ClientSettings& s)
    : loop(on),
      clock(c),
      log(l),
      settings(s),
      metrics(m),
      addresses(on, c, s.look_up, s.names_fresh),
      multi_(on, static_cast<long>(s.max_connections),
             {[this](CURL* easy, CURLcode code) { on_complete(easy, code); }, [this] { sweep(); }}) {}

CurlClient::~CurlClient() {
  for (auto& [transfer, owned] : transfers_) {
    if (transfer->token_ != nullptr) transfer->token_->transfer_ = nullptr;
    if (transfer->is_added_) multi_.remove(transfer->easy_.get());
    transfer->is_added_ = false;
  }
}

std::unique_ptr<Fetch> CurlClient::start(FetchRequest request, FetchHandlers handlers) {
  auto owned = std::make_unique<Transfer>(*this, std::move(request), std::move(handlers));
  auto& transfer = *owned;
  transfers_.emplace(&transfer, std::move(owned));
  auto token = std::make_unique<FetchToken>(&transfer);
  transfer.token_ = token.get();
  transfer.begin();
  return token;
}

void CurlClient::enqueue(Transfer& transfer) {
  transfer.origin_ = transfer.uri_.origin();
  origins_[transfer.origin_].waiting.push_back(&transfer);
  start_queued();
}

void CurlClient::start_queued() {
  if (multi_.is_inside()) return;
  // Round robin, beginning after the origin that was served last, until no transfer can be started.
  auto it = origins_.upper_bound(last_served_origin_);
  for (std::size_t idle = 0; idle < origins_.size() && active_total_ < settings.max_connections; ++it) {
    if (it == origins_.end()) it = origins_.begin();
    auto& [name, origin] = *it;
    if (origin.waiting.empty() || origin.active >= settings.max_connections_per_origin) {
      ++idle;
      continue;
    }
    idle = 0;
    auto& transfer = *origin.waiting.front();
    origin.waiting.pop_front();
    ++origin.active;
    last_served_origin_ = name;
    launch(transfer);
  }
}

void CurlClient::launch(Transfer& transfer) {
  ++active_total_;
  transfer.holds_slot_ = true;
  auto* easy = transfer.make_easy();
  transfer.is_added_ = easy != nullptr && multi_.add(easy);
  if (!transfer.is_added_) {
    transfer.fail_later(
        {base::ErrorKind::internal, base::Fault::tribune, true, "libcurl does not accept another transfer"});
  }
}

void CurlClient::detach(Transfer& transfer) {
  if (transfer.is_added_) multi_.remove(transfer.easy_.get());
  transfer.is_added_ = false;
  const auto found = origins_.find(transfer.origin_);
  if (found == origins_.end()) return;
  auto& origin = found->second;
  if (std::exchange(transfer.holds_slot_, false)) {
    --origin.active;
    --active_total_;
  } else if (transfer.state_ == Transfer::State::queued) {
    std::erase(origin.waiting, &transfer);
  }
  if (origin.active == 0 && origin.waiting.empty()) origins_.erase(found);
}

void CurlClient::finish(Transfer& transfer, base::Result<void> result) {
  metrics.count(result);
  if (log.wants(base::LogLevel::debug)) {
    log.debug("net", result ? "fetch_answered" : "fetch_failed",
              {{"url", transfer.uri_.origin() + transfer.uri_.path},
               {"status", transfer.validator_.status()},
               {"bytes", transfer.delivered_bytes_},
               {"error", result ? std::string() : result.error().text}});
  }
  if (transfer.token_ != nullptr) transfer.token_->transfer_ = nullptr;
  transfer.token_ = nullptr;
  detach(transfer);
  const auto node = transfers_.extract(&transfer);
  const auto on_done = std::move(transfer.handlers_.on_done);
  if (on_done) on_done(std::move(result));
  start_queued();
}

void CurlClient::cancel(Transfer& transfer) {
  transfer.token_ = nullptr;
  transfer.is_cancelled_ = true;
  if (!transfer.is_added_) detach(transfer);
  if (multi_.is_inside() || callback_depth_ != 0) {
    cancelled_.push_back(&transfer);
    return;
  }
  detach(transfer);
  transfers_.erase(&transfer);
  start_queued();
}

void CurlClient::sweep() {
  if (callback_depth_ != 0) return;
  for (auto* transfer : std::exchange(cancelled_, {})) {
    detach(*transfer);
    transfers_.erase(transfer);
  }
  start_queued();
}

void CurlClient::on_complete(CURL* easy, CURLcode code) {
  char* owner = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
  reinterpret_cast<Transfer*>(owner)->on_complete(code);
}

}  // namespace tribune::net
