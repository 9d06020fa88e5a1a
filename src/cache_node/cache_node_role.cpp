#include "cache_node/cache_node_role.h"

#include <atomic>
#include <optional>
#include <utility>

#include "base/memory_budget.h"
#include "cache_node/balancer_link/channel_map_store.h"
#include "cache_node/balancer_link/heartbeat_content.h"
#include "cache_node/balancer_link/heartbeat_sender.h"
#include "cache_node/balancer_link/node_push_client.h"
#include "cache_node/balancer_link/ping_handler.h"
#include "cache_node/balancer_link/queue_relay_handler.h"
#include "cache_node/balancer_link/readiness.h"
#include "cache_node/disk/disk_health.h"
#include "cache_node/disk/disk_maintenance.h"
#include "cache_node/disk/disk_writer.h"
#include "cache_node/disk/index_journal.h"
#include "cache_node/disk/object_files.h"
#include "cache_node/disk/open_files.h"
#include "cache_node/disk/storage_limits.h"
#include "cache_node/disk/store_status.h"
#include "cache_node/load/ram_bounds.h"
#include "cache_node/load/viewer_estimate.h"
#include "cache_node/media_request_flow.h"
#include "cache_node/objects/fill_memory.h"
#include "cache_node/objects/index_gauges.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/orders/orders_handler.h"
#include "cache_node/request/fill_distributor.h"
#include "cache_node/settings/cache_node_settings.h"
#include "cache_node/settings/node_view.h"
#include "contracts/event.h"
#include "contracts/key_watch.h"

namespace tribune::cache_node {
namespace {

/// Creates the parts of the node and connects them. ready(), describe() and the handlers run on any thread; the other
/// functions on the main thread.
class CacheNodeRole final : public runtime::Role {
 public:
  CacheNodeRole(const config::Settings& settings, runtime::Services& services)
      : services_(services),
        settings_(settings.get<CacheNodeSettings>("cache_node")),
        event_(settings.get<contracts::Event>("event")),
        view_(nullptr),
        memory_(std::make_shared<FillMemory>(ram_wanted(settings_))),
        index_(std::make_shared<ObjectIndex>(settings_.max_bytes, object_memory_limit(settings_), memory_)),
        shrinker_(std::make_shared<RamShrinker>(index_, services.log)),
        files_(settings_.store_dir),
        open_files_(files_, static_cast<std::size_t>(settings_.open_files)),
        health_(services.log, services.metrics),
        journal_(services.log, services.metrics),
        disk_maintenance_(files_, open_files_, *index_, journal_, services.log, services.metrics),
        disk_(files_, *index_, disk_maintenance_, health_, services.clock),
        limits_(*memory_, *index_, *shrinker_, disk_, disk_maintenance_, services.clock),
        channels_(settings_.store_dir, disk_maintenance_, services.log),
        fill_metrics_(services.metrics),
        node_metrics_(services.metrics),
        other_node_metrics_(services.metrics, NodeMetrics::Of::nodes),
        circuits_(services.log, services.metrics),
        flow_({services.clock,
               node_metrics_,
               other_node_metrics_,
               view_,
               channels_,
               peers_,
               *index_,
               open_files_,
               disk_maintenance_,
               viewers_,
               traffic_,
               duress_,
               {services.clock, services.log, fill_metrics_, *index_, disk_, *memory_, circuits_, varied_,
                origin_answers_},
               known_purges_,
               [this](std::string_view marks) { return orders_.ensure_executed(marks); },
               [this] { services_.workers.front()->loop.post([this] { heartbeats_.send_soon(); }); }},
              services.workers),
        distributor_(services.workers, [this](runtime::Worker& worker,
                                              const std::string& target) { flow_.fills().warm(worker, target); }),
        heartbeat_content_({services.clock, services.metrics, services.version, view_, *index_,
                            settings_.is_memory_only() ? nullptr : &files_, node_metrics_, other_node_metrics_,
                            fill_metrics_, traffic_, origin_answers_, viewers_, duress_}),
        heartbeats_({services.clock, services.log, services.metrics, view_, channels_, peers_,
                     [this] { return next_heartbeat(); }},
                    *services.workers.front()),
        push_client_({services.clock, services.log, services.metrics, view_, heartbeats_.run(),
                      [this](std::vector<std::string> targets, std::function<void()> on_begun) {
                        distributor_.distribute(std::move(targets), std::move(on_begun));
                      },
                      [this](const contracts::NodeOrder& order, std::function<void(contracts::OrderResult)> on_result) {
                        orders_.execute(order, std::move(on_result));
                      }},
                     *services.workers.front()),
        purge_(*index_, journal_, disk_maintenance_, disk_, services.log, services.metrics),
        warm_up_(services.workers.front()->loop, services.log, *index_,
                 [this](const std::string& object, auto slice) {
                   return flow_.fills().warm_object(*services_.workers.front(), object, slice);
                 }),
        orders_(services.clock, view_, purge_, known_purges_, warm_up_),
        queue_relay_(
            services.clock, services.metrics, services.workers, [this] { return view_.get()->settings.balancers; },
            [this](std::string_view channel) {
              const auto map = channels_.map();
              return map && map->find(channel);
            }) {
    ram_.ask(ram_wanted(settings_));
    register_index_gauges(services.metrics, index_, memory_);
    base::Memory::of_process().on_look([weak = std::weak_ptr<RamShrinker>(shrinker_), &clock = services.clock](
                                           base::MemoryLevel level, base::MemoryUse& use) {
      if (const auto shrinker = weak.lock()) shrinker->looked(level, use, clock.steady_now());
    });
  }

  /// If stop() did not run, queued work still uses parts that are destroyed before the maintenance thread ends.
  ~CacheNodeRole() override { disk_maintenance_.finish_queued(); }

  std::string_view name() const override { return "cache_node"; }

  std::vector<runtime::Route> front_routes() override {
    using http::Method;
    return {
        {{Method::get},
         "/media/{channel}/{epoch}/{path...}",
         [this](auto& worker, auto exchange, const auto& parameters) {
           flow_.serve(worker, std::move(exchange), parameters);
         }},
        ping_.route(),
        orders_.internal_route(),
        {{Method::get},
         "/queue/{channel}",
         [this](auto& worker, auto exchange, const auto& parameters) {
           queue_relay_.answer(worker, std::move(exchange), parameters["channel"]);
         }},
    };
  }
  std::vector<runtime::Route> admin_routes() override { return orders_.admin_routes(); }

  base::Status start() override {
    auto keys = contracts::key_ring(event_);
    if (!keys) return tl::unexpected(keys.error());
    const auto node = fitted(settings_, ram_.grant(), services_.log);
    publish(event_, std::move(*keys), node);
    limits_.set_memory(node);
    if (auto opened = open_store(node); !opened) return opened;
    services_.workers.front()->loop.post([this] {
      heartbeats_.start();
      push_client_.start();
    });
    is_serving_ = true;
    return {};
  }

  base::Status reload(const config::Settings& settings) override {
    const auto& event = settings.get<contracts::Event>("event");
    auto next = settings.get<CacheNodeSettings>("cache_node");
    next.store = settings_.store;  // read only at the start
    auto keys = contracts::key_ring(event);
    if (!keys) return tl::unexpected(keys.error());
    ram_.ask(ram_wanted(next));
    const auto node = fitted(next, ram_.grant(), services_.log);
    publish(event, std::move(*keys), node);
    limits_.set_memory(node);
    limits_.set_disk(node);
    return {};
  }

  base::Status ready() const override {
    return readiness(
        {is_serving_, channels_.map() != nullptr, store_status_.problem(), key_watch_.trouble(), heartbeats_.unfit()});
  }

  void describe(base::json::Writer& w) const override {
    const auto totals = index_->totals();
    const auto map = channels_.map();
    const auto players = node_metrics_.players.recent();
    const auto recent = heartbeat_content_.recent_experience();
    key_watch_.describe(w);
    w.member("id", settings_.id)
        .member("objects", totals.objects)
        .member("stored_bytes", totals.bytes)
        .member("store", settings_.store)
        .member("bytes_in_memory", totals.memory_bytes)
        .member("max_bytes", totals.max_bytes)
        .member("fills_running", totals.fills)
        .member("objects_in_memory", totals.memory_objects)
        .member("fill_buffer_bytes", memory_->used())
        .member("hits", node_metrics_.hits.value())
        .member("misses", node_metrics_.misses.value())
        .member("waited", node_metrics_.waited.value())
        .member("viewers", viewers_.viewers())
        .member("reporting_players", players.sessions)
        .member("rebuffer_ratio", players.rebuffer_ratio)
        .member("player_mbps", players.throughput_mbps)
        .member("recent_requests", recent->requests)
        .member("error_share", contracts::share(recent->failures, recent->requests))
        .member("origin_error_share", contracts::share(recent->origin_failures, recent->origin_asks))
        .member("peer_error_share", contracts::share(recent->peer_failures, recent->peer_asks))
        .member("unfit", heartbeats_.unfit())
        .member("disk", health_.reason().empty() ? "ok" : health_.reason())
        .member("disk_free_bytes", files_.free_bytes())
        .member("index", journal_.trouble().empty() ? "ok" : journal_.trouble())
        .member("group", view_.get()->settings.group)
        .member("peers", std::uint64_t{peers_.peers()->size()})
        .member("balancer_heard", heartbeats_.has_balancer())
        .member("channel_map", map ? map->version : "");
    w.key("distrusted_backups").begin_object();
    const auto distrusted = channels_.distrusted();  // the loop reads it, so it must outlive the loop
    for (const auto& [channel, backups] : *distrusted) {
      w.key(channel).begin_array();
      for (const auto& backup : backups) w.value(backup);
      w.end_array();
    }
    w.end_object();
  }

  void drain() override {
    is_serving_ = false;
    services_.workers.front()->loop.post([this] {
      push_client_.stop();
      heartbeats_.stop();
    });
  }

  /// Queued purges use the purge and the writer, so they finish while both exist.
  void stop() override {
    disk_maintenance_.finish_queued();
    disk_.finish_queued();
  }

 private:
  base::Status open_store(const CacheNodeSettings& fitted_settings) {
    if (!settings_.is_memory_only()) return open_disk();
    disk_.use_memory_only();
    limits_.set_max_bytes(fitted_settings);
    return {};
  }

  base::Status open_disk() {
    if (auto prepared = files_.prepare(); !prepared) return prepared;
    if (auto loaded = journal_.load(settings_.store_dir, settings_.max_index_bytes, *index_); !loaded) return loaded;
    if (settings_.slice_bytes == 0) index_->sliced().forget_if([](const SlicedFile&) { return true; });
    limits_.set_disk(settings_);
    channels_.load();
    known_purges_.load(settings_.store_dir + "/purges.json");
    disk_maintenance_.start_sweep();
    return {};
  }

  void publish(const contracts::Event& event, base::KeyRing keys, const CacheNodeSettings& settings) {
    key_watch_.watch(event);
    view_.publish(make_node_view(std::move(keys), event.clock_skew, settings, settings_.id));
  }

  /// Runs on the first worker's loop, once per heartbeat.
  contracts::Heartbeat next_heartbeat() {
    auto heartbeat = heartbeat_content_.next(store_status_.problem());
    store_status_.retry_failed();
    key_watch_.look();
    return heartbeat;
  }

  runtime::Services& services_;
  const CacheNodeSettings settings_;  // at the start
  const contracts::Event event_;      // at the start
  base::MemoryBudget::Part ram_{base::MemoryBudget::of_process()};
  std::atomic<bool> is_serving_{false};
  contracts::KeyWatch key_watch_{services_.clock, services_.log, services_.metrics, "cache_node"};
  PublishedNodeView view_;

  const std::shared_ptr<FillMemory> memory_;
  const std::shared_ptr<ObjectIndex> index_;
  const std::shared_ptr<RamShrinker> shrinker_;
  const ObjectFiles files_;
  OpenFiles open_files_;
  DiskHealth health_;
  IndexJournal journal_;
  KnownPurges known_purges_{services_.clock, services_.log, services_.metrics};
  DiskMaintenance disk_maintenance_;
  DiskWriter disk_;
  StoreStatus store_status_{health_, journal_, disk_, disk_maintenance_};
  StorageLimits limits_;
  ChannelMapStore channels_;
  FillMetrics fill_metrics_;
  NodeMetrics node_metrics_;
  NodeMetrics other_node_metrics_;
  ChannelTraffic traffic_;
  Circuits circuits_;
  VaryWarnings varied_;
  OriginAnswers origin_answers_;
  LivePeers peers_;
  ViewerEstimate viewers_;
  Duress duress_;
  MediaRequestFlow flow_;
  FillDistributor distributor_;
  HeartbeatContent heartbeat_content_;
  HeartbeatSender heartbeats_;
  NodePushClient push_client_;
  Purge purge_;
  WarmUp warm_up_;
  OrdersHandler orders_;
  const PingHandler ping_{services_.clock, view_};
  QueueRelayHandler queue_relay_;
};

std::string has_keys(const config::Settings& settings) {
  if (!settings.has("cache_node") || (settings.has("event") && !settings.get<contracts::Event>("event").keys.empty()))
    return "";
  return "a cache node verifies signed links: the section \"event\" must have at least one key";
}

std::string has_store(const config::Settings& settings) {
  if (!settings.has("cache_node")) return "";
  const auto& node = settings.get<CacheNodeSettings>("cache_node");
  return node.is_memory_only() || !node.store_dir.empty() ? "" : "a cache node that stores on disk needs \"store_dir\"";
}

void add_section(config::Schema& schema) {
  schema.add(cache_node_section(), config::Presence::optional);
  schema.check("cache_node", has_keys);
  schema.check("cache_node", has_store);
}

std::unique_ptr<runtime::Role> make(const config::Settings& settings, runtime::Services& services) {
  return std::make_unique<CacheNodeRole>(settings, services);
}

}  // namespace

const runtime::RoleType& role_type() {
  static const runtime::RoleType type{"cache_node", add_section, make};
  return type;
}

}  // namespace tribune::cache_node
