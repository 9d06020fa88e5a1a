#pragma once
// A request flow with scripted sources, and requests whose responses a test reads.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "balancer/node_push/playlist_publication.h"
#include "balancer/sessions/player_capabilities.h"
#include "balancer/tables.h"
#include "balancer/viewer/playlist_request_flow.h"
#include "contracts/keys.h"
#include "contracts/link.h"
#include "support/fake_exchange.h"
#include "support/scripted_client.h"
#include "support/silent_log.h"

namespace tribune::test {

/// A media playlist of MSNs [first, next) whose text states the pins that it was rendered with.
class FakeSnapshot final : public balancer::SourceSnapshot {
 public:
  FakeSnapshot(bool multivariant, std::int64_t first, std::int64_t next, bool ended = false)
      : multivariant_(multivariant), ended_(ended), first_(first), next_(next) {}
  bool is_multivariant() const override { return multivariant_; }
  std::int64_t first_msn() const override { return first_; }
  std::int64_t next_msn() const override { return next_; }
  std::optional<std::uint64_t> variant_version() const override { return static_cast<std::uint64_t>(next_); }
  std::chrono::milliseconds target_duration() const override {
    return std::chrono::milliseconds{multivariant_ ? 0 : 6'000};
  }
  bool ended() const override { return ended_; }
  base::WallTime confirmed_at() const override { return {}; }
  std::shared_ptr<const balancer::Rendered> render(const balancer::LinkPins& pins) const override {
    std::string text = multivariant_ ? "multivariant" : "media";
    for (const auto& pin : pins) text += " " + std::to_string(pin.first_msn) + "=" + pin.node_url;
    auto rendered = std::make_shared<balancer::Rendered>();
    rendered->etag = "\"" + text + "\"";
    rendered->body = base::share(text);
    return rendered;
  }
  std::string text_for_bare_url(std::string_view token) const override { return "under ~" + std::string(token) + "/"; }
  bool lists(const balancer::BlockingReload& want) const override { return want.is_in(next_, 0); }

 private:
  bool multivariant_, ended_;
  std::int64_t first_, next_;
};

/// One worker, two nodes "stadium" and "city", channels "demo" (auto), "direct" and "redirect".
struct PlaylistFlowFixture {
  base::ManualClock clock{kNow};
  base::Log log{silent()};
  base::Metrics metrics;
  net::EventLoop loop;
  ScriptedClient client{loop};  // no source is fetched
  runtime::Worker worker{0, loop, client};
  balancer::PublishedView view{nullptr};
  balancer::NodeRegistry nodes{clock, log, metrics};
  access::Admission admission{clock, log, metrics, {}, 3};
  balancer::SessionPins pins{clock, metrics};
  balancer::RoutingFiles files{clock, log, metrics};
  balancer::SessionRouter router{clock, log, nodes, files, admission};
  std::shared_ptr<balancer::RenderedPlaylists> texts =
      std::make_shared<balancer::RenderedPlaylists>(clock, metrics, balancer::kRenderedBytes);
  balancer::Slates slates{clock, log, metrics, texts};
  balancer::SlateTransitions transitions{clock, metrics};
  balancer::SessionEntitlements entitlements{clock, log, metrics};
  balancer::EntitlementChecker checker{clock, log, metrics, entitlements};
  balancer::PaidAccess paid_access{entitlements, checker, [this](access::SessionId session) {
                                     admission.release(session);
                                     ended_sessions.push_back(session);
                                   }};
  std::vector<access::SessionId> ended_sessions;  // whose entitlement has ended
  balancer::SteeringHandler steering{clock, metrics, router, pins, admission, paid_access, view};
  base::KeyRing keys = one_key();

  // The playlists of the sources: an absent one is unknown, one that is null is delivered later.
  std::map<std::string, balancer::SnapshotPtr> playlists;
  std::vector<balancer::OnPlaylist> waiting;
  std::vector<std::string> lookups;              // "channel path?query"
  balancer::PlaylistPublicationPtr publication;  // the publication of every lookup that is answered
  bool is_stale = false;
  std::chrono::milliseconds ended_session_idle{std::chrono::hours{6}};  // used by the next publish()
  std::optional<contracts::LinksMode> paid_links;  // with it, the next publish() adds the paid channel "paid"
  std::optional<balancer::BlockingReload> want;    // the reload directives of every lookup that is answered

  balancer::PlaylistRequestFlow flow{
      {clock, metrics, view, nodes, admission, pins, router, slates, transitions, steering, paid_access,
       [this](auto& w, const auto& lookup, auto on_answer) { return look_up(w, lookup, std::move(on_answer)); }},
      1};

  PlaylistFlowFixture() {
    nodes.configure({{"stadium", "http://s:81"}, {"city", "http://c:82"}}, std::chrono::milliseconds{1'800});
    publish();
    playlists["index.m3u8"] = std::make_shared<FakeSnapshot>(true, 0, 0);
    playlists["v.m3u8"] = std::make_shared<FakeSnapshot>(false, 100, 106);
  }

  void publish() {
    auto event = std::make_shared<contracts::Event>();
    for (const auto& [id, links] :
         {std::pair<std::string, contracts::LinksMode>{"demo", contracts::LinksMode::automatic},
          {"direct", contracts::LinksMode::direct},
          {"redirect", contracts::LinksMode::redirect}}) {
      contracts::Channel channel;
      channel.id = id;
      channel.links = links;
      event->channels.push_back(channel);
    }
    if (paid_links) {
      contracts::Channel channel;
      channel.id = "paid";
      channel.links = *paid_links;
      channel.access = contracts::ChannelAccess::paid;
      event->channels.push_back(channel);
    }
    auto made = std::make_shared<balancer::EventView>();
    made->event = event;
    made->keys = std::make_shared<base::KeyRing>(one_key());
    made->direct_players = balancer::default_direct_players();
    made->ended_session_idle = ended_session_idle;
    view.publish(std::move(made));
  }

  balancer::PendingLookup look_up(runtime::Worker&, const balancer::PlaylistLookup& lookup,
                                  balancer::OnPlaylist on_answer) {
    lookups.push_back(std::string(lookup.channel) + " " + std::string(lookup.path) + "?" + std::string(lookup.query));
    const auto found = playlists.find(std::string(lookup.path));
    if (found == playlists.end())
      on_answer(base::failure(base::ErrorKind::not_found, base::Fault::client, "no such playlist"));
    else if (!found->second)
      waiting.push_back(std::move(on_answer));
    else
      on_answer(balancer::PlaylistAnswer{found->second, is_stale, false, want, publication});
    return {};
  }

  /// GET of a target at the balancer; the routes are the role's.
  std::shared_ptr<RecordedResponse> get(const std::string& target, http::Headers headers = {},
                                        http::Method method = http::Method::get) {
    http::Request request;
    request.method = method;
    const auto mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    request.headers = std::move(headers);
    request.client = address;
    http::Router routes;
    routes.add({http::Method::get}, "/live/{channel}/index.m3u8", 0);
    routes.add({http::Method::get}, "/live/{channel}/~{session}/{path...}", 1);
    const auto path = request.path;
    const auto routed = routes.match(method, path);
    const auto* match = std::get_if<http::Router::Match>(&routed);
    REQUIRE(match);
    auto outcome = std::make_shared<RecordedResponse>();
    auto exchange = std::make_unique<FakeExchange>(std::move(request), outcome);
    if (match->route == 0)
      flow.open(worker, std::move(exchange), match->parameters);
    else
      flow.within(worker, std::move(exchange), match->parameters);
    return outcome;
  }

  /// Opens a session; returns its path prefix, "/live/{channel}/~{token}/".
  std::string open(const std::string& channel, const http::Headers& headers = {}, const std::string& query = "") {
    const auto outcome = get("/live/" + channel + "/index.m3u8" + query, headers);
    REQUIRE(outcome->status() == 200);
    return "/live/" + channel + "/" + outcome->body().substr(6);
  }

  void hear(const std::string& node, bool healthy = true) {
    contracts::Heartbeat h;
    h.node = node;
    h.run = "r";
    h.sequence = ++sequence;
    h.sent_unix_ms = 1;
    h.healthy = healthy;
    CHECK(nodes.record_heartbeat(h) == balancer::NodeRegistry::HeartbeatResult::accepted);
  }
  /// The node falls silent, and the others send heartbeats.
  void lose(const std::string& lost) {
    for (int i = 0; i < 20; ++i) {
      clock.advance(std::chrono::milliseconds{100});
      for (const std::string node : {"stadium", "city"})
        if (node != lost) hear(node);
      nodes.check();
    }
  }
  double metric(const std::string& line) {
    const auto text = metrics.scrape();
    const auto at = text.find("\n" + line + " ");  // not its HELP
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size() + 2));
  }
  std::int64_t sequence = 0;
  std::string address;  // the client's address
};

inline const http::Headers kVhs{{"User-Agent", "Demo/1.0 videojs-vhs/3.17"}};  // gets direct links

}  // namespace tribune::test
