#include "cache_node/filling/known_purges.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/text_file.h"

namespace tribune::cache_node {
namespace {

namespace json = base::json;
using By = contracts::PurgeOrder::By;

constexpr auto kUnreportedLogPeriod = std::chrono::minutes(5);

/// The name of a purge. Of purges with equal names, the newest replaces the others.
std::string name_of(const contracts::NamedPurge& purge) {
  return std::string(contracts::order_name(purge.id).issuer) + ";" + std::string(contracts::to_string(purge.order.by)) +
         (purge.order.soft ? ";s;" : ";h;") + purge.order.value;
}

std::int64_t number_of(const contracts::NamedPurge& purge) { return contracts::order_name(purge.id).number; }

}  // namespace

KnownPurges::KnownPurges(const base::Clock& clock, base::Log& log, base::Metrics& metrics)
    : clock_(clock),
      log_(log),
      forgotten_(metrics.counter("tribune_cache_purges_forgotten_total",
                                 "Purges of the last hour that were dropped because the list was full; requests to "
                                 "other nodes do not list them.")),
      unreported_(metrics.counter(
          "tribune_cache_purges_untold_total",
          "Fills that skipped the other nodes because more purges cover their object than a request can list.")) {}

const KnownPurges::Entry* KnownPurges::find(const contracts::NamedPurge& purge) const {
  const auto found = by_name_.find(name_of(purge));
  if (found == by_name_.end() || number_of(found->second->purge) < number_of(purge)) return nullptr;
  return &*found->second;
}

KnownPurges::Status KnownPurges::status(const contracts::NamedPurge& purge) const {
  const std::lock_guard lock(mutex_);
  const auto* entry = find(purge);
  return entry ? entry->status : Status::unknown;
}

std::uint64_t KnownPurges::taken(const contracts::NamedPurge& purge) const {
  const std::lock_guard lock(mutex_);
  const auto* entry = find(purge);
  return entry ? entry->taken : 0;
}

/// The time at which the purge began. It may be before the start of the steady clock.
base::SteadyTime KnownPurges::begun_of(const contracts::NamedPurge& purge) const {
  return clock_.steady_now() - std::clamp<std::chrono::nanoseconds>(purge.age, std::chrono::seconds(0), kRemembered);
}

/// Rounded up: a purge must not become younger on its way from node to node.
std::chrono::seconds KnownPurges::age_of(const Entry& entry) const {
  return std::max(std::chrono::ceil<std::chrono::seconds>(clock_.steady_now() - entry.begun), std::chrono::seconds(0));
}

void KnownPurges::begin(const contracts::NamedPurge& purge) {
  const std::lock_guard lock(mutex_);
  auto begun = begun_of(purge);
  const auto found = by_name_.find(name_of(purge));
  if (found != by_name_.end()) {
    const auto known = number_of(found->second->purge);
    if (known > number_of(purge)) return;
    if (known == number_of(purge)) begun = std::min(begun, found->second->begun);
    forget(found->second);
  }
  add({purge, Status::running, 0, begun});
}

/// Null when a newer one is running.
KnownPurges::Entry* KnownPurges::find_exactly(const contracts::NamedPurge& purge) {
  const auto found = by_name_.find(name_of(purge));
  return found == by_name_.end() || number_of(found->second->purge) != number_of(purge) ? nullptr : &*found->second;
}

void KnownPurges::end(const contracts::NamedPurge& purge, std::uint64_t taken) {
  const std::lock_guard lock(mutex_);
  auto* entry = find_exactly(purge);
  if (!entry) return;
  entry->status = Status::done;
  entry->taken = taken;
}

void KnownPurges::fail(const contracts::NamedPurge& purge) {
  const std::lock_guard lock(mutex_);
  if (auto* entry = find_exactly(purge)) entry->status = Status::pending;
}

KnownPurges::ByValue& KnownPurges::table(By by) {
  switch (by) {
    case By::url: return urls_;
    case By::prefix: return prefixes_;
    case By::channel: return channels_;
    case By::tag:
    case By::all: break;  // not recorded (OrdersHandler)
  }
  return tags_;
}

void KnownPurges::add(Entry entry) {
  forget_old();
  if (entries_.size() >= kMost) {
    forgotten_.add();
    forget(entries_.begin());
  }
  auto place = entries_.end();
  while (place != entries_.begin() && std::prev(place)->begun > entry.begun) --place;
  const auto at = entries_.insert(place, std::move(entry));
  const auto& order = at->purge.order;
  by_name_[name_of(at->purge)] = at;
  table(order.by).emplace(order.value, at);
  if (order.by == By::prefix) ++prefix_lengths_[order.value.size()];
  count_ = entries_.size();
}

void KnownPurges::forget_old() {
  const auto now = clock_.steady_now();
  while (!entries_.empty() && now - entries_.front().begun > kRemembered) forget(entries_.begin());
}

void KnownPurges::forget(At at) {
  const auto& order = at->purge.order;
  auto& values = table(order.by);
  const auto [begin, end] = values.equal_range(order.value);
  const auto place = std::find_if(begin, end, [&](const auto& one) { return one.second == at; });
  if (place != end) values.erase(place);
  if (order.by == By::prefix)
    if (const auto length = prefix_lengths_.find(order.value.size()); --length->second == 0)
      prefix_lengths_.erase(length);
  by_name_.erase(name_of(at->purge));
  entries_.erase(at);
  count_ = entries_.size();
}

/// False when it does not fit.
bool KnownPurges::add_mark(Covering& covering, const Entry& entry, std::size_t& count) const {
  const auto mark = contracts::purge_mark({entry.purge.id, entry.purge.order, age_of(entry)});
  if (++count > contracts::kMaxPurgeMarks || covering.marks.size() + 1 + mark.size() > contracts::kMaxPurgeMarkBytes) {
    covering.exceeds_limit = true;
    return false;
  }
  if (!covering.marks.empty()) covering.marks += ' ';
  covering.marks += mark;
  return true;
}

bool KnownPurges::add_marks(Covering& covering, const ByValue& table, const std::string& value,
                            std::size_t& count) const {
  const auto [begin, end] = table.equal_range(value);
  return std::all_of(begin, end, [&](const auto& one) { return add_mark(covering, *one.second, count); });
}

KnownPurges::Covering KnownPurges::covering(std::string_view key_text) {
  if (count_ == 0) return {};
  const std::string text(key_text.substr(0, key_text.find('#')));  // the object's own text, without slice and variant
  const std::lock_guard lock(mutex_);
  forget_old();
  auto covering = collect(text);
  if (covering.exceeds_limit) log_limit();
  return covering;
}

/// Counts each fill; logs at intervals.
void KnownPurges::log_limit() {
  unreported_.add();
  const auto now = clock_.steady_now();
  if (unreported_logged_ && now - *unreported_logged_ < kUnreportedLogPeriod) return;
  unreported_logged_ = now;
  log_.warning("cache_node", "purges_too_many_to_tell",
               {{"purges", entries_.size()}, {"tags", tags_.size()}, {"told_at_most", contracts::kMaxPurgeMarks}});
}

KnownPurges::Covering KnownPurges::collect(const std::string& text) const {
  Covering covering;
  std::size_t count = 0;
  if (!add_marks(covering, urls_, text, count) ||
      !add_marks(covering, channels_, text.substr(0, text.find('/')), count))
    return covering;
  for (const auto& [length, how_many] : prefix_lengths_)
    if (length <= text.size() && !add_marks(covering, prefixes_, text.substr(0, length), count)) return covering;
  for (const auto& [tag, at] : tags_)
    if (!add_mark(covering, *at, count)) return covering;
  return covering;
}

void KnownPurges::load(std::string path) {
  path_ = std::move(path);
  std::ifstream file(path_, std::ios::binary);
  if (!file) return;
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto value = json::parse(text, {.max_bytes = 64 << 20});
  const auto* purges = value && value->is(json::Kind::object) ? value->find("purges") : nullptr;
  if (!purges || !purges->is(json::Kind::array))
    return log_.warning("cache_node", "known_purges_damaged", {{"file", path_}});
  const std::lock_guard lock(mutex_);
  for (const auto& one : purges->array)
    if (one.is(json::Kind::object)) load(one);
}

/// Skips purges that are older than an hour, and those without a time.
void KnownPurges::load(const json::Value& one) {
  const auto* inner = one.find("order");
  const auto* begun = one.find("begun");
  if (!inner || !begun || !begun->is(json::Kind::integer)) return;
  const auto order = contracts::order_from_value(*inner);
  const auto* purge = order ? std::get_if<contracts::PurgeOrder>(&*order) : nullptr;
  const auto id = one.text("id").value_or("");
  const auto now = base::unix_seconds(clock_.wall_now());
  const auto oldest = now - std::chrono::seconds(kRemembered).count();
  if (!purge || id.empty() || begun->integer < oldest) return;
  // A time in the future comes from a clock that was set back: the purge gets the greatest possible age.
  contracts::NamedPurge named{std::string(id), *purge, std::chrono::seconds(now - std::min(begun->integer, now))};
  if (by_name_.contains(name_of(named))) return;
  const auto when = begun_of(named);
  add({std::move(named), one.flag("done").value_or(false) ? Status::done : Status::pending, 0, when});
}

void KnownPurges::save() const {
  if (path_.empty()) return;
  const auto now = base::unix_seconds(clock_.wall_now());
  json::Writer w;
  w.begin_object().key("purges").begin_array();
  {
    const std::lock_guard lock(mutex_);
    auto at = entries_.begin();
    if (entries_.size() > kMostKept) std::advance(at, entries_.size() - kMostKept);
    for (; at != entries_.end(); ++at) {
      w.begin_object()
          .member("id", at->purge.id)
          .member("done", at->status == Status::done)
          .member("begun", now - age_of(*at).count())
          .key("order")
          .begin_object();
      contracts::write_members(w, at->purge.order);
      w.end_object().end_object();
    }
  }
  if (const auto kept = base::replace_file(path_, w.end_array().end_object().take()); !kept)
    log_.warning("cache_node", "known_purges_not_kept", {{"error", kept.error().text}});
}

}  // namespace tribune::cache_node
