#include "cache_node/cache_node_role.h"

#include <atomic>
#include <optional>
#include <utility>

#include "base/memory_budget.h"
#include "cache_node/balancer_link/channel_map_store.h"
#include "cache_node/balancer_link/heartbeat_sender.h"
#include "cache_node/balancer_link/node_push_client.h"
#include "cache_node/balancer_link/queue_relay_handler.h"
#include "cache_node/disk/disk_health.h"
#include "cache_node/disk/disk_maintenance.h"
#include "cache_node/disk/disk_writer.h"
#include "cache_node/disk/index_journal.h"
#include "cache_node/disk/object_files.h"
#include "cache_node/disk/open_files.h"
#include "cache_node/load/ram_bounds.h"
#include "cache_node/load/viewer_estimate.h"
#include "cache_node/load/viewer_experience.h"
#include "cache_node/media_request_flow.h"
#include "cache_node/objects/fill_memory.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/orders/orders_handler.h"
#include "cache_node/settings/cache_node_settings.h"
#include "cache_node/settings/node_view.h"
#include "contracts/event.h"
#include "contracts/key_watch.h"
#include "contracts/link.h"
#include "contracts/receipt.h"
#include "runtime/memory_monitor.h"
#include "runtime/process_metrics.h"

namespace tribune::cache_node {
namespace {

using namespace std::chrono_literals;

/// Any thread for ready(), describe() and the handlers; the rest on the main thread.
class CacheNodeRole final : public runtime::Role {
 public:
  CacheNodeRole(const config::Settings& settings, runtime::Services& services)
      : services_(services),
        settings_(settings.get<CacheNodeSettings>("cache_node")),
        event_(settings.get<contracts::Event>("event")),
        view_(nullptr),
        memory_(std::make_shared<FillMemory>(ram_wanted(settings_))),
        index_(std::make_shared<ObjectIndex>(settings_.max_bytes, object_memory(settings_), memory_)),
        shrinker_(std::make_shared<RamShrinker>(index_, services.log)),
        files_(settings_.store_dir),
        open_files_(files_, static_cast<std::size_t>(settings_.open_files)),
        health_(services.log, services.metrics),
        journal_(services.log, services.metrics),
        disk_maintenance_(files_, open_files_, *index_, journal_, services.log, services.metrics),
        disk_(files_, *index_, disk_maintenance_, health_, services.clock),
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
               {services.clock, services.log, fill_metrics_, *index_, disk_, *memory_, circuits_, varied_},
               known_purges_,
               [this](std::string_view marks) { return orders_.keeps_up(marks); }},
              services.workers),
        heartbeats_(
            {services.clock, services.log, services.metrics, view_, channels_, peers_, [this] { return state(); }},
            *services.workers.front()),
        news_({services.clock, services.log, services.metrics, view_, heartbeats_.run(),
               [this](std::vector<std::string> targets, std::function<void()> on_begun) {
                 begin_fills(std::move(targets), std::move(on_begun));
               },
               [this](const contracts::NodeOrder& order, std::function<void(contracts::OrderResult)> on_result) {
                 orders_.follow(order, std::move(on_result));
               }},
              *services.workers.front()),
        purge_(*index_, journal_, disk_maintenance_, disk_, services.log, services.metrics),
        warm_up_(services.workers.front()->loop, services.clock, services.log, *index_,
                 [this](const std::string& object, auto slice) { return begin_fill(object, slice); }),
        orders_(services.clock, view_, purge_, known_purges_, warm_up_),
        queues_(
            services.clock, services.metrics, services.workers, [this] { return view_.get()->settings.balancers; },
            [this](std::string_view channel) {
              const auto map = channels_.map();
              return map && map->find(channel);
            }) {
    ram_.ask(ram_wanted(settings_));
    show_totals();
    base::Memory::of_process().on_look([weak = std::weak_ptr<RamShrinker>(shrinker_), &clock = services.clock](
                                           base::MemoryLevel level, base::MemoryUse& use) {
      if (const auto shrinker = weak.lock()) shrinker->looked(level, use, clock.steady_now());
    });
  }

  /// Also where it never came to stop(): queued work uses parts that go before the thread does.
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
        {{Method::get},
         "/ping",
         [this](auto&, auto exchange, const auto&) { exchange->reply(pong(exchange->request())); }},
        orders_.internal_route(),
        {{Method::get},
         "/queue/{channel}",
         [this](auto& worker, auto exchange, const auto& parameters) {
           queues_.answer(worker, std::move(exchange), parameters["channel"]);
         }},
    };
  }
  std::vector<runtime::Route> admin_routes() override { return orders_.admin_routes(); }

  base::Status start() override {
    auto keys = contracts::key_ring(event_);
    if (!keys) return tl::unexpected(keys.error());
    const auto node = fitted(settings_, ram_.grant(), services_.log);
    publish(event_, std::move(*keys), node);
    set_ram_bounds(node);
    if (auto opened = settings_.is_memory_only() ? use_memory(node.max_bytes) : open_disk(); !opened) return opened;
    services_.workers.front()->loop.post([this] {
      heartbeats_.start();
      news_.start();
    });
    is_serving_ = true;
    return {};
  }

  base::Status reload(const config::Settings& settings) override {
    const auto& event = settings.get<contracts::Event>("event");
    auto next = settings.get<CacheNodeSettings>("cache_node");
    next.store = settings_.store;  // read at the start
    auto keys = contracts::key_ring(event);
    if (!keys) return tl::unexpected(keys.error());
    ram_.ask(ram_wanted(next));
    const auto node = fitted(next, ram_.grant(), services_.log);
    publish(event, std::move(*keys), node);
    set_ram_bounds(node);
    set_bounds(node);
    return {};
  }

  base::Status ready() const override {
    std::string why;
    if (!is_serving_) why = "not serving";
    if (why.empty() && !channels_.map()) why = "no channel map yet: no balancer has answered a heartbeat";
    if (why.empty()) why = trouble();
    if (why.empty()) why = key_watch_.trouble();
    if (why.empty()) why = heartbeats_.unfit();
    if (why.empty()) return {};
    return base::failure(base::ErrorKind::unavailable, base::Fault::tribune, std::move(why));
  }

  void describe(base::json::Writer& w) const override {
    const auto totals = index_->totals();
    const auto map = channels_.map();
    const auto players = node_metrics_.players.lately();
    const auto met = experience_.get();
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
        .member("recent_requests", met->requests)
        .member("error_share", contracts::share(met->failures, met->requests))
        .member("origin_error_share", contracts::share(met->origin_failures, met->origin_asks))
        .member("peer_error_share", contracts::share(met->peer_failures, met->peer_asks))
        .member("unfit", heartbeats_.unfit())
        .member("disk", health_.reason().empty() ? "ok" : health_.reason())
        .member("disk_free_bytes", files_.free_bytes())
        .member("index", journal_.trouble().empty() ? "ok" : journal_.trouble())
        .member("group", view_.get()->settings.group)
        .member("peers", std::uint64_t{peers_.peers()->size()})
        .member("balancer_heard", heartbeats_.is_heard())
        .member("channel_map", map ? map->version : "");
  }

  void drain() override {
    is_serving_ = false;
    services_.workers.front()->loop.post([this] {
      news_.stop();
      heartbeats_.say_goodbye();
    });
  }

  /// A purge that is queued uses the writer, and itself: it ends while both are there.
  void stop() override {
    disk_maintenance_.finish_queued();
    disk_.finish_queued();
  }

 private:
  /// RAM for complete objects: all of a store in memory, otherwise those that the disk did not take.
  static std::uint64_t object_memory(const CacheNodeSettings& s) {
    return s.is_memory_only() ? s.max_bytes : s.fill_buffer_bytes / 2;
  }

  base::Status use_memory(std::uint64_t max_bytes) {
    disk_.use_memory_only();
    disk_maintenance_.evicted(index_->set_max_bytes(max_bytes, now_unix()));
    return {};
  }

  base::Status open_disk() {
    if (auto prepared = files_.prepare(); !prepared) return prepared;
    if (auto loaded = journal_.load(settings_.store_dir, settings_.max_index_bytes, *index_); !loaded) return loaded;
    if (settings_.slice_bytes == 0) index_->sliced().forget_if([](const SlicedFile&) { return true; });
    set_bounds(settings_);
    channels_.load();
    known_purges_.load(settings_.store_dir + "/purges.json");
    disk_maintenance_.start_sweep();
    return {};
  }

  /// At the start and at a reload. The settings are fitted().
  void set_ram_bounds(const CacheNodeSettings& settings) {
    memory_->set_bound(ram_wanted(settings));
    index_->set_max_memory_bytes(object_memory(settings));
    shrinker_->set_configured(object_memory(settings));
  }

  void set_bounds(const CacheNodeSettings& settings) {
    index_->set_min_age(std::chrono::duration_cast<std::chrono::seconds>(settings.min_age));
    disk_.set_min_free_bytes(settings.min_free_bytes);
    disk_maintenance_.evicted(index_->set_max_bytes(settings.max_bytes, now_unix()));
  }

  /// What is wrong with the store; empty while all is well.
  std::string trouble() const {
    const auto disk = health_.reason();
    if (!disk.empty()) return disk;
    return journal_.trouble();
  }

  std::int64_t now_unix() const { return base::unix_seconds(services_.clock.wall_now()); }

  /// On the first worker's loop. The node signs the link itself, for nobody but itself.
  std::optional<ObjectKey> begin_fill(const std::string& object, std::optional<std::uint64_t> slice) {
    const auto channel_end = object.find('/');
    const auto epoch_end = channel_end == std::string::npos ? channel_end : object.find('/', channel_end + 1);
    if (epoch_end == std::string::npos) return std::nullopt;
    const auto query = std::min(object.find('?'), object.size());
    const auto now = services_.clock.wall_now();
    const contracts::Link link{object.substr(0, channel_end),
                               object.substr(channel_end + 1, epoch_end - channel_end - 1),
                               object.substr(epoch_end + 1, query - epoch_end - 1),
                               object.substr(std::min(query + 1, object.size())), base::unix_seconds(now) + 60};
    const auto signed_query = contracts::signed_query(*view_.get()->keys, link, now);
    if (signed_query.empty()) return std::nullopt;
    const auto target = contracts::media_target(link, signed_query);
    if (slice) return flow_.warm_slice(*services_.workers.front(), target, *slice);
    if (flow_.warm(*services_.workers.front(), target) == MediaRequestFlow::Warmed::refused) return std::nullopt;
    return object_key(view_.get()->query, link);
  }

  /// On the first worker's loop. The workers share the fills; on_begun runs on the first again.
  void begin_fills(std::vector<std::string> targets, std::function<void()> on_begun) {
    const auto& workers = services_.workers;
    std::vector<std::vector<std::string>> shares(workers.size());
    for (auto& target : targets) shares[next_filler_++ % workers.size()].push_back(std::move(target));
    const auto left = std::make_shared<std::atomic<std::size_t>>(workers.size());
    for (std::size_t i = 0; i < workers.size(); ++i)
      workers[i]->loop.post([this, &worker = *workers[i], share = std::move(shares[i]), left, on_begun] {
        for (const auto& target : share) flow_.warm(worker, target);
        if (--*left == 0) services_.workers.front()->loop.post(on_begun);
      });
  }

  void publish(const contracts::Event& event, base::KeyRing keys, const CacheNodeSettings& settings) {
    auto view = std::make_shared<NodeView>();
    view->keys = std::make_shared<const base::KeyRing>(std::move(keys));
    key_watch_.watch(event);
    view->clock_skew = event.clock_skew;
    view->settings = settings;
    view->settings.id = settings_.id;  // read at the start
    view->fill = settings.fill_settings();
    view->keep = settings.retention_rules();
    view->query = settings.query_rules();
    view->vary = settings.vary_rules();
    view_.publish(std::move(view));
  }

  /// {"node": …, "receipt": …}: this client reached this node now.
  http::Response pong(const http::Request& request) const {
    const auto view = view_.get();
    const auto now = services_.clock.wall_now();
    const contracts::Receipt receipt{settings_.id, contracts::client_prefix(request.client).value_or(""),
                                     base::unix_seconds(now)};
    base::json::Writer w;
    w.begin_object()
        .member("node", settings_.id)
        .member("receipt", contracts::write_receipt(*view->keys, receipt, now))
        .end_object();
    http::Response response;
    response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
    response.body = w.take();
    return response;
  }

  /// On the first worker's loop.
  contracts::Heartbeat state() {
    const auto now = services_.clock.steady_now();
    const auto sent = node_metrics_.sent_bytes.value() + other_node_metrics_.sent_bytes.value();
    const auto seconds = last_state_ ? std::chrono::duration<double>(now - *last_state_).count() : 0;
    const auto totals = index_->totals();
    contracts::Heartbeat h;
    h.version = services_.version;
    h.reason = trouble().substr(0, 200);
    disk_.probe();
    if (!journal_.trouble().empty()) disk_maintenance_.add([this] { journal_.retry(); });
    h.sent_mbps = seconds <= 0 ? 0 : (sent - last_sent_) * 8 / 1e6 / seconds;
    h.channel_mbps = traffic_.take(seconds, contracts::kMaxHeartbeatChannels);
    h.capacity_mbps = view_.get()->settings.capacity_mbps;
    h.sessions = viewers_.viewers();
    h.connections = h.sessions;
    duress_.update(h.sent_mbps, h.capacity_mbps, h.sessions, now);
    const auto players = node_metrics_.players.lately();
    h.player_reports = players.reports;
    h.rebuffer_ratio = players.rebuffer_ratio;
    h.player_mbps = players.throughput_mbps;
    h.objects = static_cast<std::int64_t>(totals.objects);
    h.stored_bytes = static_cast<std::int64_t>(totals.bytes + totals.memory_bytes);
    h.max_bytes = static_cast<std::int64_t>(totals.max_bytes);
    if (!settings_.is_memory_only()) h.disk_free_bytes = static_cast<std::int64_t>(files_.free_bytes());
    tell_experience(h, now);
    last_state_ = now;
    last_sent_ = sent;
    if (now - last_turn_ > 10s) {
      viewers_.turn();
      node_metrics_.players.turn();
      last_turn_ = now;
    }
    return h;
  }

  /// On the first worker's loop.
  void tell_experience(contracts::Heartbeat& h, base::SteadyTime now) {
    h.experience = window_.turn(now, experience_so_far(node_metrics_, fill_metrics_));
    gauges_.show(h.experience);
    experience_.publish(std::make_shared<contracts::NodeExperience>(h.experience));
    key_watch_.look();
    h.memory = runtime::to_string(base::Memory::of_process().level());
    const auto descriptors = runtime::descriptors();
    h.descriptors = descriptors.open;
    h.max_descriptors = descriptors.most;
  }

  void show_totals() {
    auto& m = services_.metrics;
    m.before_scrape([weak = std::weak_ptr<ObjectIndex>(index_), memory = memory_,
                     objects = m.gauge("tribune_cache_objects", "Complete objects in the store."),
                     bytes = m.gauge("tribune_cache_stored_bytes", "Bytes of the objects in the store."),
                     fills = m.gauge("tribune_cache_fills_running", "Fills that are under way."),
                     buffers = m.gauge("tribune_cache_fill_buffer_bytes", "Bytes of fills in RAM.")]() mutable {
      const auto index = weak.lock();
      if (!index) return;
      const auto totals = index->totals();
      objects.set(static_cast<double>(totals.objects));
      bytes.set(static_cast<double>(totals.bytes));
      fills.set(static_cast<double>(totals.fills));
      buffers.set(static_cast<double>(memory->used()));
    });
  }

  runtime::Services& services_;
  const CacheNodeSettings settings_;  // as at the start
  const contracts::Event event_;      // likewise
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
  ChannelMapStore channels_;
  FillMetrics fill_metrics_;
  NodeMetrics node_metrics_;
  NodeMetrics other_node_metrics_;
  ChannelTraffic traffic_;
  ViewerExperienceGauges gauges_{services_.metrics};
  base::Published<contracts::NodeExperience> experience_{
      std::make_shared<contracts::NodeExperience>()};  // of the last window
  Circuits circuits_;
  VaryWarnings varied_;
  LivePeers peers_;
  ViewerEstimate viewers_;
  Duress duress_;
  MediaRequestFlow flow_;
  HeartbeatSender heartbeats_;
  NodePushClient news_;
  Purge purge_;
  WarmUp warm_up_;
  OrdersHandler orders_;
  QueueRelayHandler queues_;

  std::optional<base::SteadyTime> last_state_;  // of the first worker, as are the two below
  ViewerExperienceWindow window_;               // likewise
  base::SteadyTime last_turn_{};
  std::size_t next_filler_ = 0;  // likewise of the first worker
  double last_sent_ = 0;
};

std::string has_keys(const config::Settings& settings) {
  if (!settings.has("cache_node") || (settings.has("event") && !settings.get<contracts::Event>("event").keys.empty()))
    return "";
  return "a cache node checks links: the section \"event\" must have at least one key";
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
