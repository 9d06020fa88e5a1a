#include "http_cache/http_cache.h"

#include <utility>

#include "http_cache/cache_request.h"
#include "runtime/task_set.h"

namespace tribune::http_cache {
namespace {

constexpr const char* kListenerName = "http_cache";  // also the listener's name

}  // namespace

/// Owned by one worker.
struct HttpCache::WorkerShare {
  explicit WorkerShare(runtime::Worker& of) : worker(of), fetches(of.loop), requests(of.loop) {}
  runtime::Worker& worker;
  runtime::TaskSet<OriginFetch> fetches;
  runtime::TaskSet<CacheRequest> requests;
  std::unique_ptr<net::HttpServer> server;  // destroyed first: it ends the exchanges
};

HttpCache::HttpCache(const HttpCacheSettings& settings, std::shared_ptr<SharedState> state, runtime::Services& services)
    : services_(services),
      listen_(settings.listen),
      origin_(settings.origin),
      settings_(std::make_shared<const HttpCacheSettings>(settings)),
      state_(std::move(state)),
      access_(services.log, services.metrics, kListenerName) {}

HttpCache::~HttpCache() = default;

net::ServerSettings HttpCache::server_settings(net::ServerSettings front) const {
  front.listen = listen_;
  return front;
}

base::Status HttpCache::open(net::ServerSettings front) {
  auto settings = server_settings(std::move(front));
  for (const auto& worker : services_.workers) {
    auto& share = *shares_.emplace_back(std::make_unique<WorkerShare>(*worker));
    net::HttpServerContext context{
        worker->loop,
        services_.clock,
        services_.log,
        services_.metrics,
        kListenerName,
        [this, &share](std::unique_ptr<net::Exchange> exchange) { serve(share, std::move(exchange)); },
        [this](const net::AccessRecord& record) { access_.record(record); }};
    context.any_method = true;
    context.adds_cors_fields = false;  // the origin's own fields are passed on
    auto opened = net::HttpServer::open(settings, std::move(context), connections_);
    if (!opened) return tl::unexpected(std::move(opened.error()));
    share.server = std::move(*opened);
    if (shares_.size() > 1) continue;
    settings.listen = share.server->bound();
    for (const auto& address : settings.listen)
      services_.log.info(kListenerName, "listening", {{"listener", kListenerName}, {"address", address}});
  }
  return {};
}

void HttpCache::reconfigure(const HttpCacheSettings& next, net::ServerSettings front) {
  if (next.listen != listen_) services_.log.warning(kListenerName, "restart_needed", {{"key", "http_cache.listen"}});
  if (next.origin != origin_) services_.log.warning(kListenerName, "restart_needed", {{"key", "http_cache.origin"}});
  auto settings = std::make_shared<HttpCacheSettings>(next);
  settings->listen = listen_;
  settings->origin = origin_;
  state_->store.set_max_bytes(settings->max_bytes);
  settings_.publish(std::move(settings));
  front = server_settings(std::move(front));
  for (const auto& share : shares_)
    share->worker.loop.post([&share = *share, front] { share.server->reconfigure(front); });
}

void HttpCache::drain() {
  undrained_ = shares_.size();
  for (const auto& share : shares_)
    share->worker.loop.post([this, &share = *share] {
      share.server->drain();
      --undrained_;
    });
}

void HttpCache::serve(WorkerShare& share, std::unique_ptr<net::Exchange> exchange) {
  auto settings = settings_.get();
  auto asked = to_origin_request(exchange->request(), exchange->arrival(), *settings);
  CacheRequestContext context{services_.clock, share.worker.loop, *state_,
                              [this, &share](FetchOrder order, std::shared_ptr<OriginTransfer> transfer) {
                                fetch(share, std::move(order), std::move(transfer));
                              }};
  share.requests
      .add([&](std::function<void()> on_over) {
        return std::make_unique<CacheRequest>(std::move(context), std::move(settings), std::move(asked),
                                              std::move(exchange), std::move(on_over));
      })
      .begin();
}

void HttpCache::fetch(WorkerShare& share, FetchOrder order, std::shared_ptr<OriginTransfer> transfer) {
  const OriginFetchContext context{services_.clock, share.worker.loop, share.worker.client, *state_};
  share.fetches
      .add([&](std::function<void()> on_over) {
        return std::make_unique<OriginFetch>(context, settings_.get(), std::move(order), std::move(transfer),
                                             std::move(on_over));
      })
      .begin();
}

}  // namespace tribune::http_cache
