#include <algorithm>
#include <limits>
#include <utility>

#include "access/admission_inner.h"
#include "base/ids.h"

namespace tribune::access {
namespace {

using namespace std::chrono_literals;

// The lock is held for one round of calls; the rest comes with the next tick.
constexpr std::size_t kMostCalls = 2'000;
constexpr std::size_t kMostSkips = 50'000;
constexpr std::size_t kSweptAtOnce = 2'000;
constexpr std::size_t kAgedAtOnce = 5'000;

}  // namespace

std::uint64_t ChannelQueue::waiting() const {
  std::uint64_t sum = 0;
  for (const auto& lane : lanes) sum += lane->line.waiting();
  for (const auto& [place, line] : passed) sum += line.size();
  return sum;
}

bool ChannelQueue::has_waiting() const {
  if (!passed.empty()) return true;
  return std::any_of(lanes.begin(), lanes.end(), [](const auto& lane) { return lane->line.has_head(); });
}

NodeScopesList Admission::Inner::places_of(const Visitor& visitor) {
  NodeScopesList places{{scopes.at(ScopeKind::group, visitor.group), scopes.at(ScopeKind::node, visitor.node)}};
  for (const auto& other : visitor.others) {
    const NodeScopes place{scopes.at(ScopeKind::group, other.group), scopes.at(ScopeKind::node, other.node)};
    if (places.size() < kMaxNodeChoices && std::find(places.begin(), places.end(), place) == places.end())
      places.push_back(place);
  }
  return places;
}

ScopeSet Admission::Inner::scopes_at(const ChannelQueue& queue, const NodeScopes& place) {
  return {&scopes.global(), queue.scope, place.group, place.node};
}

std::optional<ScopeSet> Admission::Inner::vacancy(const ChannelQueue& queue, std::uint32_t place) {
  const auto is_contested = [](const Scope* scope) { return scope && scope->is_contested; };
  for (const auto& at : lists.at(place)) {
    const auto set = scopes_at(queue, at);
    if (!is_contested(at.group) && !is_contested(at.node) && !set.full(queue.kbps)) return set;
  }
  return std::nullopt;
}

/// Who comes later takes no room in pieces where this one waits.
void Admission::Inner::contest(const ChannelQueue& queue, std::uint32_t place) {
  for (const auto& at : lists.at(place))
    if (auto* full = scopes_at(queue, at).full(queue.kbps)) full->is_contested = has_contested = true;
}

/// The visitor may watch elsewhere than it was said before: nodes come and go, and so does the viewer.
void Admission::Inner::replace(ChannelQueue& queue, Lane& lane, std::uint64_t number, TicketEntry& entry,
                               const Visitor& visitor) {
  if (visitor.node.empty() || entry.state == TicketState::called) return;
  const auto places = places_of(visitor);
  if (places == lists.at(entry.place)) return;
  const auto place = lists.number(places);
  if (place == entry.place) return;
  if (entry.state == TicketState::passed) {
    auto& before = queue.passed[entry.place];
    std::erase_if(before, [&](const Passed& one) { return one.lane == lane.index && one.number == number; });
    if (before.empty()) queue.passed.erase(entry.place);
  }
  entry.place = place;
  if (entry.state != TicketState::passed) return;
  pass(queue, lane, number, entry);
  has_changed = true;
}

/// Aside, behind those for the same places who came before.
void Admission::Inner::pass(ChannelQueue& queue, Lane& lane, std::uint64_t number, const TicketEntry& entry) {
  auto& line = queue.passed[entry.place];
  auto behind = line.end();
  while (behind != line.begin() && std::prev(behind)->joined > entry.joined) --behind;
  line.insert(behind, {lane.index, number, entry.joined});
}

void Admission::Inner::catch_up() {
  if (has_changed) call_next();
}

void Admission::Inner::call_next() {
  has_changed = has_backlog = false;
  if (has_contested) scopes.each([](const Scope& scope) { const_cast<Scope&>(scope).is_contested = false; });
  has_contested = false;
  if (is_in_grace(clock.steady_now())) {
    has_changed = true;
    return;
  }
  std::vector<ChannelQueue*> waiting;
  for (auto& [id, queue] : channels) {
    if (!queue->is_open || !queue->has_waiting()) continue;
    call_passed(*queue);
    waiting.push_back(queue.get());
  }
  std::size_t calls = 0, skips = 0;
  while (!waiting.empty()) {
    if (block_full(waiting)) break;
    auto* queue = first_in_line(waiting, skips);
    if (skips > kMostSkips || ++calls > kMostCalls) {
      has_changed = has_backlog = true;
      break;
    }
    if (!queue) break;
    take_turn(*queue, *next_lane(*queue));
  }
  for (auto& [id, queue] : channels)
    for (auto& lane : queue->lanes) write_behind(*lane);
}

/// Leaves out channels that are full: whoever is silent there keeps the place until there is room. True when everything
/// is.
bool Admission::Inner::block_full(std::vector<ChannelQueue*>& waiting) {
  const auto is_full = [this](Scope& scope, const ChannelQueue* queue) {
    if (scope.has_room(queue->kbps)) return false;
    return scope.is_contested = has_contested = true;
  };
  std::erase_if(waiting, [&](ChannelQueue* queue) { return is_full(*queue->scope, queue); });
  // WHY: over all channels the first one is next. When it does not fit, nobody behind it takes the room in pieces.
  return std::any_of(waiting.begin(), waiting.end(),
                     [&](ChannelQueue* queue) { return is_full(scopes.global(), queue); });
}

/// Over all channels, whose next ticket came first.
ChannelQueue* Admission::Inner::first_in_line(const std::vector<ChannelQueue*>& waiting, std::size_t& skips) {
  ChannelQueue* first = nullptr;
  auto joined = std::numeric_limits<std::int32_t>::max();
  for (auto* queue : waiting) {
    for (const auto& lane : queue->lanes) find_head(*lane, skips);
    if (skips > kMostSkips) return nullptr;
    auto* lane = next_lane(*queue);
    if (!lane) continue;
    const auto came = lane->line.find(lane->line.head())->joined;
    if (first && came >= joined) continue;
    first = queue;
    joined = came;
  }
  return first;
}

/// Lanes that wait share by their weights; one that did not wait for a while gains nothing by it.
Lane* Admission::Inner::next_lane(ChannelQueue& queue) {
  Lane* best = nullptr;
  for (auto& lane : queue.lanes) {
    if (!lane->line.has_head()) {
      lane->credit = 0;
    } else if (!best || lane->credit + lane->share > best->credit + best->share) {
      best = lane.get();
    }
  }
  return best;
}

/// Steps over those who lost their place.
void Admission::Inner::find_head(Lane& lane, std::size_t& skips) {
  const auto now = clock.steady_now();
  const auto least = TicketQueue::ticks(now - settings.lease());
  auto& line = lane.line;
  while (line.has_head() && skips <= kMostSkips) {
    const auto number = line.head();
    auto* entry = line.find(number);
    const auto state = entry ? entry->state : TicketState::done;
    if (state == TicketState::waiting && entry->heard >= least) return;
    ++skips;
    if (state == TicketState::unknown && now < late_until) {
      lane.late.push_back(number);
    } else if (entry && state < TicketState::done) {
      if (state != TicketState::unknown) {
        lane.abandoned.add();
        record("ticket_abandoned", lane, number);
      }
      if (state == TicketState::waiting) forget_client(*entry);
      line.set_state(number, TicketState::done);
    }
    line.advance();
    lane.disk.is_dirty = true;
  }
}

/// The head of the lane is called, or waits aside for room where it would watch.
void Admission::Inner::take_turn(ChannelQueue& queue, Lane& lane) {
  std::int64_t shares = 0;
  for (auto& other : queue.lanes) {
    if (!other->line.has_head()) continue;
    other->credit += other->share;
    shares += other->share;
  }
  lane.credit -= shares;
  const auto number = lane.line.head();
  auto& entry = *lane.line.find(number);
  forget_client(entry);
  if (const auto set = vacancy(queue, entry.place)) {
    call(queue, lane, number, entry, *set);
  } else {
    lane.line.set_state(number, TicketState::passed);
    pass(queue, lane, number, entry);
    record("ticket_passed_by", lane, number);
  }
  lane.line.advance();
  lane.disk.is_dirty = true;
}

/// Those aside, whoever came first among all who have room.
void Admission::Inner::call_passed(ChannelQueue& queue) {
  std::vector<std::uint32_t> places;
  for (auto line = queue.passed.begin(); line != queue.passed.end();) {
    const bool has_any = trim_passed(queue, line->second);
    if (has_any) places.push_back(line->first);
    line = has_any ? std::next(line) : queue.passed.erase(line);
  }
  const auto comes_before = [&](std::uint32_t a, std::uint32_t b) {
    return queue.passed[a].front().joined < queue.passed[b].front().joined;
  };
  while (!places.empty()) {
    const auto first = std::min_element(places.begin(), places.end(), comes_before);
    auto& line = queue.passed[*first];
    const auto set = vacancy(queue, *first);
    if (!set) {
      contest(queue, *first);
      places.erase(first);
      continue;
    }
    const auto [lane, number, joined] = line.front();
    line.pop_front();
    call(queue, *queue.lanes[lane], number, *queue.lanes[lane]->line.find(number), *set);
    if (trim_passed(queue, line)) continue;
    queue.passed.erase(*first);
    places.erase(first);
  }
}

/// Leaves out those at the head who gave up. False when nobody is left.
bool Admission::Inner::trim_passed(ChannelQueue& queue, std::deque<Passed>& line) {
  const auto least = TicketQueue::ticks(clock.steady_now() - settings.lease());
  for (; !line.empty(); line.pop_front()) {
    auto& lane = *queue.lanes[line.front().lane];
    const auto number = line.front().number;
    const auto* entry = lane.line.find(number);
    if (!entry || entry->state != TicketState::passed) continue;
    if (entry->heard >= least) return true;
    lane.abandoned.add();
    record("ticket_abandoned", lane, number);
    lane.line.set_state(number, TicketState::done);
  }
  return false;
}

void Admission::Inner::call(ChannelQueue& queue, Lane& lane, std::uint64_t number, TicketEntry& entry,
                            const ScopeSet& set) {
  entry.place = lists.number({{set.group, set.node}});
  keep(set, queue.kbps, 1);
  lane.line.set_state(number, TicketState::called);
  lane.line.count_call();
  lane.calls.push_back({clock.steady_now() + kept_for(), number});
  lane.called.add();
  record("ticket_called", lane, number);
}

void Admission::Inner::keep(const ScopeSet& set, std::int64_t kbps, int by) {
  set.each([&](Scope& scope) {
    scope.kept += by;
    scope.kept_kbps += by * kbps;
  });
}

void Admission::Inner::forget_client(const TicketEntry& entry) {
  const auto found = clients.find(entry.client);
  if (found != clients.end() && --found->second == 0) clients.erase(found);
}

/// Called tickets that nobody claimed. While nobody may claim, none of them ends, and who asked meanwhile has the whole
/// time again.
void Admission::Inner::expire(ChannelQueue& queue, Lane& lane) {
  const auto now = clock.steady_now();
  auto& calls = lane.calls;
  while (!calls.empty() && calls.front().until <= now) {
    auto due = calls.front();
    calls.pop_front();
    auto* entry = lane.line.find(due.number);
    if (!entry || entry->state != TicketState::called) continue;
    const auto set = scopes_of(queue, *entry);
    const auto silent = std::chrono::milliseconds{100} * (TicketQueue::ticks(now) - entry->heard);
    due.until = may_claim(set) ? now + kept_for() - silent : now + kept_for();
    if (due.until > now) {
      calls.insert(std::upper_bound(calls.begin(), calls.end(), due,
                                    [](const auto& a, const auto& b) { return a.until < b.until; }),
                   due);
      continue;
    }
    keep(set, queue.kbps, -1);
    lane.line.set_state(due.number, TicketState::done);
    lane.unclaimed.add();
    record("ticket_unclaimed", lane, due.number);
    has_changed = true;
  }
}

void Admission::Inner::finish_late(Lane& lane) {
  for (const auto number : lane.late) {
    const auto* entry = lane.line.find(number);
    if (entry && entry->state == TicketState::unknown) lane.line.set_state(number, TicketState::done);
  }
  lane.late.clear();
}

void Admission::Inner::open_if_due(ChannelQueue& queue) {
  if (queue.is_open || (queue.opens_at && clock.steady_now() < *queue.opens_at)) return;
  open_queue(queue);
}

void Admission::Inner::open_queue(ChannelQueue& queue) {
  queue.is_open = true;
  queue.opens_at.reset();
  for (auto& lane : queue.lanes) {
    if (!lane->line.is_before_opening()) continue;
    lane->line.open(base::random_u64(), base::random_u64());
    lane->disk.is_dirty = true;
    log.info("access", "queue_opened",
             {{"channel", queue.scope->id}, {"lane", lane->name}, {"waiting", lane->line.waiting()}});
  }
  has_changed = true;
}

/// Sessions that the nodes' figures show by now count by those.
void Admission::Inner::age() {
  const auto now = clock.steady_now();
  for (std::size_t n = 0; n < kAgedAtOnce && !young.empty() && young.front().first <= now; ++n) {
    const auto found = holdings.find(young.front().second);
    young.pop_front();
    if (found == holdings.end() || !found->second.is_young) continue;
    found->second.is_young = false;
    found->second.scopes.each([&](Scope& scope) { scope.young_kbps -= found->second.kbps; });
  }
}

/// What who chooses nodes should know of their limits.
void Admission::Inner::tell_places() {
  auto now = std::make_shared<NodeLimits>();
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const auto& [id, queue] : channels) least = std::min(least, queue->kbps);
  scopes.each([&](const Scope& scope) {
    if (!scope.has_limit() || (scope.kind != ScopeKind::group && scope.kind != ScopeKind::node)) return;
    const bool is_group = scope.kind == ScopeKind::group;
    (is_group ? now->limited_groups : now->limited_nodes).insert(scope.id);
    if (!channels.empty() && (scope.is_contested || !scope.has_room(least)))
      (is_group ? now->full_groups : now->full_nodes).insert(scope.id);
  });
  const bool has_any = !now->empty();
  if (!has_any && !has_node_limits) return;
  if (has_any) node_limits.publish(std::move(now));
  has_node_limits = has_any;
}

void Admission::Inner::forget_lists() {
  if (lists.size() < kMaxNodeLists / 2) return;
  const auto is_idle = [](const auto& lane) { return lane->line.in_line() == 0 && lane->calls.empty(); };
  for (const auto& [id, queue] : channels)
    if (!queue->passed.empty() || !std::all_of(queue->lanes.begin(), queue->lanes.end(), is_idle)) return;
  lists.clear();
}

void Admission::Inner::sweep(ChannelQueue& queue, bool is_second) {
  const auto now = clock.steady_now();
  open_if_due(queue);
  for (auto& lane : queue.lanes) {
    expire(queue, *lane);
    if (!lane->late.empty() && now >= late_until) finish_late(*lane);
    lane->line.sweep(now, settings.lease(), kSweptAtOnce, [&](const TicketEntry& entry) { forget_client(entry); });
    if (!is_second) continue;
    lane->line.sample(now);
    lane->show_waiting(lane->line.waiting());
    if (lane->line.next() != lane->disk.writing.next) lane->disk.is_dirty = true;
  }
}

}  // namespace tribune::access
