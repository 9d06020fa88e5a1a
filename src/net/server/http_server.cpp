#include "net/server/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/memory.h"
#include "net/server/http_server_core.h"

namespace tribune::net {
namespace {

using namespace std::chrono_literals;

constexpr auto kLingerTime = 2s;      // for a refused client to read its answer
constexpr auto kDrainedSilence = 1s;  // for a connection that was made just before draining to send its request
constexpr auto kAcceptRetry = 250ms;
constexpr auto kWatchPeriod = 1s;
// Newcomers that may come in for idle connections which other workers have yet to close. A burst beyond them waits or
// is refused, or it would eat the descriptors of the reserve (64 at least) before the first eviction runs.
constexpr std::int64_t kEvictionsUnderWay = 32;

// Enough for what a process with 16 workers holds beside connections: 256 transfers each, and some hundred files.
constexpr std::int64_t kMostReserved = 4'608;

/// Connections that the process may hold so that fills, the store and the admin listener keep descriptors of their own:
/// a third, up to what they can use.
std::int64_t descriptor_budget() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return INT64_MAX;
  const auto all = static_cast<std::int64_t>(limit.rlim_cur);
  return std::max<std::int64_t>(1, all - std::clamp<std::int64_t>(all / 3, 64, kMostReserved));
}

}  // namespace

void ServerCore::FreeHttp::operator()(evhttp* http) const { evhttp_free(http); }
void ServerCore::FreeEvent::operator()(event* e) const { event_free(e); }

base::Result<std::unique_ptr<HttpServer>> HttpServer::open(const ServerSettings& settings, HttpServerContext context,
                                                           std::shared_ptr<ConnectionLimits> book) {
  auto server = std::make_unique<ServerCore>(std::move(context), std::move(book));
  if (auto listening = server->listen(settings); !listening) return tl::unexpected(listening.error());
  return server;
}

ServerCore::ServerCore(HttpServerContext context, std::shared_ptr<ConnectionLimits> book)
    : context_(std::move(context)),
      book_(std::move(book)),
      metrics_(context_.metrics, context_.listener_name),
      answer_head_(context_.clock, context_.adds_cors_fields) {
  shelf_ = book_->join(context_.loop, [this] { evict_longest_idle(); });
}

ServerCore::~ServerCore() {
  book_->leave(shelf_);
  draining_ = true;
  close_all();
  gate_.reset();
}

base::Status ServerCore::listen(const ServerSettings& settings) {
  auto trusted = PrefixList::parse(settings.trusted_proxies);
  if (!trusted) return tl::unexpected(trusted.error());
  auto* base = context_.loop.base();
  http_.reset(evhttp_new(base));
  adopt_event_.reset(event_new(base, -1, 0, on_adopt, this));
  if (!http_ || !adopt_event_)
    return base::failure(base::ErrorKind::internal, base::Fault::tribune, "cannot make an HTTP server");
  // The guard judges heads and bodies; evhttp's own bounds and answers must never be the first to speak.
  evhttp_set_max_headers_size(http_.get(), -1);
  evhttp_set_max_body_size(http_.get(), -1);
  evhttp_set_default_content_type(http_.get(), nullptr);
  evhttp_set_allowed_methods(http_.get(), EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                              EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
  evhttp_set_bevcb(http_.get(), on_new_buffer, this);
  evhttp_set_gencb(http_.get(), on_request, this);
  gate_ = std::make_unique<Acceptor>(base, http_.get(), [this](int error) { pause_accepting("descriptors", error); });
  reconfigure(settings);
  for (const auto& address : settings.listen) {
    const bool any_port = address.ends_with(":0");
    if (auto listening = gate_->listen(address, !any_port && book_->claim(address)); !listening) return listening;
  }
  for (const auto& address : gate_->bound()) book_->claim(address);
  return {};
}

void ServerCore::reconfigure(const ServerSettings& settings) {
  if (auto trusted = PrefixList::parse(settings.trusted_proxies)) trusted_ = std::move(*trusted);
  limits_ = settings.limits;
  proxy_protocol_ = settings.proxy_protocol;
  guard_limits_ = {limits_.max_head_bytes, limits_.max_target_bytes,
                   static_cast<std::uint64_t>(limits_.max_header_fields), limits_.max_body_bytes, context_.any_method};
  descriptor_budget_ = descriptor_budget();
  const auto shortest =
      std::min({limits_.head_timeout, limits_.body_timeout, limits_.idle_timeout, limits_.min_send_window});
  sweep_timer_ =
      context_.loop.every(std::clamp<std::chrono::milliseconds>(shortest / 8, 10ms, 250ms), [this] { sweep(); });
}

// --- accepting
// ---------------------------------------------------------------------------------------------------------

bufferevent* ServerCore::on_new_buffer(event_base* base, void* arg) noexcept {
  auto* self = static_cast<ServerCore*>(arg);
  auto* buffer = bufferevent_socket_new(base, -1, 0);
  if (buffer == nullptr) return nullptr;
  try {
    self->welcome(buffer);
    return buffer;
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
    return nullptr;  // evhttp goes on without us, and on_request() answers 500
  }
}

void ServerCore::welcome(bufferevent* buffer) {
  // evhttp puts socket and address in after this call; the event runs in this turn of the loop, before any byte is
  // read.
  fresh_.push_back({std::make_unique<HttpConnection>(*this, buffer), false});
  event_active(adopt_event_.get(), EV_TIMEOUT, 0);
  metrics_.accepted.add();
  metrics_.connections.add(1);
  const auto total = book_->open();
  const auto most = std::min(limits_.max_connections, descriptor_budget_);
  if (total <= most) return;
  if (total <= most + kEvictionsUnderWay && book_->evict_longest_idle(shelf_)) return;
  if (limits_.max_connections <= descriptor_budget_)
    fresh_.back().refused = true;
  else
    pause_accepting("descriptor_budget", 0);
}

void ServerCore::on_adopt(int, short, void* arg) noexcept { static_cast<ServerCore*>(arg)->adopt_fresh(); }

void ServerCore::adopt_fresh() {
  auto fresh = std::move(fresh_);
  fresh_.clear();
  for (auto& newcomer : fresh) {
    auto& connection = *newcomer.connection;
    if (!connection.adopt()) {
      const auto gone = std::move(newcomer.connection);
      left(*gone);
      continue;
    }
    try {
      connections_.try_emplace(connection.evcon()).first->second = std::move(newcomer.connection);
    } catch (const std::bad_alloc&) {
      base::Memory::of_process().gave_up_work();
      auto* evcon = connection.evcon();
      evhttp_connection_set_closecb(evcon, nullptr, nullptr);
      left(connection);
      newcomer.connection.reset();
      evhttp_connection_free(evcon);
      continue;
    }
    connection.guarded([&] { connection.joined_as_newcomer(newcomer.refused); });
  }
}

void ServerCore::pause_accepting(const char* reason, int error) {
  if (draining_) return;
  gate_->pause();
  metrics_.accept_pauses.add();
  if (const auto held = pause_lines_.allow(now()))
    context_.log.warning("net", "accept_paused",
                         {{"listener", context_.listener_name},
                          {"reason", reason},
                          {"error", error != 0 ? std::strerror(error) : ""},
                          {"connections", book_->total()},
                          {"held_back", *held}});
  accept_timer_ = context_.loop.after(kAcceptRetry, [this] { try_to_accept_again(); });
}

void ServerCore::try_to_accept_again() {
  if (draining_ || !gate_->is_paused()) return;
  const bool has_room = book_->total() < descriptor_budget_ ||
                        (book_->evict_longest_idle(shelf_) && book_->total() < descriptor_budget_ + kEvictionsUnderWay);
  if (!has_room) {
    accept_timer_ = context_.loop.after(kAcceptRetry, [this] { try_to_accept_again(); });
    return;
  }
  resume_accepting();
}

void ServerCore::resume_accepting() {
  accept_timer_.cancel();
  gate_->resume();
  if (resume_lines_.allow(now()))
    context_.log.info("net", "accept_resumed", {{"listener", context_.listener_name}, {"connections", book_->total()}});
}

/// Of those that may be closed for a newcomer. One that was accepted in this turn is no candidate yet; those that keep
/// their place are as many as there are cache nodes, and are idle for a second at a time.
HttpConnection* ServerCore::longest_idle() {
  HttpConnection* longest = nullptr;
  for (const auto phase : {ConnectionPhase::idle, ConnectionPhase::fresh}) {
    const auto& candidates = list(phase);
    const auto first = std::find_if(candidates.begin(), candidates.end(),
                                    [](const auto* candidate) { return candidate->may_be_evicted(); });
    if (first != candidates.end() && (longest == nullptr || (*first)->since() < longest->since())) longest = *first;
  }
  return longest;
}

void ServerCore::evict_longest_idle() {
  auto* chosen = longest_idle();
  if (chosen == nullptr) return;
  metrics_.evicted.add();
  if (const auto held = evicted_lines_.allow(now()))
    context_.log.info("net", "idle_connection_closed_for_a_newcomer",
                      {{"listener", context_.listener_name}, {"client", chosen->client()}, {"held_back", *held}});
  chosen->close();
}

void ServerCore::publish_idle() {
  if (const auto* longest = longest_idle())
    shelf_->longest_idle_since(longest->since());
  else
    shelf_->none_idle();
}

// --- connections
// -------------------------------------------------------------------------------------------------------

void ServerCore::joined(HttpConnection& connection, ConnectionPhase phase) {
  auto& place = list(phase);
  connection.place = place.insert(place.end(), &connection);
}

void ServerCore::moved(HttpConnection& connection, ConnectionPhase from, ConnectionPhase to) {
  auto& target = list(to);
  target.splice(target.end(), list(from), connection.place);
  if (from == ConnectionPhase::idle || from == ConnectionPhase::fresh || to == ConnectionPhase::idle) publish_idle();
}

void ServerCore::left(HttpConnection& connection) {
  list(connection.phase()).erase(connection.place);
  if (connection.is_watched()) watched_.erase(connection.watch_place);
  book_->close();
  metrics_.connections.add(-1);
  publish_idle();
  if (gate_ && gate_->is_paused() && !draining_ && book_->total() < descriptor_budget_) resume_accepting();
}

std::unique_ptr<HttpConnection> ServerCore::take_out(HttpConnection& connection) {
  const auto at = connections_.find(connection.evcon());
  auto owned = std::move(at->second);
  connections_.erase(at);
  left(connection);
  return owned;
}

void ServerCore::watch(HttpConnection& connection) {
  connection.watch_place = watched_.insert(watched_.end(), &connection);
}

void ServerCore::on_request(evhttp_request* request, void* arg) noexcept {
  auto* self = static_cast<ServerCore*>(arg);
  const auto at = self->connections_.find(evhttp_request_get_connection(request));
  if (at != self->connections_.end()) {
    auto& connection = *at->second;
    connection.guarded([&] { connection.dispatch(request); });
  } else {
    evhttp_send_error(request, 500, nullptr);
  }
}

void ServerCore::rejected(RejectReason refusal, const std::string& client) {
  metrics_.rejected[static_cast<std::size_t>(refusal)].add();
  if (const auto held = rejected_lines_.allow(now()))
    context_.log.warning("net", "request_rejected",
                         {{"listener", context_.listener_name},
                          {"client", client},
                          {"reason", to_string(refusal)},
                          {"status", status_of(refusal)},
                          {"held_back", *held}});
}

// --- deadlines
// ---------------------------------------------------------------------------------------------------------

void ServerCore::sweep() {
  const auto silence =
      draining_ ? std::min<std::chrono::milliseconds>(limits_.head_timeout, kDrainedSilence) : limits_.head_timeout;
  expire(ConnectionPhase::fresh, silence, metrics_.silent_timeouts);
  expire(ConnectionPhase::head, limits_.head_timeout, metrics_.head_timeouts);
  expire(ConnectionPhase::body, limits_.body_timeout, metrics_.body_timeouts);
  expire(ConnectionPhase::idle, limits_.idle_timeout, metrics_.idle_timeouts);
  expire(ConnectionPhase::lingering, kLingerTime, std::nullopt);
  if (now() - watched_at_ >= std::min<std::chrono::milliseconds>(kWatchPeriod, limits_.min_send_window / 8))
    cut_slow_readers();
}

void ServerCore::expire(ConnectionPhase phase, std::chrono::milliseconds after, std::optional<base::Counter> counter) {
  const auto due = now() - after;
  auto& candidates = list(phase);
  // Each list is in the order of its deadlines; what expires leaves it.
  while (!candidates.empty() && candidates.front()->since() <= due) {
    auto& connection = *candidates.front();
    if (connection.evcon() == nullptr) return;
    if (counter) counter->add();
    if (phase == ConnectionPhase::head)
      connection.refuse(RejectReason::head_timeout);
    else if (phase == ConnectionPhase::body)
      connection.refuse(RejectReason::body_timeout);
    else
      connection.close();
  }
}

void ServerCore::cut_slow_readers() {
  watched_at_ = now();
  const SendRate rate{static_cast<std::uint64_t>(limits_.min_send_rate_bps), limits_.min_send_window};
  for (auto at = watched_.begin(); at != watched_.end();) {
    auto& connection = **at;
    const bool slow = connection.is_too_slow(watched_at_, rate);
    if (!connection.is_watched()) {
      at = watched_.erase(at);
      continue;
    }
    ++at;
    if (!slow) continue;
    metrics_.slow_readers.add();
    if (const auto held = slow_lines_.allow(watched_at_))
      context_.log.warning(
          "net", "slow_reader_cut",
          {{"listener", context_.listener_name}, {"client", connection.client()}, {"held_back", *held}});
    connection.cut();
  }
}

// --- the end
// -----------------------------------------------------------------------------------------------------------

void ServerCore::drain() {
  adopt_fresh();
  draining_ = true;
  accept_timer_.cancel();
  gate_->close();
  auto& idle = list(ConnectionPhase::idle);
  while (!idle.empty()) idle.front()->close();
}

void ServerCore::close_all() {
  if (http_) adopt_fresh();
  // Callbacks of one connection's end may end others: look anew each time.
  while (!connections_.empty()) connections_.begin()->second->cut();
}

ServerMetrics::ServerMetrics(base::Metrics& metrics, const std::string& listener)
    : connections(metrics.gauge("tribune_http_connections", "Connections that stand.", {{"listener", listener}})),
      accepted(metrics.counter("tribune_http_accepted_total", "Connections accepted.", {{"listener", listener}})),
      head_timeouts(timeouts(metrics, listener, "head")),
      body_timeouts(timeouts(metrics, listener, "body")),
      idle_timeouts(timeouts(metrics, listener, "idle")),
      silent_timeouts(timeouts(metrics, listener, "silent")),
      slow_readers(metrics.counter("tribune_http_slow_readers_cut_total",
                                   "Connections cut below the minimum send rate.", {{"listener", listener}})),
      evicted(metrics.counter("tribune_http_evicted_total", "Idle connections closed for a newcomer.",
                              {{"listener", listener}})),
      accept_pauses(metrics.counter("tribune_http_accept_pauses_total",
                                    "Times that accepting stopped for want of descriptors.",
                                    {{"listener", listener}})) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(RejectReason::count_); ++i)
    rejected.push_back(metrics.counter("tribune_http_rejected_total", "Requests refused at the front door, by reason.",
                                       {{"listener", listener}, {"reason", to_string(static_cast<RejectReason>(i))}}));
}

base::Counter ServerMetrics::timeouts(base::Metrics& metrics, const std::string& listener, std::string_view kind) {
  return metrics.counter("tribune_http_timeouts_total", "Connections closed at a deadline, by kind.",
                         {{"listener", listener}, {"kind", kind}});
}

}  // namespace tribune::net
