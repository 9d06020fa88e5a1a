#include "access/admitted_sessions.h"

#include <algorithm>
#include <cstring>

#include "base/ids.h"

namespace tribune::access {
namespace {

constexpr std::size_t kSettledAtOnce = 5'000;
constexpr std::chrono::seconds kAddressLogInterval{10};

std::string_view id_of(const Scope* scope) { return scope ? std::string_view(scope->id) : ""; }

void add_young(const ScopeSet& scopes, std::int64_t kbps) {
  scopes.each([&](Scope& scope) { scope.young_kbps += kbps; });
}

}  // namespace

AdmittedSessions::AdmittedSessions(const base::Clock& clock, base::Log& log, base::Metrics& metrics,
                                   const AccessSettings& settings, std::size_t max_past, Sessions& sessions,
                                   Capacity& capacity, AccessStore& store)
    : clock_(clock),
      log_(log),
      settings_(settings),
      sessions_(sessions),
      capacity_(capacity),
      store_(store),
      past_(metrics, max_past),
      address_full_(metrics.counter("tribune_access_address_full_total",
                                    "New viewers and returning sessions that were refused because their address had "
                                    "max_sessions_per_address sessions.")) {}

SessionId AdmittedSessions::new_id() {
  for (;;) {
    if (random_ids_.empty()) {
      const auto bytes = base::random_bytes(256 * sizeof(SessionId));
      random_ids_.resize(256);
      std::memcpy(random_ids_.data(), bytes.data(), bytes.size());
    }
    const auto id = random_ids_.back();
    random_ids_.pop_back();
    if (id != 0 && !counted_.contains(id)) return id;
  }
}

bool AdmittedSessions::open(SessionId id, const Visitor& visitor, const ScopeSet& scopes, std::int64_t kbps,
                            std::chrono::milliseconds idle) {
  if (!sessions_.insert(id, visitor.channel, idle)) return false;
  save(id, count(id, visitor, scopes, kbps, idle));
  log_change("session_opened", scopes);
  return true;
}

Sessions::Renewal AdmittedSessions::adopt(SessionId id, const Visitor& visitor, const ScopeSet& scopes,
                                          std::int64_t kbps, std::chrono::milliseconds idle) {
  const auto renewal = sessions_.renew(id, visitor.channel, idle);
  if (renewal != Sessions::Renewal::adopted) return renewal;
  save(id, count(id, visitor, scopes, kbps, idle));
  log_change("session_adopted", scopes);
  return renewal;
}

bool AdmittedSessions::restore(SessionId id, const SessionRecord& record, Scope* channel) {
  const auto rest = std::max<std::chrono::milliseconds>(settings_.restart_grace, rest_of(record, unix_now()));
  if (!sessions_.insert(id, record.channel, rest)) return false;
  auto& scopes = capacity_.scopes();
  const auto set = capacity_.scopes_at(
      channel, {scopes.at(ScopeKind::group, record.group), scopes.at(ScopeKind::node, record.node)});
  const Visitor visitor{
      .channel = record.channel, .account = record.account, .device = record.device, .opened = record.opened};
  auto& counted = count(id, visitor, set, record.kbps, std::chrono::seconds{record.idle_seconds});
  counted.client = record.client;
  addresses_.add(record.client);
  counted.until = record.until;
  log_change("session_adopted", set);
  return true;
}

base::Status AdmittedSessions::load_past(store::Store& store) { return past_.load(store, unix_now()); }

AdmittedSessions::Counted& AdmittedSessions::count(SessionId id, const Visitor& visitor, const ScopeSet& scopes,
                                                   std::int64_t kbps, std::chrono::milliseconds idle) {
  uncount(id);
  past_.remove(id);
  Counted counted{.scopes = scopes, .kbps = kbps, .opened = visitor.opened, .client = client_hash(visitor)};
  counted.set_deadline(idle, unix_now());
  if (!visitor.account.empty()) counted.account = accounts_.add(visitor.account, id, visitor.device, visitor.opened);
  scopes.each([&](Scope& scope) {
    ++scope.sessions;
    scope.predicted_kbps += kbps;
  });
  add_young(scopes, kbps);
  addresses_.add(counted.client);
  young_.emplace_back(clock_.steady_now() + settings_.traffic_settles, id);
  return counted_.emplace(id, counted).first->second;
}

void AdmittedSessions::uncount(SessionId id) {
  const auto found = counted_.find(id);
  if (found == counted_.end()) return;
  const auto counted = found->second;
  counted.scopes.each([&](Scope& scope) {
    --scope.sessions;
    scope.predicted_kbps -= counted.kbps;
  });
  if (counted.is_young) add_young(counted.scopes, -counted.kbps);
  if (counted.account) accounts_.remove(counted.account, id);
  addresses_.remove(counted.client);
  counted_.erase(found);
  store_.erase_session(id);
  log_change("session_released", counted.scopes);
  capacity_.mark_changed();
}

/// Writes the session's record. It is written again after a move or for a later deadline, but not for each renewal.
void AdmittedSessions::save(SessionId id, const Counted& counted) {
  if (!store_.is_attached()) return;
  SessionRecord record{.channel = counted.scopes.channel->id,
                       .group = std::string(id_of(counted.scopes.group)),
                       .node = std::string(id_of(counted.scopes.node)),
                       .account = {},
                       .device = {},
                       .opened = counted.opened,
                       .until = counted.until,
                       .idle_seconds = counted.idle_seconds,
                       .kbps = counted.kbps,
                       .client = counted.client};
  if (counted.account) {
    record.account = counted.account->first;
    for (const auto& device : counted.account->second.devices)
      if (device.session == id) record.device = device.name;
  }
  store_.save_session(id, record);
}

void AdmittedSessions::save_failed() {
  for (const auto id : store_.take_failed())
    if (const auto found = counted_.find(id); found != counted_.end()) save(id, found->second);
}

void AdmittedSessions::Counted::set_deadline(std::chrono::milliseconds idle, std::int64_t now) {
  idle_seconds = std::chrono::ceil<std::chrono::seconds>(idle).count();
  until = now + idle_seconds;
}

void AdmittedSessions::save_deadline(SessionId id, std::chrono::milliseconds idle) {
  const auto found = counted_.find(id);
  if (found == counted_.end()) return;
  found->second.set_deadline(idle, unix_now());
  save(id, found->second);
}

bool AdmittedSessions::shorten(SessionId id, std::chrono::milliseconds rest) {
  const auto found = counted_.find(id);
  const bool was_long = found != counted_.end() && std::chrono::seconds{found->second.idle_seconds} > kLongIdle;
  const bool is_known = sessions_.shorten(id, rest);
  if (is_known && was_long) save_deadline(id, rest);
  return is_known;
}

void AdmittedSessions::lapse(SessionId id) {
  const auto found = counted_.find(id);
  if (found == counted_.end()) return;
  const auto now = unix_now();
  const auto opened = found->second.opened;
  if (opened > 0 && now - opened > lifetime_seconds() / 2) past_.add_lapsed(id, now + lifetime_seconds() / 2);
  uncount(id);
}

void AdmittedSessions::end(SessionId id) {
  discard(id);
  past_.add_ended(id, unix_now() + lifetime_seconds());
}

void AdmittedSessions::discard(SessionId id) {
  sessions_.release(id);
  uncount(id);
}

bool AdmittedSessions::move(SessionId id, const NodeScopes& to, bool must) {
  const auto found = counted_.find(id);
  if (found == counted_.end()) return true;
  auto& counted = found->second;
  auto& from = counted.scopes;
  const auto has_capacity = [&](const Scope* scope, const Scope* now) {
    return !scope || scope == now || (!scope->is_contested && scope->has_capacity(counted.kbps));
  };
  if (!must && !(has_capacity(to.group, from.group) && has_capacity(to.node, from.node))) return false;
  const auto add = [&](Scope* scope, int by) {
    if (!scope) return;
    scope->sessions += by;
    scope->predicted_kbps += by * counted.kbps;
    if (counted.is_young) scope->young_kbps += by * counted.kbps;
  };
  const bool has_moved = from.group != to.group || from.node != to.node;
  add(from.group, -1);
  add(from.node, -1);
  from.group = to.group;
  from.node = to.node;
  add(from.group, 1);
  add(from.node, 1);
  if (has_moved) save(id, counted);
  capacity_.mark_changed();
  return true;
}

bool AdmittedSessions::is_expired(SessionId id, std::int64_t issued) const {
  const auto now = unix_now();
  return issued > 0 && now - issued > lifetime_seconds() && !past_.is_lapsed(id, now);
}

const WatchingAccount* AdmittedSessions::full_account(const Visitor& visitor) const {
  return accounts_.full(visitor.account, capacity_.limits().max_sessions_per_account);
}

bool AdmittedSessions::is_account_incomplete(const Visitor& visitor) const {
  return !visitor.account.empty() && capacity_.limits().max_sessions_per_account && capacity_.is_in_grace();
}

bool AdmittedSessions::is_address_full(const Visitor& visitor, const WatchingAccount* replaced) {
  const auto client = client_hash(visitor);
  if (settings_.max_sessions_per_address == kNoLimit || client == 0) return false;
  auto sessions_there = addresses_.of(client);
  if (replaced && !replaced->devices.empty() && counted_.at(replaced->devices.front().session).client == client)
    --sessions_there;
  if (sessions_there < settings_.max_sessions_per_address) return false;
  address_full_.add();
  const auto now = clock_.steady_now();
  if (!address_full_logged_ || now - *address_full_logged_ >= kAddressLogInterval) {
    address_full_logged_ = now;
    log_.warning("access", "address_full", {{"client", visitor.client}, {"sessions", sessions_there}});
  }
  return true;
}

void AdmittedSessions::settle_traffic() {
  const auto now = clock_.steady_now();
  for (std::size_t n = 0; n < kSettledAtOnce && !young_.empty() && young_.front().first <= now; ++n) {
    const auto found = counted_.find(young_.front().second);
    young_.pop_front();
    if (found == counted_.end() || !found->second.is_young) continue;
    found->second.is_young = false;
    add_young(found->second.scopes, -found->second.kbps);
  }
}

void AdmittedSessions::sweep_past() { past_.sweep(unix_now()); }

/// Logs each change of the number of sessions at level "debug", with the limits.
void AdmittedSessions::log_change(std::string_view event, const ScopeSet& scopes) {
  if (!log_.wants(base::LogLevel::debug)) return;
  const auto& all = *scopes.global;
  log_.debug("access", event,
             {{"channel", scopes.channel->id},
              {"sessions", all.sessions},
              {"limit", all.limit.max_sessions.value_or(kNoLimit)},
              {"kept", all.reserved},
              {"channel_sessions", scopes.channel->sessions},
              {"channel_limit", scopes.channel->limit.max_sessions.value_or(kNoLimit)},
              {"node", id_of(scopes.node)}});
}

}  // namespace tribune::access
