#pragma once
// A cache node without sockets: its real components over a folder, with scripted origins and fake exchanges. A second
// one over the same folder is the node after a restart.

#include <doctest/doctest.h>

#include <atomic>

#include "cache_node/balancer_link/channel_map_store.h"
#include "cache_node/disk/disk_health.h"
#include "cache_node/disk/disk_writer.h"
#include "cache_node/media_request_flow.h"
#include "contracts/link.h"
#include "support/fake_exchange.h"
#include "support/scripted_client.h"
#include "support/silent_log.h"
#include "support/workers.h"

namespace tribune::test {

inline const base::KeyRing& keys() {
  static const base::KeyRing ring({{"k1", "a secret of sixteen bytes", std::nullopt}});
  return ring;
}

class NodeUnderTest {
 public:
  struct Options {
    std::uint64_t max_bytes = 64 << 20;
    std::uint64_t fill_buffer_bytes = 16 << 20;
    std::size_t workers = 2;
    cache_node::FillSettings fill = quick();
    cache_node::RetentionRules retention_rules = {};
    cache_node::VaryRules vary_rules = {};
    std::string group = {};
  };
  static cache_node::FillSettings quick() {
    cache_node::FillSettings settings;
    settings.hold = std::chrono::milliseconds(60);
    settings.hold_retry = std::chrono::milliseconds(5);
    settings.keep_errors = std::chrono::milliseconds(500);
    settings.disk_patience = std::chrono::milliseconds(20);
    return settings;
  }

  explicit NodeUnderTest(const std::string& store_dir) : NodeUnderTest(store_dir, Options()) {}
  NodeUnderTest(const std::string& store_dir, Options options)
      : workers(options.workers),
        view(make_view(options)),
        memory(std::make_shared<cache_node::FillMemory>(options.fill_buffer_bytes)),
        index(options.max_bytes, options.fill_buffer_bytes / 2, memory),
        files(store_dir),
        open_files(files, 4),
        health(log, metrics),
        journal(log, metrics),
        disk_maintenance(files, open_files, index, journal, log, metrics),
        disk(files, index, disk_maintenance, health, clock),
        channels(store_dir, disk_maintenance, log),
        fill_metrics(metrics),
        node_metrics(metrics),
        other_node_metrics(metrics, cache_node::NodeMetrics::Of::nodes),
        circuits(log, metrics),
        flow(std::make_unique<cache_node::MediaRequestFlow>(
            cache_node::MediaFlowParts{
                clock,
                node_metrics,
                other_node_metrics,
                view,
                channels,
                peers,
                index,
                open_files,
                disk_maintenance,
                viewers,
                traffic,
                duress,
                {clock, log, fill_metrics, index, disk, *memory, circuits, varied, origin_answers},
                known_purges,
                [this](std::string_view marks) { return !ensure_executed || ensure_executed(marks); },
                [this] { ++channel_maps_requested; }},
            workers.all())) {
    REQUIRE(files.prepare().has_value());
    REQUIRE(journal.load(store_dir, 64 << 20, index).has_value());
    REQUIRE(
        channels
            .update(
                R"({"version":"1","channels":[{"id":"demo","base":"http://origin.test/live/","extra_origins":[]}]})")
            .has_value());
  }
  ~NodeUnderTest() {
    workers.stop();
    flow.reset();
  }

  contracts::Link link(std::string_view path = "seg1.ts") const {
    return {"demo", "e1", std::string(path), "", base::unix_seconds(clock.wall_now()) + 3600};
  }
  /// Sends one request on a worker; the returned record receives the response.
  std::shared_ptr<RecordedResponse> ask(std::string_view path = "seg1.ts", http::Headers headers = {},
                                        std::size_t worker = 0, http::Method method = http::Method::get) {
    const auto l = link(path);
    return ask_raw(l.channel, l.epoch, l.path, contracts::signed_query(keys(), l, clock.wall_now()), std::move(headers),
                   worker, method);
  }
  std::shared_ptr<RecordedResponse> ask_raw(std::string_view channel, std::string_view epoch, std::string_view path,
                                            std::string_view query, http::Headers headers = {}, std::size_t worker = 0,
                                            http::Method method = http::Method::get, bool slow = false,
                                            FakeExchange** out = nullptr) {
    auto seen = std::make_shared<RecordedResponse>();
    workers.on(worker, [&] {
      http::Request request;
      request.method = method;
      request.path = "/media/" + std::string(channel) + "/" + std::string(epoch) + "/" + std::string(path);
      request.query = query;
      request.headers = std::move(headers);
      request.client = "192.0.2.1";
      auto exchange = std::make_unique<FakeExchange>(workers.worker(worker).loop, std::move(request), seen, slow);
      if (out) *out = exchange.get();
      http::PathParameters parameters;
      parameters.values = {{"channel", channel}, {"epoch", epoch}, {"path", path}};
      flow->serve(workers.worker(worker), std::move(exchange), parameters);
    });
    return seen;
  }
  std::shared_ptr<RecordedResponse> ask_slowly(std::string_view path, FakeExchange** out = nullptr,
                                               std::size_t worker = 0) {
    const auto l = link(path);
    return ask_raw(l.channel, l.epoch, l.path, contracts::signed_query(keys(), l, clock.wall_now()), {}, worker,
                   http::Method::get, true, out);
  }

  /// Waits for the n-th request to the origin by that worker.
  std::shared_ptr<Asked> origin(std::size_t n = 0, std::size_t worker = 0) {
    REQUIRE(workers.client(worker).wait_for(n + 1));
    return workers.client(worker).at(n);
  }
  void answer(const std::shared_ptr<Asked>& asked, std::string_view body,
              http::Headers headers = {{"Content-Type", "video/mp2t"}}, std::size_t worker = 0) {
    workers.on(worker, [&] {
      ScriptedClient::head(*asked, 200, std::move(headers), body.size());
      ScriptedClient::bytes(*asked, body);
      ScriptedClient::done(*asked);
    });
  }
  /// The body ends after its first half has reached the viewers.
  void answer_in_halves(const std::shared_ptr<Asked>& asked, std::string_view body,
                        const std::vector<std::shared_ptr<RecordedResponse>>& readers,
                        http::Headers headers = {{"Content-Type", "video/mp2t"}}) {
    const auto half = body.size() / 2;
    workers.on(0, [&] {
      ScriptedClient::head(*asked, 200, std::move(headers), body.size());
      ScriptedClient::bytes(*asked, body.substr(0, half));
    });
    for (const auto& reader : readers) CHECK(reader->wait_bytes(half));
    workers.on(0, [&] {
      ScriptedClient::bytes(*asked, body.substr(half));
      ScriptedClient::done(*asked);
    });
  }
  /// Fills the object through a first viewer and waits until it is stored and its record written.
  void fill(std::string_view path, std::string_view body, http::Headers headers = {{"Content-Type", "video/mp2t"}}) {
    const auto n = workers.client().count();
    const auto seen = ask(path);
    answer(origin(n), body, std::move(headers));
    REQUIRE(seen->wait_end());
    settle();
  }
  void settle() {
    disk.finish_queued();
    journal.flush();
    std::promise<void> done;
    disk_maintenance.add([&] { done.set_value(); });
    done.get_future().wait();
  }

  base::SystemClock clock;
  base::Log log{silent()};
  base::Metrics metrics;
  Workers workers;
  cache_node::PublishedNodeView view;
  std::shared_ptr<cache_node::FillMemory> memory;
  cache_node::ObjectIndex index;
  cache_node::ObjectFiles files;
  cache_node::OpenFiles open_files;
  cache_node::DiskHealth health;
  cache_node::IndexJournal journal;
  cache_node::KnownPurges known_purges{clock, log, metrics};
  cache_node::DiskMaintenance disk_maintenance;
  cache_node::DiskWriter disk;
  cache_node::ChannelMapStore channels;
  cache_node::FillMetrics fill_metrics;
  cache_node::NodeMetrics node_metrics;
  cache_node::NodeMetrics other_node_metrics;
  cache_node::Circuits circuits;
  cache_node::VaryWarnings varied;
  cache_node::OriginAnswers origin_answers;
  cache_node::LivePeers peers;
  cache_node::ViewerEstimate viewers;
  cache_node::Duress duress;
  cache_node::ChannelTraffic traffic;
  std::function<bool(std::string_view)> ensure_executed;  // set before the first request
  std::atomic<int> channel_maps_requested{0};
  std::unique_ptr<cache_node::MediaRequestFlow> flow;

 private:
  static std::shared_ptr<const cache_node::NodeView> make_view(const Options& options) {
    auto made = std::make_shared<cache_node::NodeView>();
    made->keys = std::shared_ptr<const base::KeyRing>(std::shared_ptr<void>(), &keys());
    made->clock_skew = std::chrono::seconds(30);
    made->settings.id = "stadium";
    made->settings.group = options.group;
    made->fill = options.fill;
    made->retention_rules = options.retention_rules;
    made->vary_rules = options.vary_rules;
    return made;
  }
};

}  // namespace tribune::test
