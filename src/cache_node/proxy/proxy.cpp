#include "cache_node/proxy/proxy.h"

#include <utility>

#include "cache_node/proxy/proxy_request.h"
#include "runtime/task_set.h"

namespace tribune::cache_node {

/// Owned by one worker.
struct Proxy::Desk {
  explicit Desk(runtime::Worker& of) : worker(of), requests(of.loop) {}
  runtime::Worker& worker;
  RequestCoalescer coalescer;
  runtime::TaskSet<ProxyRequest> requests;
  std::unique_ptr<net::HttpServer> server;  // destroyed first: it ends the exchanges
};

Proxy::Proxy(const ProxySettings& settings, std::string node_id, runtime::Services& services)
    : services_(services),
      node_id_(std::move(node_id)),
      listen_(settings.listen),
      origin_(settings.origin),
      settings_(std::make_shared<const ProxySettings>(settings)),
      store_(settings.max_bytes),
      access_(services.log, services.metrics, "proxy") {}

Proxy::~Proxy() = default;

net::ServerSettings Proxy::server_settings(net::ServerSettings front) const {
  front.listen = listen_;
  return front;
}

base::Status Proxy::open(net::ServerSettings front) {
  if (listen_.empty()) return {};
  auto settings = server_settings(std::move(front));
  for (const auto& worker : services_.workers) {
    auto& desk = *desks_.emplace_back(std::make_unique<Desk>(*worker));
    net::HttpServerContext context{
        worker->loop,
        services_.clock,
        services_.log,
        services_.metrics,
        "proxy",
        [this, &desk](std::unique_ptr<net::Exchange> exchange) { serve(desk, std::move(exchange)); },
        [this](const net::AccessRecord& record) { access_.record(record); }};
    context.any_method = true;
    context.adds_cors_fields = false;  // they are the origin's own business here
    auto opened = net::HttpServer::open(settings, std::move(context), book_);
    if (!opened) {
      opened.error().text = "proxy: " + opened.error().text;
      return tl::unexpected(std::move(opened.error()));
    }
    desk.server = std::move(*opened);
    if (desks_.size() > 1) continue;
    settings.listen = desk.server->bound();
    for (const auto& address : settings.listen)
      services_.log.info("cache_node", "listening", {{"listener", "proxy"}, {"address", address}});
  }
  return {};
}

void Proxy::reconfigure(const ProxySettings& next, net::ServerSettings front) {
  if (next.listen != listen_)
    services_.log.warning("cache_node", "restart_needed", {{"key", "cache_node.proxy.listen"}});
  if (next.origin != origin_)
    services_.log.warning("cache_node", "restart_needed", {{"key", "cache_node.proxy.origin"}});
  auto settings = std::make_shared<ProxySettings>(next);
  settings->listen = listen_;
  settings->origin = origin_;
  store_.set_max_bytes(settings->max_bytes);
  settings_.publish(std::move(settings));
  front = server_settings(std::move(front));
  for (const auto& desk : desks_) desk->worker.loop.post([&desk = *desk, front] { desk.server->reconfigure(front); });
}

void Proxy::shrink(std::uint64_t bytes) {
  const auto held = store_.totals().bytes;
  if (held == 0) return;
  store_.set_max_bytes(held > bytes ? held - bytes : 0);
  store_.set_max_bytes(settings_.get()->max_bytes);
}

void Proxy::drain() {
  undrained_ = desks_.size();
  for (const auto& desk : desks_)
    desk->worker.loop.post([this, &desk = *desk] {
      desk.server->drain();
      --undrained_;
    });
}

void Proxy::serve(Desk& desk, std::unique_ptr<net::Exchange> exchange) {
  auto settings = settings_.get();
  auto question = question_of(exchange->request(), exchange->arrival(), *settings);
  const auto renew = [this, &desk](ProxyQuestion asked, ProxyEntryPtr entry) {
    asked.request.method = http::Method::get;
    asked.request.body.clear();
    const ProxyTools inner{services_.clock, desk.worker.loop, desk.worker.client, store_, desk.coalescer, node_id_, {}};
    desk.requests
        .add([&](std::function<void()> on_over) {
          return std::make_unique<ProxyRequest>(inner, settings_.get(), std::move(asked), nullptr, std::move(on_over));
        })
        .revalidate(std::move(entry));
  };
  const ProxyTools tools{
      services_.clock, desk.worker.loop, desk.worker.client, store_, desk.coalescer, node_id_, renew};
  desk.requests
      .add([&](std::function<void()> on_over) {
        return std::make_unique<ProxyRequest>(tools, std::move(settings), std::move(question), std::move(exchange),
                                              std::move(on_over));
      })
      .begin();
}

}  // namespace tribune::cache_node
