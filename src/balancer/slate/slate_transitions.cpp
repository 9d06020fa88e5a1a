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

std::optional<std::int64_t> number(std::string_view text) { return contracts::read_decimal(text); }

std::optional<SlateTime> time_from_text(std::string_view text) {
  const auto parts = contracts::split_exactly<2>(text, ' ');
  const auto time = parts ? number((*parts)[0]) : std::nullopt;
  const auto ahead = parts ? number((*parts)[1]) : std::nullopt;
  if (!time || !ahead) return std::nullopt;
  return SlateTime{base::WallTime{std::chrono::milliseconds{*time}}, std::chrono::milliseconds{*ahead}};
}

std::optional<contracts::SessionId> session_of(std::string_view name) {
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
  const auto& turn = record.turn;
  return fmt::format("1 {} {} {} {} {}", turn.slot, turn.msn, turn.discontinuity, turn.programme_discontinuity,
                     record.links == contracts::LinksMode::direct ? "direct" : "redirect");
}

std::optional<SlateTransitionRecord> turn_from_text(std::string_view text) {
  const auto parts = contracts::split_exactly<6>(text, ' ');
  if (!parts || (*parts)[0] != "1") return std::nullopt;
  const auto slot = number((*parts)[1]), msn = number((*parts)[2]), discontinuity = number((*parts)[3]),
             programme = number((*parts)[4]);
  if (!slot || !msn || !discontinuity || !programme) return std::nullopt;
  return SlateTransitionRecord{{*slot, *msn, *discontinuity, *programme},
                               (*parts)[5] == "direct" ? contracts::LinksMode::direct : contracts::LinksMode::redirect};
}

SlateTransitions::SlateTransitions(const base::Clock& clock, base::Metrics& metrics, std::size_t most)
    : clock_(clock),
      most_in_shard_(std::max<std::size_t>(1, most / base::Sharded<Shard>::size())),
      given_up_(metrics.counter("tribune_balancer_turns_given_up_total",
                                "Viewers whose way through the waiting room was forgotten early, the least recently "
                                "seen first, because as many as may be are known.")) {}

base::Result<std::optional<SlateTime>> SlateTransitions::load(store::Store& store) {
  store_ = &store;
  const auto now = clock_.steady_now();
  std::optional<SlateTime> reached;
  const auto scanned = store.scan(kTurnsTable, [&](std::string_view key, std::string_view value) {
    if (key == kTimeKey) {
      reached = time_from_text(value);
      return true;
    }
    const auto id = session_of(key);
    const auto record = turn_from_text(value);
    if (!id || !record) {
      store.erase(kTurnsTable, std::string(key));
      return true;
    }
    auto& shard = shards_.of(*id);
    const std::lock_guard lock(shard.mutex);
    shard.turns.try_emplace(*id, Entry{*record, std::make_shared<std::atomic<bool>>(true), now});
    make_room(shard);
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return reached;
}

std::optional<SlateTransitions::Found> SlateTransitions::find(contracts::SessionId id) {
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  auto* found = shard.turns.find(id);
  if (!found) return std::nullopt;
  found->seen = clock_.steady_now();
  return Found{found->record, found->saved->load()};
}

void SlateTransitions::make_room(Shard& shard) {
  while (shard.turns.size() > most_in_shard_) {
    const contracts::SessionId id = shard.turns.oldest()->first;
    shard.turns.erase(id);
    if (store_) store_->erase(kTurnsTable, contracts::session_name(id));
    given_up_.add();
  }
}

SlateTransitions::Found SlateTransitions::begin(contracts::SessionId id, const SlateTransitionRecord& record) {
  auto saved = std::make_shared<std::atomic<bool>>(store_ == nullptr);
  auto& shard = shards_.of(id);
  {
    const std::lock_guard lock(shard.mutex);
    const auto [entry, is_new] = shard.turns.try_emplace(id, Entry{record, saved, clock_.steady_now()});
    if (!is_new) return Found{entry.record, entry.saved->load()};
    make_room(shard);
  }
  // A disk that fails costs those who are called now their place in the numbering at a restart, not their place in the
  // event.
  if (store_)
    store_->put(kTurnsTable, contracts::session_name(id), to_text(record), [saved](base::Status) { *saved = true; });
  return Found{record, saved->load()};
}

void SlateTransitions::sweep(const SlateTime& time) {
  const auto now = clock_.steady_now();
  std::vector<contracts::SessionId> gone;
  for (std::size_t i = 0; i < kSweptAtOnce; ++i) {
    auto& shard = shards_[swept_++];
    const std::lock_guard lock(shard.mutex);
    while (const auto* oldest = shard.turns.oldest()) {  // those seen last stand last
      if (now - oldest->second.seen < kForgetTurnAfter) break;
      gone.push_back(oldest->first);
      shard.turns.erase(contracts::SessionId{oldest->first});
    }
  }
  if (!store_) return;
  for (const auto id : gone) store_->erase(kTurnsTable, contracts::session_name(id));
  if (noted_ && now - *noted_ < kNoteTimeEvery) return;
  noted_ = now;
  store_->put(kTurnsTable, std::string(kTimeKey),
              fmt::format("{} {}", contracts::unix_ms(time.time), time.ahead.count()));
}

std::size_t SlateTransitions::size() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.turns.size();
  }
  return sum;
}

}  // namespace tribune::balancer
