#include "http_cache/http_cache_role.h"

#include <memory>

#include "base/memory_budget.h"
#include "http_cache/http_cache.h"
#include "http_cache/http_cache_settings.h"
#include "http_cache/ram_bounds.h"

namespace tribune::http_cache {
namespace {

constexpr std::string_view kComponent = "http_cache";

const HttpCacheSettings& section_of(const config::Settings& settings) {
  return settings.get<HttpCacheSettings>(kComponent);
}

net::ServerSettings front_of(const config::Settings& settings) {
  return settings.has("front") ? settings.get<net::ServerSettings>("front") : net::ServerSettings{};
}

/// ready(), describe() and is_drained() run on any thread; the other functions on the main thread.
class HttpCacheRole final : public runtime::Role {
 public:
  HttpCacheRole(const config::Settings& settings, runtime::Services& services)
      : log_(services.log),
        settings_(section_of(settings)),
        front_(front_of(settings)),
        state_(std::make_shared<SharedState>(settings_.max_bytes)),
        cache_(settings_, state_, services) {
    memory_.ask(settings_.max_bytes);
    base::Memory::of_process().on_look(
        [weak = std::weak_ptr<SharedState>(state_)](base::MemoryLevel level, base::MemoryUse& use) {
          if (const auto state = weak.lock()) evict_while_scarce(state->store, level, use);
        });
  }

  std::string_view name() const override { return kComponent; }
  std::vector<runtime::Route> front_routes() override { return {}; }

  base::Status start() override {
    cache_.reconfigure(fitted(settings_, memory_.grant(), log_), front_);
    return cache_.open(front_);
  }

  base::Status reload(const config::Settings& settings) override {
    const auto& next = section_of(settings);
    memory_.ask(next.max_bytes);
    cache_.reconfigure(fitted(next, memory_.grant(), log_), front_of(settings));
    return {};
  }

  base::Status ready() const override { return {}; }

  void describe(base::json::Writer& out) const override {
    const auto totals = state_->store.totals();
    out.member("origin", settings_.origin)
        .member("responses", totals.entries)
        .member("stored_bytes", totals.bytes)
        .member("max_bytes", state_->store.max_bytes())
        .member("filling_bytes", state_->store.filling_bytes());
  }

  void close_listeners() override { cache_.drain(); }
  bool is_drained() const override { return cache_.is_drained(); }

 private:
  base::Log& log_;
  const HttpCacheSettings settings_;  // read at the start
  const net::ServerSettings front_;   // read at the start
  const std::shared_ptr<SharedState> state_;
  base::MemoryBudget::Part memory_{base::MemoryBudget::of_process()};
  HttpCache cache_;
};

}  // namespace

const runtime::RoleType& role_type() {
  static const runtime::RoleType type{
      kComponent,
      [](config::Schema& schema) { schema.add(http_cache_section(), config::Presence::optional); },
      [](const config::Settings& settings, runtime::Services& services) -> std::unique_ptr<runtime::Role> {
        return std::make_unique<HttpCacheRole>(settings, services);
      },
      false,
  };
  return type;
}

}  // namespace tribune::http_cache
