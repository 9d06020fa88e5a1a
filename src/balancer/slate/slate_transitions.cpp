#include "balancer/slate/slate_transitions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/sharded.h"
#include "contracts/canonical.h"

namespace tribune::balancer {
namespace {

constexpr std::string_view kTimeKey = "time";

std::optional<std::int64_t> decimal(std::string_view text) { return contracts::read_decimal(text); }

std::optional<SlateTime> time_from_text(std::string_view text) {
  const auto parts = contracts::split_exactly<2>(text, ' ');
  const auto time = parts ? decimal((*parts)[0]) : std::nullopt;
  const auto ahead = parts ? decimal((*parts)[1]) : std::nullopt;
  if (!time || !ahead) return std::nullopt;
  return SlateTime{base::WallTime{std::chrono::milliseconds{*time}}, std::chrono::milliseconds{*ahead}};
}

std::optional<contracts::SessionId> session_of_key(std::string_view name) {
  if (name.size() != 16) return std::nullopt;
  contracts::SessionId id = 0;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'a' && c <= 'f')) return std::nullopt;
    id = id << 4 | static_cast<contracts::SessionId>(digit ? c - '0' : c - 'a' + 10);
  }
  return id;
}

}  // namespace

std::string to_text(const SlateTransitionRecord& record) {
  const auto& transition = record.transition;
  return fmt::format("1 {} {} {} {} {}", transition.slot, transition.msn, transition.discontinuity,
                     transition.programme_discontinuity,
                     record.links == contracts::LinksMode::direct ? "direct" : "redirect");
}

std::optional<SlateTransitionRecord> transition_from_text(std::string_view text) {
  const auto parts = contracts::split_exactly<6>(text, ' ');
  if (!parts || (*parts)[0] != "1") return std::nullopt;
  const auto slot = decimal((*parts)[1]), msn = decimal((*parts)[2]), discontinuity = decimal((*parts)[3]),
             programme = decimal((*parts)[4]);
  if (!slot || !msn || !discontinuity || !programme) return std::nullopt;
  return SlateTransitionRecord{{*slot, *msn, *discontinuity, *programme},
                               (*parts)[5] == "direct" ? contracts::LinksMode::direct : contracts::LinksMode::redirect};
}

SlateTransitions::SlateTransitions(const base::Clock& clock, base::Metrics& metrics, std::size_t most)
    : clock_(clock),
      max_in_shard_(std::max<std::size_t>(1, most / base::Sharded<Shard>::size())),
      evicted_(metrics.counter("tribune_balancer_turns_given_up_total",
                               "Viewers whose transition from the waiting room was evicted, least recently seen first, "
                               "because the maximum number is known.")) {}

base::Result<std::optional<SlateTime>> SlateTransitions::load(store::Store& store) {
  store_ = &store;
  const auto now = clock_.steady_now();
  std::optional<SlateTime> reached;
  const auto scanned = store.scan(kTransitionsTable, [&](std::string_view key, std::string_view value) {
    if (key == kTimeKey) {
      reached = time_from_text(value);
      return true;
    }
    const auto id = session_of_key(key);
    const auto record = transition_from_text(value);
    if (!id || !record) {
      store.erase(kTransitionsTable, std::string(key));
      return true;
    }
    auto& shard = shards_.of(*id);
    const std::lock_guard lock(shard.mutex);
    shard.transitions.try_emplace(*id, Entry{*record, std::make_shared<std::atomic<bool>>(true), now});
    evict_oldest(shard);
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return reached;
}

std::optional<SlateTransitions::Found> SlateTransitions::find(contracts::SessionId id) {
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  auto* found = shard.transitions.find(id);
  if (!found) return std::nullopt;
  found->seen = clock_.steady_now();
  return Found{found->record, found->saved->load()};
}

void SlateTransitions::evict_oldest(Shard& shard) {
  while (shard.transitions.size() > max_in_shard_) {
    const contracts::SessionId id = shard.transitions.oldest()->first;
    shard.transitions.erase(id);
    if (store_) store_->erase(kTransitionsTable, contracts::session_name(id));
    evicted_.add();
  }
}

SlateTransitions::Found SlateTransitions::begin(contracts::SessionId id, const SlateTransitionRecord& record) {
  auto saved = std::make_shared<std::atomic<bool>>(store_ == nullptr);
  auto& shard = shards_.of(id);
  {
    const std::lock_guard lock(shard.mutex);
    const auto [entry, is_new] = shard.transitions.try_emplace(id, Entry{record, saved, clock_.steady_now()});
    if (!is_new) return Found{entry.record, entry.saved->load()};
    evict_oldest(shard);
  }
  // When the write fails, a viewer whose ticket is called now loses its numbering at a restart, but not its session.
  if (store_)
    store_->put(kTransitionsTable, contracts::session_name(id), to_text(record),
                [saved](base::Status) { *saved = true; });
  return Found{record, saved->load()};
}

void SlateTransitions::sweep(const SlateTime& time) {
  const auto now = clock_.steady_now();
  std::vector<contracts::SessionId> gone;
  for (std::size_t i = 0; i < kSweptAtOnce; ++i) {
    auto& shard = shards_[swept_++];
    const std::lock_guard lock(shard.mutex);
    while (const auto* oldest = shard.transitions.oldest()) {  // the most recently seen last
      if (now - oldest->second.seen < kTransitionLifetime) break;
      gone.push_back(oldest->first);
      shard.transitions.erase(contracts::SessionId{oldest->first});
    }
  }
  if (!store_) return;
  for (const auto id : gone) store_->erase(kTransitionsTable, contracts::session_name(id));
  if (time_saved_at_ && now - *time_saved_at_ < kSlateTimeSavePeriod) return;
  time_saved_at_ = now;
  store_->put(kTransitionsTable, std::string(kTimeKey),
              fmt::format("{} {}", contracts::unix_ms(time.time), time.ahead.count()));
}

std::size_t SlateTransitions::size() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.transitions.size();
  }
  return sum;
}

}  // namespace tribune::balancer
