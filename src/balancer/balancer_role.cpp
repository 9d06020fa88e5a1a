#include "balancer/balancer_role.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "access/access_settings.h"
#include "access/admission.h"
#include "balancer/access_http/access_handler.h"
#include "balancer/access_http/access_wiring.h"
#include "balancer/access_http/limits_handler.h"
#include "balancer/access_http/overload_drill_handler.h"
#include "balancer/access_http/queue_status_handler.h"
#include "balancer/access_http/status_handler.h"
#include "balancer/account_tokens/revocation_follower.h"
#include "balancer/balancer_settings.h"
#include "balancer/entitlements/entitlement_checker.h"
#include "balancer/entitlements/paid_access.h"
#include "balancer/entitlements/session_entitlements.h"
#include "balancer/event_view_builder.h"
#include "balancer/node_push/node_push_handler.h"
#include "balancer/node_push/order_handler.h"
#include "balancer/nodes/heartbeat_handler.h"
#include "balancer/nodes/node_registry.h"
#include "balancer/periodic_tasks.h"
#include "balancer/routing/routing_files.h"
#include "balancer/routing/routing_status_handler.h"
#include "balancer/routing/session_router.h"
#include "balancer/sessions/session_pins.h"
#include "balancer/settings/event_view.h"
#include "balancer/slate/slate_handler.h"
#include "balancer/slate/slate_transitions.h"
#include "balancer/slate/slates.h"
#include "balancer/sources/channel_end_handler.h"
#include "balancer/sources/former_numbers.h"
#include "balancer/sources/origin_status_handler.h"
#include "balancer/sources/rendered_playlists.h"
#include "balancer/sources/sources.h"
#include "balancer/steering/steering_handler.h"
#include "balancer/viewer/playlist_request_flow.h"
#include "base/memory.h"
#include "contracts/event.h"
#include "contracts/heartbeat.h"
#include "contracts/key_watch.h"
#include "http/message.h"
#include "net/server/http_server.h"
#include "store/store.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMaxStateBytes = 4ull << 30;  // two million sessions with their pins use about a quarter

/// Any thread for ready(), describe() and the handlers; the rest on the main thread.
class BalancerRole final : public runtime::Role {
 public:
  BalancerRole(const config::Settings& settings, runtime::Services& services)
      : services_(services),
        event_(settings.get<contracts::Event>("event")),
        settings_(settings.get<BalancerSettings>("balancer")),
        access_settings_(settings.get<access::AccessSettings>("access")),
        operators_(operator_rules(settings_.operator_token, settings_.operator_networks, settings)),
        own_api_url_(settings.has("api") ? net::own_front_url(settings.get<net::ServerSettings>("front").listen) : ""),
        view_(nullptr),
        admission_(services.clock, services.log, services.metrics, access_settings_,
                   static_cast<std::size_t>(settings_.max_sessions), labels_),
        nodes_(services.clock, services.log, services.metrics),
        heartbeats_(services.clock, services.log, services.metrics, nodes_, view_, [this] { return listed_links(); }),
        node_push_(services.clock, services.log, services.metrics, nodes_, view_, services.workers),
        orders_(services.log, node_push_, nodes_, view_, services.workers.size()),
        slates_(services.clock, services.log, services.metrics, rendered_),
        transitions_(services.clock, services.metrics, settings_.max_saved_sessions()),
        slate_handler_(services.clock, slates_, nodes_, view_),
        access_handler_(services.clock, services.log, services.metrics, admission_, pins_, router_, paid_access_,
                        view_),
        queue_status_(services.clock, admission_),
        overload_drill_(services.clock, services.log, services.metrics, admission_, view_),
        steering_(services.clock, services.metrics, router_, pins_, admission_, paid_access_, view_),
        flow_({services.clock, services.metrics, view_, nodes_, admission_, pins_, router_, slates_, transitions_,
               steering_, paid_access_,
               [this](runtime::Worker& worker, const PlaylistLookup& lookup, OnPlaylist on_answer) {
                 return sources_->look_up(worker, lookup, with_prediction(admission_, lookup, std::move(on_answer)));
               },
               [this] { return listed_links(); },
               [this](runtime::Worker& worker, const DocumentLookup& lookup, OnDocument on_document) {
                 return sources_->look_up_document(worker, lookup, std::move(on_document));
               }},
              services.workers.size()) {
    base::Memory::of_process().on_look(
        [weak = std::weak_ptr<RenderedPlaylists>(rendered_)](base::MemoryLevel level, const base::MemoryUse&) {
          if (const auto rendered = weak.lock()) rendered->shrink_for(level);
        });
  }

  std::string_view name() const override { return "balancer"; }

  std::vector<runtime::Route> front_routes() override {
    using http::Method;
    return {
        {{Method::get},
         "/live/{channel}/index.m3u8",
         [this](auto& worker, auto exchange, const auto& parameters) {
           flow_.open(worker, std::move(exchange), parameters);
         }},
        {{Method::get},
         "/live/{channel}/~{session}/{path...}",
         [this](auto& worker, auto exchange, const auto& parameters) {
           flow_.within(worker, std::move(exchange), parameters);
         }},
        {{Method::get},
         "/steering/{channel}",
         [this](auto&, auto exchange, const auto& parameters) {
           exchange->reply(steering_.answer(parameters["channel"], exchange->request()));
         }},
        {{Method::get},
         "/slate/{channel}/{version}/{path...}",
         [this](auto&, auto exchange, const auto& parameters) {
           exchange->reply(slate_handler_.answer(parameters["channel"], parameters["version"], parameters["path"],
                                                 exchange->request()));
         }},
        {{Method::get},
         "/queue/{channel}",
         [this](auto&, auto exchange, const auto& parameters) {
           exchange->reply(queue_status_.answer(parameters["channel"]));
         }},
        {{Method::get, Method::post},
         "/access_queue_switch",
         [this](auto&, auto exchange, const auto&) { exchange->reply(overload_drill_.answer(exchange->request())); }},
        {{Method::get, Method::post},
         "/access_queue_swith",
         [this](auto&, auto exchange, const auto&) { exchange->reply(overload_drill_.answer(exchange->request())); }},
        {{Method::post},
         contracts::kAccessPath,
         [this](auto&, auto exchange, const auto&) {
           auto response = access_handler_.answer(exchange->request());
           exchange->note.session = response.headers.first(contracts::kSessionNameHeader).value_or("");
           exchange->reply(std::move(response));
         }},
        {{Method::post},
         "/internal/v1/nodes/{id}",
         [this](auto&, auto exchange, const auto& parameters) {
           exchange->note.node = parameters["id"];
           auto response = heartbeats_.answer(parameters["id"], exchange->request());
           exchange->keeps_place = response.status == 200;  // its connection is not closed for those of viewers
           exchange->reply(std::move(response));
         }},
        {{Method::post},
         "/internal/v1/nodes/{id}/news",
         [this](auto& worker, auto exchange, const auto& parameters) {
           exchange->note.node = parameters["id"];
           node_push_.answer(worker, std::move(exchange), parameters["id"]);
         }},
    };
  }

  std::vector<runtime::Route> admin_routes() override {
    auto routes = limits_.routes();
    for (auto& route : status_.routes()) routes.push_back(std::move(route));
    for (auto& route : routing_status_.routes()) routes.push_back(std::move(route));
    for (auto& route : orders_.routes()) routes.push_back(std::move(route));
    for (auto& route : channel_end_.routes()) routes.push_back(std::move(route));
    for (auto& route : origin_status_.routes()) routes.push_back(std::move(route));
    return routes;
  }

  base::Status start() override {
    std::vector<std::string> tables{std::string(kTimelinesTable), std::string(kDrainsTable),
                                    std::string(kTransitionsTable), std::string(kPinsTable), std::string(kOrdersTable)};
    tables.insert(tables.end(), access::kAccessTables.begin(), access::kAccessTables.end());
    auto store = store::Store::open({settings_.state_dir, std::move(tables), kMaxStateBytes, 50ms, "balancer-state 1"},
                                    services_.log);
    if (!store) return tl::unexpected(store.error());
    store_ = std::move(*store);
    slates_.load(settings_.slate_folder, event_);
    const auto reached = transitions_.load(*store_);
    if (!reached) return tl::unexpected(reached.error());
    if (*reached) slates_.continue_from(**reached);
    if (auto loaded = pins_.load(*store_); !loaded) return loaded;
    auto source_settings = settings_.origin.as_source_settings();
    source_settings.rendered = rendered_;
    sources_.emplace(services_, *store_, source_settings, &node_push_, labels_);
    if (auto loaded = sources_->load(); !loaded) return loaded;
    ask_for_former_numbers();
    if (auto loaded = admission_.load(*store_); !loaded) return loaded;
    if (auto loaded = node_push_.load(order_store_.emplace(*store_, services_.log)); !loaded) return loaded;
    heartbeats_.report_distrusted([this] { return sources_->distrusted_backups(); });
    heartbeats_.exclude_peers([this](std::string_view node) { return node_push_.has_missed_purges(node); });
    auto keys = contracts::key_ring(event_);
    if (!keys) return tl::unexpected(keys.error());
    publish(event_, std::move(*keys), settings_, access_settings_, operators_);
    // The reserved numbers of orders. A full disk must not keep those who watch from watching.
    if (auto written = store_->flush(); !written)
      services_.log.error("balancer", "state_not_written",
                          {{"directory", settings_.state_dir}, {"error", written.error().text}});
    if (auto loaded = routing_status_.load(*store_); !loaded) return loaded;
    auto& worker = *services_.workers.front();
    worker.loop.post([this, &worker] {
      tasks_.start(worker);
      revocations_.start(worker);
      entitlement_checker_.start(worker);
    });
    is_serving_ = true;
    return {};
  }

  base::Status reload(const config::Settings& settings) override {
    const auto& event = settings.get<contracts::Event>("event");
    auto keys = contracts::key_ring(event);
    if (!keys) return tl::unexpected(keys.error());
    const auto& balancer = settings.get<BalancerSettings>("balancer");
    publish(event, std::move(*keys), balancer, settings.get<access::AccessSettings>("access"),
            operator_rules(balancer.operator_token, balancer.operator_networks, settings));
    return {};
  }

  base::Status ready() const override {
    auto why = is_serving_ ? key_watch_.trouble() : "not serving";
    if (why.empty() && !admission_.admits())
      why = "no new viewers are admitted: the state cannot be written to " + settings_.state_dir;
    if (why.empty() && nodes_.is_without_usable_node()) why = "no cache node is usable: viewers stay at their nodes";
    if (why.empty()) return {};
    return base::failure(base::ErrorKind::unavailable, base::Fault::tribune, why);
  }

  void describe(base::json::Writer& w) const override {
    key_watch_.describe(w);
    nodes_.describe(w);
    files_.describe(w);
    status_.describe(w);
    revocations_.describe(w);
    entitlement_checker_.describe(w);
    if (sources_) sources_->describe(w);
  }

  void drain() override {
    is_serving_ = false;
    node_push_.drain();
    if (sources_) sources_->drain();
  }

  void stop() override { admission_.stop(); }

 private:
  std::shared_ptr<const contracts::ListedLinks> listed_links() const {
    return sources_ ? sources_->listed_links() : nullptr;
  }

  void ask_for_former_numbers() {
    std::vector<std::string> nodes;
    for (const auto& node : settings_.nodes) nodes.push_back(node.id);
    former_numbers_.emplace(*sources_, *store_).start(*services_.workers.front(), nodes);
    heartbeats_.exchange_numbers(*former_numbers_);
  }

  void publish(const contracts::Event& event, base::KeyRing keys, const BalancerSettings& settings,
               const access::AccessSettings& access, const OperatorRules& operators) {
    auto view = build_event_view(event, std::move(keys), settings, operators, slates_);
    key_watch_.watch(event);
    nodes_.configure(settings.nodes, settings.node_timeout);
    files_.configure(settings.routing);
    router_.configure(settings.routing.gone_lifetime);
    tasks_.configure(settings.routing.probe_period);
    rendered_->configure(settings.rendered_bytes);
    sources_->configure(view->event, view->keys);
    const auto accounts = accounts_api(event, view->keys, own_api_url_);
    entitlements_.configure(settings.paid_channels);
    revocations_.configure(accounts);
    entitlement_checker_.configure(accounts, contracts::has_paid_channels(event));
    admission_.configure(access, channel_facts(event, access));
    view_.publish(std::move(view));
  }

  runtime::Services& services_;
  const contracts::Event event_;     // as of the start
  const BalancerSettings settings_;  // as of the start
  const access::AccessSettings access_settings_;
  const OperatorRules operators_;  // as of the start
  const std::string own_api_url_;  // of this process, if it has the role api
  std::atomic<bool> is_serving_{false};

  const std::shared_ptr<RenderedPlaylists> rendered_ =
      std::make_shared<RenderedPlaylists>(services_.clock, services_.metrics, settings_.rendered_bytes);
  const std::shared_ptr<base::ChannelLabels> labels_ =
      std::make_shared<base::ChannelLabels>(static_cast<std::size_t>(settings_.metrics_channels));
  contracts::KeyWatch key_watch_{services_.clock, services_.log, services_.metrics, "balancer"};
  RevocationFollower revocations_{services_.clock, services_.log, services_.metrics};
  PublishedView view_;
  access::Admission admission_;  // outlives store_, which calls back
  SessionPins pins_{services_.clock, services_.metrics, settings_.max_saved_sessions()};
  NodeRegistry nodes_;
  LimitsHandler limits_{services_.log, admission_, nodes_, view_};
  RoutingFiles files_{services_.clock, services_.log, services_.metrics};
  SessionRouter router_{services_.clock, services_.log, nodes_, files_, admission_};
  SessionEntitlements entitlements_{services_.clock, services_.log, services_.metrics};
  EntitlementChecker entitlement_checker_{services_.clock, services_.log, services_.metrics, entitlements_};
  PaidAccess paid_access_{entitlements_, entitlement_checker_, [this](access::SessionId session) {
                            admission_.release(session);
                            pins_.release(session);
                            router_.release(session);
                          }};
  StatusHandler status_{nodes_, admission_, pins_, view_};
  RoutingStatusHandler routing_status_{services_.clock, nodes_, router_, view_};
  ChannelEndHandler channel_end_{services_.clock, services_.log, [this]() -> Sources& { return *sources_; }};
  OriginStatusHandler origin_status_{[this]() -> Sources& { return *sources_; }};
  HeartbeatHandler heartbeats_;
  NodePushHandler node_push_;
  OrderHandler orders_;
  Slates slates_;
  SlateTransitions transitions_;
  SlateHandler slate_handler_;
  AccessHandler access_handler_;
  QueueStatusHandler queue_status_;
  OverloadDrillHandler overload_drill_;
  SteeringHandler steering_;
  PlaylistRequestFlow flow_;  // destroyed after sources_, because it owns the lookups that sources_ answers
  std::unique_ptr<store::Store> store_;
  std::optional<OrderStore> order_store_;
  std::optional<Sources> sources_;
  std::optional<FormerNumbers> former_numbers_;
  PeriodicTasks tasks_{{services_.clock, view_, admission_, pins_, router_, nodes_, slates_, transitions_, *rendered_,
                        key_watch_, entitlements_}};
};

std::unique_ptr<runtime::Role> make(const config::Settings& settings, runtime::Services& services) {
  return std::make_unique<BalancerRole>(settings, services);
}

}  // namespace

const runtime::RoleType& role_type() {
  static const runtime::RoleType type{"balancer", add_balancer_sections, make};
  return type;
}

}  // namespace tribune::balancer
