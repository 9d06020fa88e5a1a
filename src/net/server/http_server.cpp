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

constexpr auto kLingerTime = 2s;      // for a rejected client to read its response
constexpr auto kDrainedSilence = 1s;  // for a connection accepted just before draining to send its request
constexpr auto kAcceptRetry = 250ms;
constexpr auto kWatchPeriod = 1s;
// New connections that are accepted in exchange for idle ones that other workers have not closed yet. A burst beyond
// them waits or is rejected: otherwise it would use the reserved descriptors (at least 64) before the first eviction
// runs.
constexpr std::int64_t kMaxPendingEvictions = 32;

// Enough for the other descriptors of a process with 16 workers: 256 transfers each, and 512 files.
constexpr std::int64_t kMaxReserved = 4'608;

/// Connections that the process may hold so that descriptors are left for fills, the store and the admin listener: a
/// third of them is reserved, at least 64 and at most kMaxReserved.
std::int64_t descriptor_budget() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return INT64_MAX;
  const auto all = static_cast<std::int64_t>(limit.rlim_cur);
  return std::max<std::int64_t>(1, all - std::clamp<std::int64_t>(all / 3, 64, kMaxReserved));
}

}  // namespace

void ServerCore::FreeHttp::operator()(evhttp* http) const { evhttp_free(http); }
void ServerCore::FreeEvent::operator()(event* e) const { event_free(e); }

base::Result<std::unique_ptr<HttpServer>> HttpServer::open(const ServerSettings& settings, HttpServerContext context,
                                                           std::shared_ptr<ConnectionLimits> limits) {
  auto server = std::make_unique<ServerCore>(std::move(context), std::move(limits));
  if (auto listening = server->listen(settings); !listening) return tl::unexpected(listening.error());
  return server;
}

ServerCore::ServerCore(HttpServerContext context, std::shared_ptr<ConnectionLimits> limits)
    : context_(std::move(context)),
      connection_limits_(std::move(limits)),
      metrics_(context_.metrics, context_.listener_name),
      response_head_(context_.clock, context_.adds_cors_fields) {
  limits_worker_ = connection_limits_->add_worker(context_.loop, [this] { evict_longest_idle(); });
}

ServerCore::~ServerCore() {
  connection_limits_->remove_worker(limits_worker_);
  draining_ = true;
  close_all();
  acceptor_.reset();
}

base::Status ServerCore::listen(const ServerSettings& settings) {
  auto trusted = PrefixList::parse(settings.trusted_proxies);
  if (!trusted) return tl::unexpected(trusted.error());
  auto* base = context_.loop.base();
  http_.reset(evhttp_new(base));
  adopt_event_.reset(event_new(base, -1, 0, on_adopt, this));
  if (!http_ || !adopt_event_)
    return base::failure(base::ErrorKind::internal, base::Fault::tribune, "cannot create an HTTP server");
  // The validator enforces the limits, so evhttp must not reject a request first with a response of its own.
  evhttp_set_max_headers_size(http_.get(), -1);
  evhttp_set_max_body_size(http_.get(), -1);
  evhttp_set_default_content_type(http_.get(), nullptr);
  evhttp_set_allowed_methods(http_.get(), EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                              EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
  evhttp_set_bevcb(http_.get(), on_new_buffer, this);
  evhttp_set_gencb(http_.get(), on_request, this);
  acceptor_ =
      std::make_unique<Acceptor>(base, http_.get(), [this](int error) { pause_accepting("descriptors", error); });
  reconfigure(settings);
  for (const auto& address : settings.listen) {
    const bool any_port = address.ends_with(":0");
    if (auto listening = acceptor_->listen(address, !any_port && connection_limits_->claim(address)); !listening)
      return listening;
  }
  for (const auto& address : acceptor_->bound()) connection_limits_->claim(address);
  return {};
}

void ServerCore::reconfigure(const ServerSettings& settings) {
  if (auto trusted = PrefixList::parse(settings.trusted_proxies)) trusted_ = std::move(*trusted);
  limits_ = settings.limits;
  requires_proxy_header_ = settings.proxy_protocol;
  framing_limits_ = {limits_.max_head_bytes, limits_.max_target_bytes,
                     static_cast<std::uint64_t>(limits_.max_header_fields), limits_.max_body_bytes,
                     context_.any_method};
  descriptor_budget_ = descriptor_budget();
  const auto shortest =
      std::min({limits_.head_timeout, limits_.body_timeout, limits_.idle_timeout, limits_.min_send_window});
  sweep_timer_ =
      context_.loop.every(std::clamp<std::chrono::milliseconds>(shortest / 8, 10ms, 250ms), [this] { sweep(); });
}

// --- Accepting

bufferevent* ServerCore::on_new_buffer(event_base* base, void* arg) noexcept {
  auto* self = static_cast<ServerCore*>(arg);
  auto* buffer = bufferevent_socket_new(base, -1, 0);
  if (buffer == nullptr) return nullptr;
  try {
    self->accept(buffer);
    return buffer;
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
    return nullptr;  // evhttp continues without a connection here, and on_request() responds with 500
  }
}

void ServerCore::accept(bufferevent* buffer) {
  // evhttp sets socket and address after this call. The event runs in this iteration of the loop, before any byte is
  // read.
  accepted_.push_back({std::make_unique<HttpConnection>(*this, buffer), false});
  event_active(adopt_event_.get(), EV_TIMEOUT, 0);
  metrics_.accepted.add();
  metrics_.connections.add(1);
  const auto total = connection_limits_->open();
  const auto most = std::min(limits_.max_connections, descriptor_budget_);
  if (total <= most) return;
  if (total <= most + kMaxPendingEvictions && connection_limits_->evict_longest_idle(limits_worker_)) return;
  if (limits_.max_connections <= descriptor_budget_)
    accepted_.back().is_over_limit = true;
  else
    pause_accepting("descriptor_budget", 0);
}

void ServerCore::on_adopt(int, short, void* arg) noexcept { static_cast<ServerCore*>(arg)->adopt_accepted(); }

void ServerCore::adopt_accepted() {
  auto accepted = std::move(accepted_);
  accepted_.clear();
  for (auto& entry : accepted) {
    auto& connection = *entry.connection;
    if (!connection.adopt()) {
      const auto closed = std::move(entry.connection);
      remove_from_lists(*closed);
      continue;
    }
    try {
      connections_.try_emplace(connection.evcon()).first->second = std::move(entry.connection);
    } catch (const std::bad_alloc&) {
      base::Memory::of_process().gave_up_work();
      auto* evcon = connection.evcon();
      evhttp_connection_set_closecb(evcon, nullptr, nullptr);
      remove_from_lists(connection);
      entry.connection.reset();
      evhttp_connection_free(evcon);
      continue;
    }
    connection.guarded([&] { connection.admit(entry.is_over_limit); });
  }
}

void ServerCore::pause_accepting(const char* reason, int error) {
  if (draining_) return;
  acceptor_->pause();
  metrics_.accept_pauses.add();
  if (const auto held = pause_lines_.allow(now()))
    context_.log.warning("net", "accept_paused",
                         {{"listener", context_.listener_name},
                          {"reason", reason},
                          {"error", error != 0 ? std::strerror(error) : ""},
                          {"connections", connection_limits_->total()},
                          {"held_back", *held}});
  accept_timer_ = context_.loop.after(kAcceptRetry, [this] { retry_accepting(); });
}

void ServerCore::retry_accepting() {
  if (draining_ || !acceptor_->is_paused()) return;
  const bool can_accept = connection_limits_->total() < descriptor_budget_ ||
                          (connection_limits_->evict_longest_idle(limits_worker_) &&
                           connection_limits_->total() < descriptor_budget_ + kMaxPendingEvictions);
  if (!can_accept) {
    accept_timer_ = context_.loop.after(kAcceptRetry, [this] { retry_accepting(); });
    return;
  }
  resume_accepting();
}

void ServerCore::resume_accepting() {
  accept_timer_.cancel();
  acceptor_->resume();
  if (resume_lines_.allow(now()))
    context_.log.info("net", "accept_resumed",
                      {{"listener", context_.listener_name}, {"connections", connection_limits_->total()}});
}

/// The connection that has been idle for longest, of those that may be evicted; nullptr when there is none. Connections
/// accepted in this iteration of the loop are not candidates yet. Exempt connections are as many as there are cache
/// nodes, and are idle for one second at a time.
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
    context_.log.info(
        "net", "idle_connection_closed_for_a_newcomer",
        {{"listener", context_.listener_name}, {"client", chosen->client().text()}, {"held_back", *held}});
  chosen->close();
}

void ServerCore::publish_idle() {
  if (const auto* longest = longest_idle())
    limits_worker_->set_longest_idle_since(longest->since());
  else
    limits_worker_->set_none_idle();
}

// --- Connections

void ServerCore::add(HttpConnection& connection) {
  auto& same_phase = list(connection.phase());
  connection.phase_position = same_phase.insert(same_phase.end(), &connection);
}

void ServerCore::on_phase_changed(HttpConnection& connection, ConnectionPhase from, ConnectionPhase to) {
  auto& target = list(to);
  target.splice(target.end(), list(from), connection.phase_position);
  if (from == ConnectionPhase::idle || from == ConnectionPhase::fresh || to == ConnectionPhase::idle) publish_idle();
}

void ServerCore::remove_from_lists(HttpConnection& connection) {
  list(connection.phase()).erase(connection.phase_position);
  if (connection.writer().is_watched()) watched_.erase(connection.watch_position);
  connection_limits_->close();
  metrics_.connections.add(-1);
  publish_idle();
  if (acceptor_ && acceptor_->is_paused() && !draining_ && connection_limits_->total() < descriptor_budget_)
    resume_accepting();
}

std::unique_ptr<HttpConnection> ServerCore::remove(HttpConnection& connection) {
  const auto at = connections_.find(connection.evcon());
  auto owned = std::move(at->second);
  connections_.erase(at);
  remove_from_lists(connection);
  return owned;
}

void ServerCore::watch(HttpConnection& connection) {
  connection.watch_position = watched_.insert(watched_.end(), &connection);
}

void ServerCore::on_request(evhttp_request* request, void* arg) noexcept {
  auto* self = static_cast<ServerCore*>(arg);
  const auto at = self->connections_.find(evhttp_request_get_connection(request));
  if (at != self->connections_.end()) {
    auto& connection = *at->second;
    connection.guarded([&] { connection.reader().on_evhttp_request(request); });
  } else {
    evhttp_send_error(request, 500, nullptr);
  }
}

void ServerCore::count_rejection(RejectReason reason, const std::string& client) {
  metrics_.rejected[static_cast<std::size_t>(reason)].add();
  if (const auto held = rejected_lines_.allow(now()))
    context_.log.warning("net", "request_rejected",
                         {{"listener", context_.listener_name},
                          {"client", client},
                          {"reason", to_string(reason)},
                          {"status", status_of(reason)},
                          {"held_back", *held}});
}

// --- Deadlines

void ServerCore::sweep() {
  const auto silence =
      draining_ ? std::min<std::chrono::milliseconds>(limits_.head_timeout, kDrainedSilence) : limits_.head_timeout;
  expire(ConnectionPhase::fresh, silence, metrics_.silent_timeouts);
  expire(ConnectionPhase::head, limits_.head_timeout, metrics_.head_timeouts);
  expire(ConnectionPhase::body, limits_.body_timeout, metrics_.body_timeouts);
  expire(ConnectionPhase::idle, limits_.idle_timeout, metrics_.idle_timeouts);
  expire(ConnectionPhase::lingering, kLingerTime, std::nullopt);
  if (now() - rates_checked_at_ >= std::min<std::chrono::milliseconds>(kWatchPeriod, limits_.min_send_window / 8))
    cut_slow_readers();
}

void ServerCore::expire(ConnectionPhase phase, std::chrono::milliseconds after, std::optional<base::Counter> counter) {
  const auto due = now() - after;
  auto& candidates = list(phase);
  // Each list is in the order of its deadlines. A connection that expires leaves the list.
  while (!candidates.empty() && candidates.front()->since() <= due) {
    auto& connection = *candidates.front();
    if (connection.evcon() == nullptr) return;
    if (counter) counter->add();
    if (phase == ConnectionPhase::head)
      connection.reject(RejectReason::head_timeout);
    else if (phase == ConnectionPhase::body)
      connection.reject(RejectReason::body_timeout);
    else
      connection.close();
  }
}

void ServerCore::cut_slow_readers() {
  rates_checked_at_ = now();
  const SendRate rate{static_cast<std::uint64_t>(limits_.min_send_rate_bps), limits_.min_send_window};
  for (auto at = watched_.begin(); at != watched_.end();) {
    auto& connection = **at;
    const bool slow = connection.writer().is_too_slow(rates_checked_at_, rate);
    if (!connection.writer().is_watched()) {
      at = watched_.erase(at);
      continue;
    }
    ++at;
    if (!slow) continue;
    metrics_.slow_readers.add();
    if (const auto held = slow_lines_.allow(rates_checked_at_))
      context_.log.warning(
          "net", "slow_reader_cut",
          {{"listener", context_.listener_name}, {"client", connection.client().text()}, {"held_back", *held}});
    connection.cut();
  }
}

// --- The end

void ServerCore::drain() {
  adopt_accepted();
  draining_ = true;
  accept_timer_.cancel();
  acceptor_->close();
  auto& idle = list(ConnectionPhase::idle);
  while (!idle.empty()) idle.front()->close();
}

void ServerCore::close_all() {
  if (http_) adopt_accepted();
  // The callbacks of one connection's end may end others, so each iteration looks up the first one.
  while (!connections_.empty()) connections_.begin()->second->cut();
}

ServerMetrics::ServerMetrics(base::Metrics& metrics, const std::string& listener)
    : connections(metrics.gauge("tribune_http_connections", "Open connections.", {{"listener", listener}})),
      accepted(metrics.counter("tribune_http_accepted_total", "Connections accepted.", {{"listener", listener}})),
      head_timeouts(timeouts(metrics, listener, "head")),
      body_timeouts(timeouts(metrics, listener, "body")),
      idle_timeouts(timeouts(metrics, listener, "idle")),
      silent_timeouts(timeouts(metrics, listener, "silent")),
      slow_readers(metrics.counter("tribune_http_slow_readers_cut_total",
                                   "Connections reset because the client read below the minimum send rate.",
                                   {{"listener", listener}})),
      evicted(metrics.counter("tribune_http_evicted_total", "Idle connections closed to admit a new connection.",
                              {{"listener", listener}})),
      accept_pauses(
          metrics.counter("tribune_http_accept_pauses_total",
                          "Number of times the listener paused accepting because no file descriptors were left.",
                          {{"listener", listener}})) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(RejectReason::count_); ++i)
    rejected.push_back(metrics.counter("tribune_http_rejected_total",
                                       "Requests rejected before they reach a handler, by reason.",
                                       {{"listener", listener}, {"reason", to_string(static_cast<RejectReason>(i))}}));
}

base::Counter ServerMetrics::timeouts(base::Metrics& metrics, const std::string& listener, std::string_view kind) {
  return metrics.counter("tribune_http_timeouts_total", "Connections closed because of a timeout, by kind.",
                         {{"listener", listener}, {"kind", kind}});
}

}  // namespace tribune::net
