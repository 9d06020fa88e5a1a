#include "balancer/sessions/session_pins.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/hash.h"
#include "contracts/canonical.h"
#include "contracts/token.h"

namespace tribune::balancer {
namespace {

using Address = std::shared_ptr<const NodeAddress>;

const Address kNoNode;  // redirect links

bool is_same(const Address& a, const Address& b) { return a == b || (a && b && a->id == b->id && a->url == b->url); }

/// Whether a pin's address is no longer served: its node is down, has another address, or was removed.
bool is_gone(const NodeAddress& address, const NodeTable& nodes) {
  const auto* state = nodes.find(address.id);
  return !state || state->condition == NodeCondition::down || state->address->url != address.url;
}

/// Merges adjacent pins of one node.
void merge(std::vector<Pin>& pins) {
  const auto end =
      std::unique(pins.begin(), pins.end(), [](const Pin& a, const Pin& b) { return is_same(a.node, b.node); });
  pins.erase(end, pins.end());
}

/// The result of a change to another node.
enum class Switch { none, done, full };

/// The last pin is reserved for one without node, which covers everything after it.
Switch switch_to(std::vector<Pin>& pins, const Address& chosen, std::int64_t from) {
  if (!pins.empty() && is_same(pins.back().node, chosen)) return Switch::none;
  // A pin from the same MSN has listed nothing yet.
  const auto before = pins.size();
  while (!pins.empty() && pins.back().first_msn >= from) pins.pop_back();
  const bool is_full = pins.size() + 1 >= kMaxPins;
  const auto& next = is_full ? kNoNode : chosen;
  if (!pins.empty() && is_same(pins.back().node, next)) return pins.size() == before ? Switch::none : Switch::done;
  pins.push_back({from, next});
  return is_full ? Switch::full : Switch::done;
}

/// Returns whether anything changed.
bool replace_gone(std::vector<Pin>& pins, const NodeTable& nodes, const Address& chosen) {
  bool changed = false;
  for (auto& pin : pins) {
    if (!pin.node || !is_gone(*pin.node, nodes) || is_same(pin.node, chosen)) continue;
    pin.node = chosen;
    changed = true;
  }
  if (changed) merge(pins);
  return changed;
}

void drop_passed(std::vector<Pin>& pins, std::int64_t first_listed) {
  std::size_t passed = 0;
  while (passed + 1 < pins.size() && pins[passed + 1].first_msn <= first_listed) ++passed;
  pins.erase(pins.begin(), pins.begin() + static_cast<std::ptrdiff_t>(passed));
}

LinkPins effective(const std::vector<Pin>& pins, const Window& window) {
  LinkPins links;
  for (const auto& pin : pins) {
    if (!links.empty() && pin.first_msn >= window.next_msn) break;
    if (pin.first_msn <= window.first_msn) links.clear();
    links.push_back({links.empty() ? 0 : pin.first_msn, pin.node ? pin.node->url : std::string()});
  }
  return links;
}

std::optional<access::SessionId> session_of(std::string_view name) {
  access::SessionId id = 0;
  const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), id, 16);
  return wrong == std::errc{} && end == name.data() + name.size() && name.size() == 16 ? std::optional(id)
                                                                                       : std::nullopt;
}

/// Whether the playlist is held so much longer than the record states that the record is written again.
bool is_much_longer(std::chrono::seconds held, std::chrono::seconds written) { return held > written + written / 4; }

/// How far an unseen rendition may be ahead of the first one that is requested after a restart.
constexpr std::int64_t kUnseenLag = 1;

}  // namespace

std::string to_text(const PinRecord& record) {
  auto text = fmt::format("2 {} c:{}", record.held.count(), record.preferred);
  for (const auto& pin : record.pins)
    text += pin.node ? fmt::format(" {} {} {}", pin.first_msn, pin.node->id, pin.node->url)
                     : fmt::format(" {} - -", pin.first_msn);
  return text;
}

std::optional<PinRecord> pins_from_text(std::string_view text) {
  const auto word = [&text] {
    const auto end = std::min(text.find(' '), text.size());
    const auto found = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return found;
  };
  PinRecord record;
  const auto version = word();
  if (version == "2") {
    const auto held = contracts::read_decimal(word());
    if (!held) return std::nullopt;
    record.held = std::min<std::chrono::seconds>(std::chrono::seconds{*held}, kMaxPinHold);
  } else if (version != "1") {
    return std::nullopt;
  }
  if (!text.starts_with("c:")) return std::nullopt;
  record.preferred = word().substr(2);
  while (!text.empty()) {
    const auto msn = contracts::read_decimal(word());
    const auto node = word(), url = word();
    if (!msn || node.empty() || url.empty() || record.pins.size() == kMaxPins) return std::nullopt;
    if (!record.pins.empty() && *msn <= record.pins.back().first_msn) return std::nullopt;
    record.pins.push_back(
        {*msn, url == "-" ? nullptr : std::make_shared<NodeAddress>(NodeAddress{std::string(node), std::string(url)})});
  }
  return record;
}

SessionPins::SessionPins(const base::Clock& clock, base::Metrics& metrics, std::size_t most)
    : clock_(clock),
      max_in_shard_(std::max<std::size_t>(1, most / base::Sharded<Shard>::size())),
      evicted_(metrics.counter("tribune_balancer_pins_given_up_total",
                               "Sessions whose pins were evicted, least recently used first, because the maximum "
                               "number of sessions is known.")),
      full_(metrics.counter("tribune_balancer_pins_full_total",
                            "Sessions that changed their node more often in one playlist window than pins are stored. "
                            "Further segments of the session get redirect links.")) {}

/// The key of the pins of a pathway. Pathways have the names of groups, so a client cannot choose a name whose key is
/// another session's id.
SessionPins::PinKey SessionPins::key_of(access::SessionId id, std::string_view pathway) {
  if (pathway.empty()) return {id, false};     // read from the session's own entry
  const auto key = id ^ base::fnv1a(pathway);  // equal in every process, because records are saved
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  auto& session = find_or_add(shard, id);
  auto& known = session.pathways;
  if (std::find(known.begin(), known.end(), key) != known.end()) return {key, session.was_opened_here};
  if (known.size() >= kMaxPinnedPathways) return {id, session.was_opened_here};
  known.push_back(key);
  return {key, session.was_opened_here};
}

void SessionPins::begin(access::SessionId id) {
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  find_or_add(shard, id).was_opened_here = true;
}

LinkPins SessionPins::pin(access::SessionId session_id, const Window& window, const NodeTable& nodes,
                          const std::shared_ptr<const NodeAddress>& chosen, bool accepts_rewriting,
                          std::string_view pathway, const std::shared_ptr<const NodeAddress>& first) {
  const auto now = clock_.steady_now();
  const auto held = std::clamp(std::chrono::ceil<std::chrono::seconds>(window.held), std::chrono::seconds{kMinPinHold},
                               std::chrono::seconds{kMaxPinHold});
  const auto [id, was_opened_here] = key_of(session_id, pathway);
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  auto& session = find_or_add(shard, id);
  session.is_of_pathway = id != session_id;
  session.was_opened_here |= was_opened_here;
  session.has_lapsed = false;
  session.held_until = std::max(session.held_until, now + held);
  if (first && session.pins.empty() && !session.was_opened_here && !is_gone(*first, nodes)) {
    session.pins.push_back({window.first_msn, first});
    session.is_restored = true;
  }
  session.longest = std::max(session.longest, window.next_msn - window.first_msn);
  if (std::exchange(session.is_restored, false)) {
    session.listed_to = window.next_msn + kUnseenLag;
    // A playlist listed everything in the record, and it may be longer than this one.
    if (session.pins.size() > 1)
      session.longest = std::max(session.longest, window.next_msn - session.pins[1].first_msn + 1);
  }
  const bool replaced = accepts_rewriting && replace_gone(session.pins, nodes, chosen);
  drop_passed(session.pins, std::min(window.first_msn, window.next_msn - session.longest) - kRenditionLag);
  const auto switched = switch_to(
      session.pins, chosen, session.pins.empty() ? window.first_msn : std::max(session.listed_to, window.first_msn));
  if (switched == Switch::full) full_.add();
  session.listed_to = std::max(session.listed_to, window.next_msn);
  if (replaced || switched != Switch::none || is_much_longer(held, session.held_written))
    write(id, session, std::max(held, session.held_written));
  return effective(session.pins, window);
}

void SessionPins::prefer(access::SessionId id, std::string_view node) {
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  auto& session = find_or_add(shard, id);
  if (session.preferred == node) return;
  session.preferred = node;
  write(id, session, session.held_written);
}

std::string SessionPins::preferred(access::SessionId id) {
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  auto* session = shard.sessions.find(id);
  if (!session) return {};
  session->has_lapsed = false;
  return session->preferred;
}

std::string SessionPins::last_node(access::SessionId session_id, std::string_view pathway) {
  const auto id = key_of(session_id, pathway).id;
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  const auto* session = shard.sessions.find(id);
  if (!session) return {};
  const auto last =
      std::find_if(session->pins.rbegin(), session->pins.rend(), [](const Pin& pin) { return pin.node != nullptr; });
  return last == session->pins.rend() ? std::string() : last->node->id;
}

std::vector<access::SessionId> SessionPins::pathways_of(access::SessionId id) {
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  const auto* session = shard.sessions.peek(id);
  return session ? session->pathways : std::vector<access::SessionId>();
}

void SessionPins::release(access::SessionId id) {
  for (const auto key : pathways_of(id)) forget(key);
  forget(id);
}

void SessionPins::lapse(access::SessionId id) {
  auto keys = pathways_of(id);
  const bool has_pathways = !keys.empty();
  keys.push_back(id);
  for (const auto key : keys) {
    bool is_idle = false;
    {
      auto& shard = shards_.of(key);
      const std::lock_guard lock(shard.mutex);
      auto* session = shard.sessions.peek(key);
      if (!session) continue;
      session->has_lapsed = true;
      is_idle = session->pins.empty() && !(key == id && has_pathways);
    }
    if (is_idle) forget(key);
  }
}

void SessionPins::forget(access::SessionId id) {
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  const auto* session = shard.sessions.peek(id);
  if (!session) return;
  if (session->is_written && store_) store_->erase(kPinsTable, contracts::session_name(id));
  shard.sessions.erase(id);
}

SessionPins::Pinned& SessionPins::find_or_add(Shard& shard, access::SessionId id) {
  auto [session, is_new] = shard.sessions.try_emplace(id);
  if (is_new) {
    session.held_until = clock_.steady_now();
    evict_oldest(shard);
  }
  session.has_lapsed = false;
  return session;
}

void SessionPins::evict_oldest(Shard& shard) {
  while (shard.sessions.size() > max_in_shard_) {
    const auto& [id, session] = *shard.sessions.oldest();
    if (session.is_written && store_) store_->erase(kPinsTable, contracts::session_name(id));
    shard.sessions.erase(access::SessionId{id});
    evicted_.add();
  }
}

/// Runs with the lock held, so that a session's records reach the store in order.
void SessionPins::write(access::SessionId id, Pinned& session, std::chrono::seconds held) {
  if (!store_) return;
  session.is_written = true;
  session.held_written = held;
  unsaved_->queued();
  store_->put(kPinsTable, contracts::session_name(id), to_text({session.preferred, session.pins, held}),
              [unsaved = unsaved_, id](base::Status status) { unsaved->finished(id, status); });
}

void SessionPins::write_failed() {
  for (const auto id : unsaved_->take_failed()) {
    auto& shard = shards_.of(id);
    const std::lock_guard lock(shard.mutex);
    if (auto* session = shard.sessions.peek(id)) write(id, *session, session->held_written);
  }
}

/// Adds the record of a former process. It is not known yet whether the session continues.
void SessionPins::hold(Shard& shard, access::SessionId id, const PinRecord& record) {
  auto& session = find_or_add(shard, id);
  session.pins = record.pins;
  session.preferred = record.preferred;
  session.held_written = record.held;
  session.held_until = clock_.steady_now() + std::max<std::chrono::seconds>(record.held, PinRecord{}.held);
  session.is_restored = session.is_written = session.has_lapsed = true;
}

base::Status SessionPins::load(store::Store& store) {
  store_ = &store;
  return store.scan(kPinsTable, [&](std::string_view key, std::string_view value) {
    const auto id = session_of(key);
    const auto record = pins_from_text(value);
    if (id && record) {
      auto& shard = shards_.of(*id);
      const std::lock_guard lock(shard.mutex);
      hold(shard, *id, *record);
    } else {
      store.erase(kPinsTable, std::string(key));
    }
    return true;
  });
}

void SessionPins::sweep() {
  write_failed();
  const auto now = clock_.steady_now();
  for (std::size_t i = 0; i < kSweptAtOnce; ++i) {
    auto& shard = shards_[swept_++];
    const std::lock_guard lock(shard.mutex);
    shard.sessions.erase_if([&](access::SessionId id, const Pinned& session) {
      const auto since = now - session.held_until;
      const bool is_held = session.has_lapsed ? since < std::chrono::seconds{0} : since < kPinsIdleLifetime;
      if (!is_held && session.is_written && store_) store_->erase(kPinsTable, contracts::session_name(id));
      return !is_held;
    });
  }
}

std::size_t SessionPins::size() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += static_cast<std::size_t>(std::count_if(shard.sessions.begin(), shard.sessions.end(), [](const auto& entry) {
      const auto& session = entry.second;
      return !session.is_of_pathway &&
             (!session.pins.empty() || !session.preferred.empty() || !session.pathways.empty());
    }));
  }
  return sum;
}

}  // namespace tribune::balancer
