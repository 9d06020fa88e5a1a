#include "api/api_role.h"

#include <memory>
#include <mutex>
#include <string>

#include "api/access_client.h"
#include "api/api_accounts.h"
#include "api/api_settings.h"
#include "api/cache_requests.h"
#include "api/cached_document.h"
#include "api/catalogue_pages.h"
#include "api/documents.h"
#include "api/shop_handlers.h"
#include "contracts/event.h"
#include "contracts/key_watch.h"
#include "net/server/http_server.h"

namespace tribune::api {
namespace {

struct Documents {
  CachedDocument caches, openapi;
};

/// Any thread for the handlers; the rest on the main thread.
class ApiRole final : public runtime::Role {
 public:
  ApiRole(const config::Settings& settings, runtime::Services& services)
      : services_(services),
        settings_at_start_(road_settings(settings)),
        own_at_start_(settings.get<ApiSettings>("api")),
        access_(services.clock, services.log, services.metrics, services.workers.size()),
        pages_(services.clock) {
    publish(settings);
  }

  std::string_view name() const override { return "api"; }

  std::vector<runtime::Route> front_routes() override {
    std::vector<runtime::Route> routes{
        {{http::Method::get},
         "/api/v1/channels",
         [this](auto& worker, auto exchange, const auto&) { channels(worker, std::move(exchange)); }},
        {{http::Method::get},
         "/api/v1/caches",
         [this](auto& worker, auto exchange, const auto&) { caches(worker, std::move(exchange)); }},
        {{http::Method::post},
         "/api/v1/caches/pings",
         [this](auto& worker, auto exchange, const auto&) { access_.report_pings(worker, std::move(exchange)); }},
        route("/api/v1/openapi.json", &Documents::openapi),
        {{http::Method::post},
         "/api/v1/access",
         [this](auto& worker, auto exchange, const auto&) { open_access(worker, std::move(exchange)); }},
        {{http::Method::post},
         "/api/v1/sessions/{session}/reports",
         [this](auto& worker, auto exchange, const auto& parameters) {
           access_.report(worker, std::move(exchange), parameters["session"]);
         }},
        stop_route(http::Method::del, "/api/v1/access/{session}"),
        stop_route(http::Method::post, "/api/v1/access/{session}/stop")};
    if (accounts_)
      for (auto& of_accounts : accounts_->routes()) routes.push_back(std::move(of_accounts));
    return routes;
  }

  std::vector<runtime::Route> admin_routes() override {
    return accounts_ ? accounts_->admin_routes() : std::vector<runtime::Route>();
  }

  base::Status start() override {
    if (!own_at_start_.accounts.state_dir.empty()) {
      auto opened = ApiAccounts::open(own_at_start_, settings_at_start_.event.clock_skew, pages_, services_);
      if (!opened) return tl::unexpected(opened.error());
      accounts_ = std::move(*opened);
    }
    auto& loop = services_.workers.front()->loop;
    loop.post([this, &loop] { look_ = loop.every(std::chrono::seconds(1), [this] { tick(); }); });
    return set_road(settings_at_start_);
  }

  base::Status reload(const config::Settings& settings) override {
    const auto& own = settings.get<ApiSettings>("api");
    auto target = reset_hook_target(accounts_ ? own.accounts.reset_hook : accounts::ResetHookSettings());
    if (!target) return tl::unexpected(target.error());
    if (auto set = set_road(road_settings(settings)); !set) return set;
    publish(settings);
    warn_of_restart(own.accounts);
    if (accounts_) accounts_->apply(own, std::move(*target));
    return {};
  }

  base::Status ready() const override {
    const auto why = key_watch_.trouble();
    if (why.empty()) return accounts_ ? accounts_->health() : base::Status{};
    return base::failure(base::ErrorKind::unavailable, base::Fault::tribune, why);
  }
  void describe(base::json::Writer& w) const override {
    key_watch_.describe(w);
    if (accounts_) accounts_->describe(w);
  }

  void drain() override {
    if (accounts_) accounts_->drain();
  }

 private:
  /// For settings that were read at the start only.
  void warn_of_restart(const accounts::AccountSettings& next) {
    const auto& first = own_at_start_.accounts;
    const auto warn = [this](bool is_changed, std::string_view key) {
      if (is_changed) services_.log.warning("api", "restart_needed", {{"key", key}});
    };
    warn(next.state_dir != first.state_dir, "api.accounts.state_dir");
    warn(next.max_store_bytes != first.max_store_bytes, "api.accounts.max_store");
    warn(next.hash_threads != first.hash_threads, "api.accounts.hash_threads");
  }

  void tick() {
    key_watch_.look();
    pages_.tick();
    if (accounts_) accounts_->tick();
  }

  void channels(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange) {
    if (accounts_ && exchange->request().headers.first("Authorization"))
      return accounts_->channels(worker, std::move(exchange));
    auto response = channel_list(exchange->request(), *pages_.get());
    exchange->reply(std::move(response));
  }

  /// A request with an access token is its account's; an operator's request names the account itself.
  void open_access(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange) {
    auto request = access_.read_open(*exchange);
    if (!request) return;
    if (!accounts_ || !names_account_token(exchange->request()))
      return access_.ask(worker, std::move(exchange), *request);
    accounts_->viewers().identify(worker, std::move(exchange), std::move(*request),
                                  [this, &worker](auto identified, const contracts::AccessRequest& made) {
                                    access_.ask(worker, std::move(identified), made);
                                  });
  }

  /// The list of the configuration, or that of the balancer for a channel.
  void caches(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange) {
    if (names_channel(exchange->request())) return access_.list_caches(worker, std::move(exchange));
    auto response = answer_with(exchange->request(), documents()->caches);
    exchange->reply(std::move(response));
  }

  runtime::Route route(std::string_view pattern, CachedDocument Documents::*which) {
    return {{http::Method::get}, pattern, [this, which](auto&, auto exchange, const auto&) {
              exchange->reply(answer_with(exchange->request(), (*documents()).*which));
            }};
  }

  runtime::Route stop_route(http::Method method, std::string_view pattern) {
    return {{method}, pattern, [this](auto& worker, auto exchange, const auto& parameters) {
              access_.stop(worker, std::move(exchange), parameters["session"]);
            }};
  }

  /// The settings from which a BalancerEndpoint is made.
  struct BalancerEndpointSettings {
    contracts::Event event;
    std::string balancer_url;
    std::string playback_base;
    std::string operator_token;
  };
  static BalancerEndpointSettings road_settings(const config::Settings& settings) {
    const auto& own = settings.get<ApiSettings>("api");
    auto url = own.access_url.empty() ? own.balancer_url : own.access_url;
    if (url.empty() && settings.has("front"))
      url = net::own_front_url(settings.get<net::ServerSettings>("front").listen);
    return {settings.get<contracts::Event>("event"), std::move(url), own.balancer_url, own.operator_token};
  }

  /// Sets the balancer endpoint. Reads the secret files.
  base::Status set_road(const BalancerEndpointSettings& settings) {
    auto keys = contracts::key_ring(settings.event);
    if (!keys) return tl::unexpected(keys.error());
    key_watch_.watch(settings.event);
    const auto shared = std::make_shared<const base::KeyRing>(std::move(*keys));
    if (accounts_) accounts_->set_keys(shared);
    access_.set_road(std::make_shared<const BalancerEndpoint>(
        BalancerEndpoint{settings.balancer_url, settings.playback_base, shared, settings.operator_token}));
    return {};
  }

  void publish(const config::Settings& settings) {
    const auto& event = settings.get<contracts::Event>("event");
    const auto& own = settings.get<ApiSettings>("api");
    pages_.set_event(event, own);
    auto next = std::make_shared<const Documents>(
        Documents{cached_document(caches_document(own)), cached_document(std::string(openapi_document()))});
    const std::lock_guard lock(mutex_);
    documents_ = std::move(next);
  }

  std::shared_ptr<const Documents> documents() const {
    const std::lock_guard lock(mutex_);
    return documents_;
  }

  runtime::Services& services_;
  const BalancerEndpointSettings settings_at_start_;
  const ApiSettings own_at_start_;
  AccessClient access_;
  CataloguePages pages_;
  contracts::KeyWatch key_watch_{services_.clock, services_.log, services_.metrics, "api"};
  std::unique_ptr<ApiAccounts> accounts_;  // null without accounts.state_dir
  net::Timer look_;                        // on the first worker's loop
  mutable std::mutex mutex_;               // guards documents_
  std::shared_ptr<const Documents> documents_;
};

void add_section(config::Schema& schema) { schema.add(api_section(), config::Presence::optional); }

std::unique_ptr<runtime::Role> make(const config::Settings& settings, runtime::Services& services) {
  return std::make_unique<ApiRole>(settings, services);
}

}  // namespace

const runtime::RoleType& role_type() {
  static const runtime::RoleType type{"api", add_section, make};
  return type;
}

}  // namespace tribune::api
