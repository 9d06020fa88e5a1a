#include "runtime/worker_thread.h"

#include <pthread.h>

namespace tribune::runtime {
namespace {

using namespace std::chrono_literals;

constexpr auto kEmptyCheck = 10ms;

}  // namespace

WorkerThread::WorkerThread(const net::ClientSettings& client, const base::Clock& clock, base::Log& log,
                           base::Metrics& metrics)
    : client_(net::HttpClient::make(loop_, clock, log, metrics, client)) {}

WorkerThread::~WorkerThread() { stop(); }

base::Result<std::vector<std::string>> WorkerThread::open_server(
    const net::ServerSettings& settings, net::HttpServerContext context,
    std::shared_ptr<net::ConnectionLimits> connection_limits, bool is_front) {
  auto server = net::HttpServer::open(settings, std::move(context), std::move(connection_limits));
  if (!server) return tl::unexpected(std::move(server.error()));
  auto bound = (*server)->bound();
  servers_.push_back({std::move(*server), is_front});
  return bound;
}

void WorkerThread::start(std::size_t index) {
  thread_ = std::thread([this] { loop_.run(); });
  const auto name = "worker " + std::to_string(index);
  pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

std::size_t WorkerThread::connections(bool is_front) const {
  std::size_t count = 0;
  for (const auto& entry : servers_)
    if (entry.is_front == is_front) count += entry.server->connections();
  return count;
}

void WorkerThread::reconfigure(bool is_front, net::ServerSettings settings) {
  loop_.post([this, is_front, settings = std::move(settings)] {
    for (auto& entry : servers_)
      if (entry.is_front == is_front) entry.server->reconfigure(settings);
  });
}

void WorkerThread::drain(bool is_front, std::function<void()> on_empty) {
  loop_.post([this, is_front, on_empty = std::move(on_empty)] {
    for (auto& entry : servers_)
      if (entry.is_front == is_front) entry.server->drain();
    empty_watch_ = loop_.every(kEmptyCheck, [this, is_front, on_empty] {
      if (connections(is_front) != 0) return;
      const auto tell = on_empty;  // cancelling the timer destroys its copy
      empty_watch_.cancel();
      tell();
    });
  });
}

void WorkerThread::cut_all(std::function<void(std::size_t)> on_cut) {
  loop_.post([this, on_cut = std::move(on_cut)] {
    empty_watch_.cancel();
    const auto left = connections(true);
    for (auto& entry : servers_) entry.server->close_all();
    on_cut(left);
  });
}

void WorkerThread::stop() {
  if (thread_.joinable()) {
    loop_.stop();
    thread_.join();
  }
  empty_watch_.cancel();
  servers_.clear();
}

}  // namespace tribune::runtime
