#pragma once
// Workers whose loops run on threads, each with a scripted client.

#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "net/event_loop.h"
#include "runtime/role.h"
#include "support/scripted_client.h"

namespace tribune::test {

class Workers {
 public:
  explicit Workers(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      loops_.push_back(std::make_unique<net::EventLoop>());
      clients_.push_back(std::make_unique<ScriptedClient>(*loops_.back()));
      workers_.push_back(std::make_unique<runtime::Worker>(runtime::Worker{i, *loops_.back(), *clients_.back()}));
    }
    for (auto& loop : loops_) threads_.emplace_back([&loop] { loop->run(); });
  }
  ~Workers() { stop(); }
  void stop() {
    for (auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  const std::vector<std::unique_ptr<runtime::Worker>>& all() const { return workers_; }
  runtime::Worker& worker(std::size_t i = 0) { return *workers_[i]; }
  ScriptedClient& client(std::size_t i = 0) { return *clients_[i]; }
  std::size_t size() const { return workers_.size(); }

  /// Runs the call on the loop, and waits for it.
  void on(std::size_t i, const std::function<void()>& call) {
    std::promise<void> done;
    loops_[i]->post([&] {
      call();
      done.set_value();
    });
    done.get_future().wait();
  }
  std::size_t asked() {
    std::size_t count = 0;
    for (auto& client : clients_) count += client->count();
    return count;
  }

 private:
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::vector<std::unique_ptr<ScriptedClient>> clients_;
  std::vector<std::unique_ptr<runtime::Worker>> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace tribune::test
