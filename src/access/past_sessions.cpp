#include "access/past_sessions.h"

#include <charconv>
#include <optional>
#include <utility>

namespace tribune::access {
namespace {

/// Entries are kept for this many additional seconds, so that a clock that is stepped for a short time reopens no
/// session.
constexpr std::int64_t kSlack = 3'600;
constexpr std::int64_t kLatest = 1'000'000'000'000;
constexpr int kMaxSweptPerCall = 5'000;

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value > kLatest) return std::nullopt;
  return value;
}

}  // namespace

std::string table_key(SessionId id) {
  std::string key(8, '\0');
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>(id >> (56 - 8 * i) & 0xff);
  return key;
}

SessionId session_from_key(std::string_view key) {
  if (key.size() != 8) return 0;
  SessionId id = 0;
  for (const char c : key) id = id << 8 | static_cast<unsigned char>(c);
  return id;
}

PastSessions::PastSessions(base::Metrics& metrics, std::size_t most)
    : most_(most),
      known_(metrics.gauge(
          "tribune_access_past_sessions",
          "Ended sessions that are remembered, so that their tokens are refused (stopped) or accepted again (lapsed).",
          {})),
      dropped_(metrics.counter("tribune_access_past_sessions_dropped_total",
                               "Ended sessions that were forgotten early because the maximum number was remembered.")) {
}

base::Status PastSessions::load(store::Store& store, std::int64_t now) {
  std::vector<std::string> useless;
  auto scanned = store.scan(kPastTable, [&](std::string_view key, std::string_view value) {
    const auto id = session_from_key(key);
    const auto until = value.size() > 2 && value[1] == ' ' ? number(value.substr(2)) : std::nullopt;
    const bool is_known = value.starts_with('e') || value.starts_with('a');
    const bool is_useful = id != 0 && until && is_known && *until + kSlack > now;
    if (!is_useful || !add(id, {value[0] == 'e' ? Kind::ended : Kind::lapsed, *until})) useless.emplace_back(key);
    return true;
  });
  if (!scanned) return scanned;
  store_ = &store;
  for (auto& key : useless) store.erase(kPastTable, std::move(key));
  publish_size();
  return {};
}

void PastSessions::add_ended(SessionId id, std::int64_t until) {
  const Entry entry{Kind::ended, until};
  if (add(id, entry)) write(id, entry);
  publish_size();
}

void PastSessions::add_lapsed(SessionId id, std::int64_t until) {
  const Entry entry{Kind::lapsed, until};
  if (!is_ended(id) && add(id, entry)) write(id, entry);
  publish_size();
}

void PastSessions::remove(SessionId id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  by_end_.erase({found->second.until, id});
  entries_.erase(found);
  if (store_) store_->erase(kPastTable, table_key(id));
  publish_size();
}

bool PastSessions::is_ended(SessionId id) const {
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.kind == Kind::ended;
}

bool PastSessions::is_lapsed(SessionId id, std::int64_t now) const {
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.kind == Kind::lapsed && now <= found->second.until;
}

void PastSessions::sweep(std::int64_t now) {
  for (int n = 0; n < kMaxSweptPerCall && !by_end_.empty() && by_end_.begin()->first + kSlack <= now; ++n)
    remove_first();
  publish_size();
}

/// False at the bound, when all other entries end later.
bool PastSessions::add(SessionId id, Entry entry) {
  if (const auto known = entries_.find(id); known != entries_.end()) {
    by_end_.erase({known->second.until, id});
  } else if (entries_.size() >= most_) {
    dropped_.add();
    if (by_end_.empty() || by_end_.begin()->first >= entry.until) return false;
    remove_first();
  }
  entries_.insert_or_assign(id, entry);
  by_end_.emplace(entry.until, id);
  return true;
}

void PastSessions::remove_first() {
  const auto id = by_end_.begin()->second;
  by_end_.erase(by_end_.begin());
  entries_.erase(id);
  if (store_) store_->erase(kPastTable, table_key(id));
}

void PastSessions::write(SessionId id, const Entry& entry) {
  if (!store_) return;
  store_->put(kPastTable, table_key(id),
              std::string(entry.kind == Kind::ended ? "e " : "a ") + std::to_string(entry.until));
}

void PastSessions::publish_size() { known_.set(static_cast<double>(entries_.size())); }

}  // namespace tribune::access
