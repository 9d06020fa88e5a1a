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
#include "balancer/balancer_settings.h"
#include "balancer/node_push/node_push_handler.h"
#include "balancer/node_push/order_handler.h"
#include "balancer/nodes/heartbeat_handler.h"
#include "balancer/nodes/node_registry.h"
#include "balancer/routing/node_prober.h"
#include "balancer/routing/routing_files.h"
#include "balancer/routing/routing_status_handler.h"
#include "balancer/routing/session_router.h"
#include "balancer/sessions/session_pins.h"
#include "balancer/settings/event_view.h"
#include "balancer/slate/slate_handler.h"
#include "balancer/slate/slate_transitions.h"
#include "balancer/slate/slates.h"
#include "balancer/sources/rendered_playlists.h"
#include "balancer/sources/sources.h"
#include "balancer/steering/steering_handler.h"
#include "balancer/viewer/playlist_request_flow.h"
#include "base/ip_address.h"
#include "base/memory.h"
#include "contracts/channel_map.h"
#include "contracts/event.h"
#include "contracts/heartbeat.h"
#include "contracts/key_watch.h"
#include "http/message.h"
#include "store/store.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMostStateBytes = 4ull
                                          << 30;  // two million sessions with their pins take about a quarter of it

/// Sessions whose pins and turns are kept: those that may be known, and as many that have lapsed.
std::size_t most_kept(const BalancerSettings& settings) {
  constexpr std::int64_t kAtLeast = 65'536;
  return static_cast<std::size_t>(std::max(kAtLeast, 2 * settings.max_sessions));
}

/// Any thread for ready(), describe() and the handlers; the rest on the main thread.
class BalancerRole final : public runtime::Role {
 public:
  BalancerRole(const config::Settings& settings, runtime::Services& services)
      : services_(services),
        event_(settings.get<contracts::Event>("event")),
        settings_(settings.get<BalancerSettings>("balancer")),
        access_settings_(settings.get<access::AccessSettings>("access")),
        operators_(operator_rules(settings_.operator_token, settings_.operator_networks, settings)),
        view_(nullptr),
        admission_(services.clock, services.log, services.metrics, access_settings_,
                   static_cast<std::size_t>(settings_.max_sessions), labels_),
        nodes_(services.clock, services.log, services.metrics),
        heartbeats_(services.clock, services.log, services.metrics, nodes_, view_, [this] { return listed_links(); }),
        news_(services.clock, services.log, services.metrics, nodes_, view_, services.workers),
        orders_(services.log, news_, nodes_, view_, services.workers.size()),
        slates_(services.clock, services.log, services.metrics, texts_),
        turns_(services.clock, services.metrics, most_kept(settings_)),
        slate_door_(services.clock, slates_, nodes_, view_),
        desk_(services.clock, services.log, services.metrics, admission_, pins_, router_, view_),
        board_(services.clock, admission_),
        switch_(services.log, services.metrics, admission_, view_),
        steering_(services.clock, services.metrics, router_, pins_, admission_, view_),
        flow_({services.clock, services.metrics, view_, nodes_, admission_, pins_, router_, slates_, turns_, steering_,
               [this](runtime::Worker& worker, const PlaylistQuestion& question, OnPlaylist on_answer) {
                 return sources_->ask(worker, question, predicting(admission_, question, std::move(on_answer)));
               },
               [this] { return listed_links(); },
               [this](runtime::Worker& worker, const DocumentQuestion& question, OnDocument on_document) {
                 return sources_->ask_document(worker, question, std::move(on_document));
               }},
              services.workers.size()) {
    base::Memory::of_process().on_look(
        [weak = std::weak_ptr<RenderedPlaylists>(texts_)](base::MemoryLevel level, const base::MemoryUse&) {
          const auto texts = level == base::MemoryLevel::plenty ? nullptr : weak.lock();
          if (texts) texts->shrink(level == base::MemoryLevel::scarce ? texts->bytes() / 2 : 0);
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
           exchange->reply(slate_door_.answer(parameters["channel"], parameters["version"], parameters["path"],
                                              exchange->request()));
         }},
        {{Method::get},
         "/queue/{channel}",
         [this](auto&, auto exchange, const auto& parameters) {
           exchange->reply(board_.answer(parameters["channel"]));
         }},
        {{Method::get},
         "/access_queue_switch",
         [this](auto&, auto exchange, const auto&) { exchange->reply(switch_.answer(exchange->request())); }},
        {{Method::get},
         "/access_queue_swith",
         [this](auto&, auto exchange, const auto&) { exchange->reply(switch_.answer(exchange->request())); }},
        {{Method::post},
         contracts::kAccessPath,
         [this](auto&, auto exchange, const auto&) { exchange->reply(desk_.answer(exchange->request())); }},
        {{Method::post},
         "/internal/v1/nodes/{id}",
         [this](auto&, auto exchange, const auto& parameters) {
           exchange->note.node = parameters["id"];
           auto response = heartbeats_.answer(parameters["id"], exchange->request());
           exchange->keeps_place = response.status == 200;  // a crowd at the door closes no node's connection
           exchange->reply(std::move(response));
         }},
        {{Method::post},
         "/internal/v1/nodes/{id}/news",
         [this](auto& worker, auto exchange, const auto& parameters) {
           exchange->note.node = parameters["id"];
           news_.answer(worker, std::move(exchange), parameters["id"]);
         }},
    };
  }

  std::vector<runtime::Route> admin_routes() override {
    auto routes = limits_desk_.routes();
    routes.push_back({{http::Method::get}, "/status/nodes", [this](auto&, auto exchange, const auto&) {
                        exchange->reply(status_of_nodes());
                      }});
    for (auto& route : routing_desk_.routes()) routes.push_back(std::move(route));
    for (auto& route : orders_.routes()) routes.push_back(std::move(route));
    return routes;
  }

  base::Status start() override {
    std::vector<std::string> tables{std::string(kTimelinesTable), std::string(kDrainsTable), std::string(kTurnsTable),
                                    std::string(kPinsTable), std::string(kOrdersTable)};
    tables.insert(tables.end(), access::kAccessTables.begin(), access::kAccessTables.end());
    auto store = store::Store::open({settings_.state_dir, std::move(tables), kMostStateBytes, 50ms, "balancer-state 1"},
                                    services_.log);
    if (!store) return tl::unexpected(store.error());
    store_ = std::move(*store);
    slates_.load(settings_.slate_folder, event_);
    const auto reached = turns_.load(*store_);
    if (!reached) return tl::unexpected(reached.error());
    if (*reached) slates_.continue_from(**reached);
    if (auto loaded = pins_.load(*store_); !loaded) return loaded;
    auto source_settings = settings_.origin.as_source_settings();
    source_settings.texts = texts_;
    sources_.emplace(services_, *store_, source_settings, &news_, labels_);
    if (auto loaded = sources_->load(); !loaded) return loaded;
    if (auto loaded = admission_.load(*store_); !loaded) return loaded;
    if (auto loaded = news_.load(order_book_.emplace(*store_, services_.log)); !loaded) return loaded;
    heartbeats_.leave_out([this](std::string_view node) { return news_.is_behind(node); });
    auto keys = contracts::key_ring(event_);
    if (!keys) return tl::unexpected(keys.error());
    publish(event_, std::move(*keys), settings_, access_settings_, operators_);
    if (auto written = store_->flush(); !written) return written;  // the first tickets' numbers
    if (auto loaded = routing_desk_.load(*store_); !loaded) return loaded;
    services_.workers.front()->loop.post([this] { start_timers(services_.workers.front()->loop); });
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
    const auto why = is_serving_ ? key_watch_.trouble() : "not serving";
    if (why.empty()) return {};
    return base::failure(base::ErrorKind::unavailable, base::Fault::tribune, why);
  }

  void describe(base::json::Writer& w) const override {
    key_watch_.describe(w);
    nodes_.describe(w);
    files_.describe(w);
    if (const auto view = view_.get()) {
      w.key("channels").begin_array();
      for (const auto& channel : view->event->channels) {
        w.begin_object()
            .member("id", channel.id)
            .member("title", channel.title)
            .member("links", contracts::to_string(channel.links))
            .member("sessions", std::uint64_t{admission_.sessions(channel.id)})
            .end_object();
      }
      w.end_array();
    }
    w.member("sessions", std::uint64_t{admission_.sessions()})
        .member("pinned_sessions", std::uint64_t{pins_.size()})
        .member("unsaved_pins", pins_.unsaved());
    admission_.describe(w);
    if (sources_) sources_->describe(w);
  }

  void drain() override {
    is_serving_ = false;
    news_.drain();
    if (sources_) sources_->drain();
  }

  void stop() override { admission_.stop(); }

 private:
  std::shared_ptr<const contracts::ListedLinks> listed_links() const {
    return sources_ ? sources_->listed_links() : nullptr;
  }

  void publish(const contracts::Event& event, base::KeyRing keys, const BalancerSettings& settings,
               const access::AccessSettings& access, const OperatorRules& operators) {
    auto view = std::make_shared<EventView>();
    view->event = std::make_shared<contracts::Event>(event);
    view->keys = std::make_shared<base::KeyRing>(std::move(keys));
    key_watch_.watch(event);
    view->channel_map =
        contracts::to_json(contracts::channel_map(with_slate_origin(event, slates_, settings.slate_origin)));
    view->slate_origin = settings.slate_origin;
    view->operators = operators;
    if (auto networks = base::PrefixList::parse(settings.shared_networks)) view->shared_networks = std::move(*networks);
    view->direct_players = settings.direct_players;
    view->steering = settings.steering;
    view->session_idle = settings.session_idle;
    view->ended_session_idle = settings.ended_session_idle;
    view->publish_delay = settings.publish_delay;
    view->order_deadline = settings.order_deadline;
    view->receipt_lifetime = settings.routing.receipt_lifetime;
    nodes_.configure(settings.nodes, settings.node_timeout);
    files_.configure(settings.routing);
    router_.configure(settings.routing.gone_lifetime);
    probe_period_ = settings.routing.probe_period;
    texts_->configure(settings.rendered_bytes);
    sources_->configure(view->event, view->keys);
    admission_.configure(access, channel_facts(event, access));
    view_.publish(std::move(view));
  }

  /// On the first worker's loop.
  void start_timers(net::EventLoop& loop) {
    tick_ = loop.every(100ms, [this] {
      admission_.tick([this](access::SessionId id) {
        pins_.lapse(id);
        router_.release(id);
      });
    });
    sweep_turns_ = loop.every(2s, [this] {
      turns_.sweep({slates_.now(), slates_.ahead()});
      pins_.sweep();
      texts_->sweep();
    });
    tell_traffic_ = loop.every(1s, [this] {
      tell_traffic(admission_, *nodes_.table());
      key_watch_.look();
    });
    prober_ = std::make_unique<Prober>(services_.clock, nodes_, services_.workers.front()->client);
    probe_ = loop.every(100ms, [this] { prober_->tick(probe_period_.load()); });
    sweep_ = loop.every(
        1s, [this] { router_.sweep(std::max<std::chrono::milliseconds>(60s, 2 * view_.get()->session_idle)); });
    check_nodes(loop);
  }

  /// Sets itself again each time, for a reload may change the period.
  void check_nodes(net::EventLoop& loop) {
    nodes_.check();
    check_ = loop.after(nodes_.check_period(), [this, &loop] { check_nodes(loop); });
  }

  http::Response status_of_nodes() const {
    base::json::Writer w;
    w.begin_object();
    nodes_.describe(w);
    w.end_object();
    http::Response response;
    response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
    response.body = w.take();
    return response;
  }

  runtime::Services& services_;
  const contracts::Event event_;     // as at the start
  const BalancerSettings settings_;  // likewise
  const access::AccessSettings access_settings_;
  const OperatorRules operators_;  // likewise
  std::atomic<bool> is_serving_{false};

  const std::shared_ptr<RenderedPlaylists> texts_ =
      std::make_shared<RenderedPlaylists>(services_.clock, services_.metrics, settings_.rendered_bytes);
  const std::shared_ptr<base::ChannelLabels> labels_ =
      std::make_shared<base::ChannelLabels>(static_cast<std::size_t>(settings_.metrics_channels));
  contracts::KeyWatch key_watch_{services_.clock, services_.log, services_.metrics, "balancer"};
  PublishedView view_;
  access::Admission admission_;  // outlives store_, which calls back
  SessionPins pins_{services_.clock, services_.metrics, most_kept(settings_)};
  NodeRegistry nodes_;
  LimitsHandler limits_desk_{services_.log, admission_, nodes_, view_};
  RoutingFiles files_{services_.clock, services_.log, services_.metrics};
  SessionRouter router_{services_.clock, services_.log, nodes_, files_, admission_};
  RoutingStatusHandler routing_desk_{services_.clock, nodes_, router_, view_};
  std::atomic<std::chrono::milliseconds> probe_period_{2s};
  std::unique_ptr<Prober> prober_;  // of the first worker
  HeartbeatHandler heartbeats_;
  NodePushHandler news_;
  OrderHandler orders_;
  Slates slates_;
  SlateTransitions turns_;
  SlateHandler slate_door_;
  AccessHandler desk_;
  QueueStatusHandler board_;
  OverloadDrillHandler switch_;
  SteeringHandler steering_;
  PlaylistRequestFlow flow_;  // destroyed after sources_: it owns the waits that sources_ answers
  std::unique_ptr<store::Store> store_;
  std::optional<OrderStore> order_book_;
  std::optional<Sources> sources_;
  net::Timer tick_;
  net::Timer tell_traffic_;
  net::Timer check_;
  net::Timer probe_;
  net::Timer sweep_;
  net::Timer sweep_turns_;
};

std::string has_keys(const config::Settings& settings) {
  if (!settings.has("balancer") || (settings.has("event") && !settings.get<contracts::Event>("event").keys.empty()))
    return "";
  return "a balancer signs links and tokens: the section \"event\" must have at least one key";
}

void add_section(config::Schema& schema) {
  schema.add(balancer_section(), config::Presence::optional);
  schema.add(access::access_section(), config::Presence::defaulted);
  schema.check("balancer", has_keys);
  schema.check("access", check_access);
}

std::unique_ptr<runtime::Role> make(const config::Settings& settings, runtime::Services& services) {
  return std::make_unique<BalancerRole>(settings, services);
}

}  // namespace

const runtime::RoleType& role_type() {
  static const runtime::RoleType type{"balancer", add_section, make};
  return type;
}

}  // namespace tribune::balancer
