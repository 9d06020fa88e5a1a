#include "runtime/server.h"

#include <algorithm>
#include <atomic>
#include <tuple>

#include "base/memory.h"
#include "http/problem.h"

namespace tribune::runtime {
namespace {

constexpr std::string_view kComponent = "runtime";
constexpr std::chrono::milliseconds kCutDeadline{2'000};
constexpr std::chrono::milliseconds kDrainCheck{20};  // the interval of calls to Role::is_drained()

using Deadline = std::chrono::steady_clock::time_point;

Deadline from_now(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

/// Waits for `done` or the deadline; a second stop signal ends the wait. Reloads are ignored.
template <class Done>
std::optional<int> wait_until(Signals& signals, Deadline deadline, Done done) {
  while (!done()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return std::nullopt;
    const auto event = signals.wait(std::min(left, kDrainCheck));
    if (event.kind == Signals::Kind::stop) return event.signal;
  }
  return std::nullopt;
}

void append(std::vector<Route>& routes, std::vector<Route> more) {
  std::move(more.begin(), more.end(), std::back_inserter(routes));
}

const net::ServerSettings& front_of(const config::Settings& settings) {
  return settings.get<net::ServerSettings>(kFrontSection);
}
const AdminSettings& admin_of(const config::Settings& settings) {
  return settings.get<AdminSettings>(admin_section().name());
}
const net::ClientSettings& client_of(const config::Settings& settings) {
  return settings.get<net::ClientSettings>(net::client_section().name());
}

std::shared_ptr<const HostNames> admin_hosts(const AdminSettings& admin) {
  return std::make_shared<const HostNames>(admin.names, admin.listen);
}

base::Error of_role(const Role& role, base::Error error) {
  error.text = std::string(role.name()) + ": " + error.text;
  return error;
}

}  // namespace

Server::Server(config::Settings settings, const std::vector<RoleType>& types, ServerContext context)
    : settings_(std::move(settings)),
      opened_(settings_),
      types_(types),
      context_(std::move(context)),
      gate_(admin_of(settings_).token),
      admin_hosts_(admin_hosts(admin_of(settings_))),
      front_log_(context_.log, context_.metrics, "front"),
      admin_log_(context_.log, context_.metrics, "admin"),
      services_{context_.clock, context_.log, context_.metrics, workers_, context_.version} {
  for (std::size_t i = 0; i < worker_count(process()); ++i) {
    threads_.push_back(
        std::make_unique<WorkerThread>(client_of(settings_), context_.clock, context_.log, context_.metrics));
    workers_.push_back(std::unique_ptr<Worker>(new Worker{i, threads_.back()->loop(), threads_.back()->client()}));
  }
}

Server::~Server() {
  stop_roles();
  end_threads();
}

base::Result<std::unique_ptr<Server>> Server::open(config::Settings settings, const std::vector<RoleType>& types,
                                                   ServerContext context) {
  std::unique_ptr<Server> server(new Server(std::move(settings), types, std::move(context)));
  if (auto opened = server->open_roles(); !opened) return tl::unexpected(std::move(opened.error()));
  if (auto opened = server->open_listeners(); !opened) return tl::unexpected(std::move(opened.error()));
  for (std::size_t i = 0; i < server->threads_.size(); ++i) server->threads_[i]->start(i);
  server->condition_.enter(Phase::serving);
  return server;
}

base::Status Server::open_roles() {
  std::vector<Route> front;
  std::vector<Route> admin = admin_routes(
      std::make_shared<const AdminSources>(AdminSources{context_.version, workers_.size(), context_.clock.steady_now(),
                                                        context_.clock, context_.metrics, condition_, roles_}));
  for (const auto& type : types_)
    if (settings_.has(type.name)) roles_.push_back(type.make(settings_, services_));
  for (const auto& role : roles_) {
    if (auto started = role->start(); !started) return tl::unexpected(of_role(*role, std::move(started.error())));
    started_.push_back(role.get());
    append(front, role->front_routes());
    append(admin, role->admin_routes());
  }
  front_router_ = std::make_unique<RequestRouter>(std::move(front));
  admin_router_ = std::make_unique<RequestRouter>(std::move(admin), false);
  return {};
}

base::Status Server::open_listeners() {
  if (auto opened = open_listener("front", front_of(settings_), true); !opened) return opened;
  return open_listener("admin", admin_server(admin_of(settings_)), false);
}

base::Status Server::open_listener(const char* name, net::ServerSettings settings, bool is_front) {
  const auto connection_limits = net::make_connection_limits();
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    auto& worker = *workers_[i];
    auto& access = is_front ? front_log_ : admin_log_;
    net::HttpServerContext context{worker.loop,
                                   context_.clock,
                                   context_.log,
                                   context_.metrics,
                                   name,
                                   [this, &worker, is_front](std::unique_ptr<net::Exchange> exchange) {
                                     dispatch(worker, std::move(exchange), is_front);
                                   },
                                   [&access](const net::AccessRecord& record) { access.record(record); }};
    context.adds_cors_fields = is_front;
    auto bound = threads_[i]->open_server(settings, std::move(context), connection_limits, is_front);
    if (!bound) {
      bound.error().text = std::string(name) + ": " + bound.error().text;
      return tl::unexpected(std::move(bound.error()));
    }
    if (i > 0) continue;
    settings.listen = *bound;  // the first worker resolves port 0; the others share its port
    for (const auto& address : *bound)
      context_.log.info(kComponent, "listening", {{"listener", name}, {"address", address}});
  }
  return {};
}

LoopWatch Server::watch_loops() {
  std::vector<LoopWatch::Post> loops;
  for (auto& thread : threads_)
    loops.push_back([&loop = thread->loop()](std::function<void()> task) { loop.post(std::move(task)); });
  return LoopWatch(std::move(loops));
}

void Server::dispatch(Worker& worker, std::unique_ptr<net::Exchange> exchange, bool is_front) const {
  if (is_front && base::Memory::of_process().level() == base::MemoryLevel::spent) {
    exchange->note.reason = "memory_spent";
    return exchange->reply(http::problem(http::problems::overloaded, "The server has no memory left for the request."));
  }
  if (is_front) return front_router_->dispatch(worker, std::move(exchange));
  if (auto refusal = refusal_of_site(exchange->request(), *admin_hosts_.get()))
    return exchange->reply(std::move(*refusal));
  if (auto refusal = gate_.refusal(exchange->request())) return exchange->reply(std::move(*refusal));
  admin_router_->dispatch(worker, std::move(exchange));
}

base::Status Server::reload(config::Settings next) {
  for (const auto& role : roles_)
    if (!next.has(role->name()))
      return base::failure(
          base::ErrorKind::invalid_input, base::Fault::client,
          "the section \"" + std::string(role->name()) + "\" is missing; a role can be removed only by a restart");
  for (auto role = roles_.begin(); role != roles_.end(); ++role) {
    auto taken = (*role)->reload(next);
    if (taken) continue;
    auto error = of_role(**role, std::move(taken.error()));
    for (auto before = roles_.begin(); before != role; ++before)
      if (auto back = (*before)->reload(settings_); !back)
        context_.log.error(kComponent, "reload_not_undone",
                           {{"role", (*before)->name()}, {"error", back.error().text}});
    return tl::unexpected(std::move(error));
  }
  warn_of_restart_needs(next);
  settings_ = std::move(next);
  apply_server_settings();
  return {};
}

/// Compares with the settings at the start, which are in force: a value that was changed and changed back needs no
/// restart.
void Server::warn_of_restart_needs(const config::Settings& next) {
  const auto warn = [&](std::string_view key) { context_.log.warning(kComponent, "restart_needed", {{"key", key}}); };
  const auto workers_of = [](const config::Settings& settings) {
    return settings.get<ProcessSettings>(process_section().name()).workers;
  };
  if (front_of(next).listen != front_of(opened_).listen) warn("front.listen");
  if (admin_of(next).listen != admin_of(opened_).listen) warn("admin.listen");
  if (workers_of(next) != workers_of(opened_)) warn("process.workers");
  const auto client_in_file = [](const net::ClientSettings& client) {
    return std::tie(client.max_connections, client.max_connections_per_origin, client.keep_idle,
                    client.max_connection_age, client.names_fresh, client.ca_file);
  };
  if (client_in_file(client_of(next)) != client_in_file(client_of(opened_))) warn(net::client_section().name());
  for (const auto& type : types_)
    if (next.has(type.name) && !opened_.has(type.name)) warn(type.name);
}

void Server::apply_server_settings() {
  gate_.set_token(admin_of(settings_).token);
  admin_hosts_.publish(admin_hosts(admin_of(settings_)));
  for (auto& thread : threads_) {
    thread->reconfigure(true, front_of(settings_));
    thread->reconfigure(false, admin_server(admin_of(settings_)));
  }
}

std::optional<int> Server::stop(int signal) {
  condition_.enter(Phase::stopping);
  context_.log.info(kComponent, "stopping",
                    {{"signal", signal}, {"deadline_ms", std::int64_t{process().stop_deadline.count()}}});
  for (const auto& role : roles_) role->drain();
  if (const auto second = wait_for_delay()) return second;
  const auto deadline = from_now(process().stop_deadline);
  for (const auto& role : roles_) role->close_listeners();
  if (const auto second = wait_for_listeners(true, deadline)) return second;
  if (const auto second = wait_for_listeners(false, deadline)) return second;
  cut_what_is_left();
  stop_roles();
  end_threads();
  context_.log.info(kComponent, "stopped");
  return std::nullopt;
}

std::optional<int> Server::wait_for_delay() {
  return wait_until(context_.signals, from_now(process().stop_delay), [] { return false; });
}

/// Called for the front listeners first. The admin listener stays open meanwhile, so that the stop can be monitored.
std::optional<int> Server::wait_for_listeners(bool is_front, Deadline deadline) {
  const auto left = std::make_shared<std::atomic<std::size_t>>(threads_.size());
  for (auto& thread : threads_)
    thread->drain(is_front, [left, &signals = context_.signals] {
      if (left->fetch_sub(1) == 1) signals.wake();
    });
  return wait_until(context_.signals, deadline, [&] { return left->load() == 0 && roles_are_drained(); });
}

bool Server::roles_are_drained() const {
  return std::all_of(roles_.begin(), roles_.end(), [](const auto& role) { return role->is_drained(); });
}

void Server::cut_what_is_left() {
  struct Tally {
    std::atomic<std::size_t> workers;
    std::atomic<std::size_t> connections{0};
  };
  const auto tally = std::make_shared<Tally>();
  tally->workers = threads_.size();
  for (auto& thread : threads_)
    thread->cut_all([tally, &signals = context_.signals](std::size_t connections) {
      tally->connections += connections;
      if (tally->workers.fetch_sub(1) == 1) signals.wake();
    });
  wait_until(context_.signals, from_now(kCutDeadline), [&] { return tally->workers.load() == 0; });
  for (const auto& role : roles_)
    if (!role->is_drained()) context_.log.warning(kComponent, "stop_deadline_passed", {{"role", role->name()}});
  if (const auto cut = tally->connections.load(); cut > 0)
    context_.log.warning(kComponent, "stop_deadline_passed", {{"connections_cut", static_cast<std::uint64_t>(cut)}});
}

void Server::stop_roles() {
  for (auto role = started_.rbegin(); role != started_.rend(); ++role) (*role)->stop();
  started_.clear();
}

void Server::end_threads() {
  for (auto& thread : threads_) thread->stop();
  // Roles own timers, fetches and exchanges of the workers, so they are destroyed while the loops still exist.
  roles_.clear();
}

}  // namespace tribune::runtime
