#include "balancer/pins.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "contracts/canonical.h"
#include "contracts/token.h"

namespace tribune::balancer {
namespace {

bool is_same(const NodeAddress& a, const NodeAddress& b) { return a.id == b.id && a.url == b.url; }

/// Whether nobody answers at a pin's address any more: its node is silent, moved elsewhere or was taken out.
bool is_gone(const NodeAddress& address, const NodeTable& nodes) {
  const auto* state = nodes.find(address.id);
  return !state || state->condition == NodeCondition::down || state->address->url != address.url;
}

/// Neighbours of one node become one pin.
void merge(std::vector<Pin>& pins) {
  const auto end = std::unique(pins.begin(), pins.end(), [](const Pin& a, const Pin& b) { return is_same(*a.node, *b.node); });
  pins.erase(end, pins.end());
}

/// Whether anything changed.
bool switch_to(std::vector<Pin>& pins, const std::shared_ptr<const NodeAddress>& chosen, std::int64_t from) {
  if (!pins.empty() && is_same(*pins.back().node, *chosen)) return false;
  // A pin from the same MSN has shown nothing yet.
  while (!pins.empty() && pins.back().first_msn >= from) pins.pop_back();
  pins.push_back({from, chosen});
  merge(pins);
  return true;
}

void drop_passed(std::vector<Pin>& pins, std::int64_t first_listed) {
  while (pins.size() > 1 && (pins[1].first_msn <= first_listed || pins.size() > kMaxPins)) pins.erase(pins.begin());
}

LinkPins effective(const std::vector<Pin>& pins, const Window& window) {
  LinkPins links;
  for (const auto& pin : pins) {
    if (!links.empty() && pin.first_msn >= window.next_msn) break;
    if (pin.first_msn <= window.first_msn) links.clear();
    links.push_back({links.empty() ? 0 : pin.first_msn, pin.node->url});
  }
  return links;
}

std::optional<access::SessionId> session_of(std::string_view name) {
  access::SessionId id = 0;
  const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), id, 16);
  return wrong == std::errc{} && end == name.data() + name.size() && name.size() == 16 ? std::optional(id) : std::nullopt;
}

/// FNV-1a: records of a former process must be found again.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

/// By so much an unseen rendition may be ahead of the first one that is asked for after a restart.
constexpr std::int64_t kUnseenLag = 1;

}  // namespace

std::string to_text(const PinRecord& record) {
  auto text = "1 c:" + record.preferred;
  for (const auto& pin : record.pins) text += fmt::format(" {} {} {}", pin.first_msn, pin.node->id, pin.node->url);
  return text;
}

std::optional<PinRecord> pins_from_text(std::string_view text) {
  if (!text.starts_with("1 c:")) return std::nullopt;
  text.remove_prefix(4);
  const auto word = [&text] {
    const auto end = std::min(text.find(' '), text.size());
    const auto found = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return found;
  };
  PinRecord record;
  record.preferred = word();
  while (!text.empty()) {
    const auto msn = contracts::read_decimal(word());
    const auto node = word(), url = word();
    if (!msn || node.empty() || url.empty() || record.pins.size() == kMaxPins) return std::nullopt;
    if (!record.pins.empty() && *msn <= record.pins.back().first_msn) return std::nullopt;
    record.pins.push_back({*msn, std::make_shared<NodeAddress>(NodeAddress{std::string(node), std::string(url)})});
  }
  return record;
}

/// Under which name the pins of a pathway are kept. Names of pathways are those of groups: nobody can make one up that meets another
/// session's id.
PinBoard::Place PinBoard::place_of(access::SessionId id, std::string_view pathway) {
  if (pathway.empty()) return {id, false};   // its own entry says it
  const auto place = id ^ hash_of(pathway);
  auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  auto& session = find_or_add(shard, id);
  auto& known = session.pathways;
  if (std::find(known.begin(), known.end(), place) != known.end()) return {place, session.was_opened_here};
  if (known.size() >= kMostPinnedPathways) return {id, session.was_opened_here};
  known.push_back(place);
  return {place, session.was_opened_here};
}

void PinBoard::begin(access::SessionId id) {
  auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  find_or_add(shard, id).was_opened_here = true;
}

LinkPins PinBoard::pin(access::SessionId session_id, const Window& window, const NodeTable& nodes, const std::shared_ptr<const NodeAddress>& chosen,
                       bool takes_rewriting, std::string_view pathway, const std::shared_ptr<const NodeAddress>& first) {
  const auto [id, was_opened_here] = place_of(session_id, pathway);
  auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  auto& session = find_or_add(shard, id);
  session.is_of_pathway = id != session_id;
  session.was_opened_here |= was_opened_here;
  if (first && session.pins.empty() && !session.was_opened_here) {
    session.pins.push_back({window.first_msn, first});
    session.is_restored = true;
  }
  if (std::exchange(session.is_restored, false)) session.listed_to = window.next_msn + kUnseenLag;
  bool changed = false;
  if (takes_rewriting) {
    for (auto& pin : session.pins) {
      if (!is_gone(*pin.node, nodes) || is_same(*pin.node, *chosen)) continue;
      pin.node = chosen;
      changed = true;
    }
    merge(session.pins);
  }
  changed |= switch_to(session.pins, chosen, session.pins.empty() ? window.first_msn : std::max(session.listed_to, window.first_msn));
  session.listed_to = std::max(session.listed_to, window.next_msn);
  drop_passed(session.pins, window.first_msn - kRenditionLag);
  if (changed) write(id, session);
  return effective(session.pins, window);
}

void PinBoard::prefer(access::SessionId id, std::string_view node) {
  auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  auto& session = find_or_add(shard, id);
  if (session.preferred == node) return;
  session.preferred = node;
  write(id, session);
}

std::string PinBoard::preferred(access::SessionId id) {
  auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto* session = find(shard, id);
  return session ? session->preferred : std::string();
}

std::string PinBoard::last_node(access::SessionId session_id, std::string_view pathway) {
  const auto id = place_of(session_id, pathway).id;
  auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto* session = find(shard, id);
  return session && !session->pins.empty() ? session->pins.back().node->id : std::string();
}

void PinBoard::release(access::SessionId id) {
  std::vector<access::SessionId> pathways;
  {
    auto& shard = shard_of(id);
    const std::lock_guard lock(shard.mutex);
    if (const auto* session = find(shard, id)) pathways = session->pathways;
  }
  for (const auto place : pathways) forget(place);
  forget(id);
}

void PinBoard::forget(access::SessionId id) {
  auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto* session = find(shard, id);
  if (!session) return;
  if (session->is_written && store_) store_->erase(kPinsTable, contracts::session_name(id));
  shard.sessions.erase(id);
}

PinBoard::Pinned* PinBoard::find(Shard& shard, access::SessionId id) {
  if (const auto found = shard.sessions.find(id); found != shard.sessions.end()) return &found->second;
  const auto former = shard.former.find(id);
  if (former == shard.former.end()) return nullptr;
  auto& session = shard.sessions[id];
  session.pins = std::move(former->second.pins);
  session.preferred = std::move(former->second.preferred);
  session.is_restored = session.is_written = true;
  shard.former.erase(former);
  return &session;
}

PinBoard::Pinned& PinBoard::find_or_add(Shard& shard, access::SessionId id) {
  auto* found = find(shard, id);
  return found ? *found : shard.sessions[id];
}

/// Within the lock, so that a session's records reach the store in their order.
void PinBoard::write(access::SessionId id, Pinned& session) {
  if (!store_) return;
  session.is_written = true;
  unsaved_->fetch_add(1);
  store_->put(kPinsTable, contracts::session_name(id), to_text({session.preferred, session.pins}),
              [unsaved = unsaved_](base::Status) { unsaved->fetch_sub(1); });
}

base::Status PinBoard::load(store::Store& store, base::SteadyTime now) {
  store_ = &store;
  loaded_ = now;
  return store.scan(kPinsTable, [&](std::string_view key, std::string_view value) {
    const auto id = session_of(key);
    auto record = pins_from_text(value);
    if (id && record) shard_of(*id).former.emplace(*id, std::move(*record));
    else store.erase(kPinsTable, std::string(key));
    has_former_ = true;
    return true;
  });
}

void PinBoard::sweep(base::SteadyTime now) {
  if (!has_former_ || now - loaded_ < kForgetPinsAfter) return;
  has_former_ = false;
  for (auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [id, record] : shard.former) store_->erase(kPinsTable, contracts::session_name(id));
    shard.former.clear();
  }
}

std::size_t PinBoard::size() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += static_cast<std::size_t>(
        std::count_if(shard.sessions.begin(), shard.sessions.end(), [](const auto& entry) {
          const auto& session = entry.second;
          return !session.is_of_pathway && (!session.pins.empty() || !session.preferred.empty() || !session.pathways.empty());
        }));
  }
  return sum;
}

}  // namespace tribune::balancer
