#include "balancer/routing/session_router.h"

#include <functional>
#include <utility>

#include "base/ip_address.h"
#include "contracts/receipt.h"
#include "contracts/token.h"

namespace tribune::balancer {

namespace {

std::size_t group_of(const RoutingChoice& choice) {
  return choice.node ? std::hash<std::string>{}(choice.node->limit_group()) : 0;
}

}  // namespace

SessionRouter::SessionRouter(const base::Clock& clock, base::Log& log, NodeRegistry& nodes, const RoutingFiles& files,
                             access::Admission& admission)
    : clock_(clock), log_(log), nodes_(nodes), files_(files), admission_(admission) {}
SessionRouter::~SessionRouter() = default;

Routed SessionRouter::route(const RoutingRequest& request) {
  const auto prefix = contracts::client_prefix(request.client).value_or("");
  hear_gone(request, prefix);
  auto nodes = nodes_.table();
  const auto view = files_.view();
  if (!request.is_counted) {
    Placed once;
    once.steers = true;  // who knows
    learn(once, request, prefix);
    const auto choice = choose_node(*nodes, *view, question_of(once, request, prefix));
    return {choice, std::move(nodes)};
  }
  auto& shard = shards_.of(request.session);
  const std::lock_guard lock(shard.mutex);
  auto& placed = shard.sessions[request.session];
  learn(placed, request, prefix);
  const auto choice = choose(*nodes, *view, question_of(placed, request, prefix), request.session);
  if (choice.stays && (!placed.node || placed.group != group_of(choice))) {  // not counted there yet
    admission_.move(request.session, place_of(*choice.node), true);
    placed.group = group_of(choice);
  }
  settle(placed, request, choice, prefix);
  return {choice, std::move(nodes)};
}

void SessionRouter::hear_gone(const RoutingRequest& request, const std::string& prefix) {
  if (request.claims && !request.claims->gone.empty()) nodes_.reported_gone(request.claims->gone, prefix);
}

/// Nobody goes to a full node who could stay or go elsewhere. Admission knows best, and is asked about one node after
/// the other.
RoutingChoice SessionRouter::choose(const NodeTable& nodes, const RoutingView& view, RoutingQuestion question,
                                    access::SessionId session) {
  const auto limits = admission_.place_limits();
  question.limits = limits.get();
  access::AccountSessionLimits known;
  for (;;) {
    const auto choice = choose_node(nodes, view, question);
    if (choice.stays || (!choice.node && question.current.empty())) return choice;
    const bool must = !limits || !choice.node || choice.is_full || choice.reason == RoutingReason::least_bad;
    if (admission_.move(session, choice.node ? place_of(*choice.node) : access::AccountPlace{}, must)) return choice;
    if (question.limits != &known) known = *question.limits;
    known.full_nodes.insert(choice.node->address->id);
    question.limits = &known;
  }
}

Placing SessionRouter::placing(const RoutingRequest& request) {
  const auto prefix = contracts::client_prefix(request.client).value_or("");
  hear_gone(request, prefix);
  Placed known;
  if (request.session != 0) {
    auto& shard = shards_.of(request.session);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.sessions.find(request.session);
    if (found != shard.sessions.end()) {
      found->second.seen = clock_.steady_now();
      known = found->second;
    }
  }
  learn(known, request, prefix);
  known.node = nullptr;
  const auto view = files_.view();
  auto question = question_of(known, request, prefix);
  const auto limits = admission_.place_limits();
  question.limits = limits.get();
  Placing made{nodes_.table(), {}, {}};
  made.choice = choose_node(*made.nodes, *view, question);
  if (limits) made.others = alternatives(*made.nodes, *view, question);
  return made;
}

Standings SessionRouter::standings(const RoutingRequest& request, std::size_t most, bool steers) {
  const auto prefix = contracts::client_prefix(request.client).value_or("");
  Placed known;
  if (request.session != 0) {
    auto& shard = shards_.of(request.session);
    const std::lock_guard lock(shard.mutex);
    const auto [found, is_new] = shard.sessions.try_emplace(request.session);
    if (is_new) found->second.seen = clock_.steady_now();
    if (steers) found->second.steers = true;
    known = found->second;
  }
  learn(known, request, prefix);
  const auto view = files_.view();
  auto question = question_of(known, request, prefix);
  const auto limits = admission_.place_limits();
  question.limits = limits.get();
  Standings made{nodes_.table(), {}};
  made.groups = rank_groups(*made.nodes, *view, question, most);
  return made;
}

bool SessionRouter::knows_group(std::string_view group) const { return nodes_.table()->find_group(group) != nullptr; }

void SessionRouter::placed(const RoutingRequest& request, const Placing& placing, std::string_view node) {
  const auto* state = placing.nodes->find(node);
  const bool says_something = !request.named.empty() || (request.claims && !request.claims->empty());
  if (!state && !says_something) return;
  const auto prefix = contracts::client_prefix(request.client).value_or("");
  auto& shard = shards_.of(request.session);
  const std::lock_guard lock(shard.mutex);
  auto& placed = shard.sessions[request.session];
  learn(placed, request, prefix);
  if (state) settle(placed, request, {state, placing.rank_of(node)}, prefix);
}

RoutingReason Placing::rank_of(std::string_view node) const {
  if (choice.node && choice.node->address->id == node) return choice.reason;
  for (std::size_t i = 0; i < others.places.size(); ++i)
    if (others.places[i].node == node) return others.ranks[i];
  return RoutingReason::default_group;
}

/// Takes over what this request says.
void SessionRouter::learn(Placed& placed, const RoutingRequest& request, const std::string& prefix) {
  placed.seen = clock_.steady_now();
  if (!request.named.empty() && request.named != placed.named) {
    placed.named = request.named;
    placed.named_from = prefix;
  }
  if (!request.claims) return;
  if (!request.claims->proofs.empty()) placed.proofs = request.claims->proofs;
  if (!request.claims->gone.empty()) {
    placed.gone = request.claims->gone;
    placed.gone_until = placed.seen + std::chrono::milliseconds{gone_lifetime_ms_.load()};
  }
}

RoutingQuestion SessionRouter::question_of(const Placed& placed, const RoutingRequest& request,
                                           const std::string& prefix) const {
  RoutingQuestion question;
  question.client = base::parse_ip(request.client);
  question.channel = request.channel;
  question.proved = believed(placed.proofs, prefix, clock_.wall_now());
  // Who comes from another network now must find a cache there.
  if (placed.named_from == prefix) question.named = placed.named;
  question.current = placed.node ? std::string_view(placed.node->id) : request.pinned;
  question.now = clock_.steady_now();
  if (question.now < placed.gone_until) question.gone = placed.gone;
  // Who never asked for the manifest takes any variant of the list, whatever its pathway: that is no choice.
  if (placed.steers) question.pathway = request.pathway;
  question.session = request.session;
  question.may_use_origin = request.may_use_origin;
  return question;
}

void SessionRouter::settle(Placed& placed, const RoutingRequest& request, const RoutingChoice& choice,
                           const std::string& prefix) {
  const std::string_view before = placed.node ? std::string_view(placed.node->id) : "";
  const std::string_view after = choice.node ? std::string_view(choice.node->address->id) : "";
  if (before == after) return;
  log_.info("balancer", "session_routed",
            {{"session", contracts::session_name(request.session)},
             {"channel", request.channel},
             {"node", after},
             {"before", before},
             {"reason", to_string(choice.reason)},
             {"group", choice.node ? std::string_view(choice.node->group_id()) : ""},
             {"network", prefix}});
  if (placed.viewers) placed.viewers->count.fetch_sub(1, std::memory_order_relaxed);
  placed.node = choice.node ? choice.node->address : nullptr;
  placed.viewers = choice.node ? choice.node->viewers : nullptr;
  placed.group = group_of(choice);
  if (placed.viewers) placed.viewers->count.fetch_add(1, std::memory_order_relaxed);
}

void SessionRouter::release(access::SessionId id) {
  auto& shard = shards_.of(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.sessions.find(id);
  if (found == shard.sessions.end()) return;
  if (found->second.viewers) found->second.viewers->count.fetch_sub(1, std::memory_order_relaxed);
  shard.sessions.erase(found);
}

void SessionRouter::sweep(std::chrono::milliseconds idle) {
  const auto now = clock_.steady_now();
  for (auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    std::erase_if(shard.sessions, [&](const auto& entry) {
      const bool left = now - entry.second.seen > idle;
      if (left && entry.second.viewers) entry.second.viewers->count.fetch_sub(1, std::memory_order_relaxed);
      return left;
    });
  }
}

namespace {

void write_trace(base::json::Writer& w, const SelectionTrace& seen) {
  w.key("considered").begin_array();
  for (const auto& entry : seen)
    w.begin_object()
        .member("rank", to_string(entry.rank))
        .member("group", entry.group)
        .member("node", entry.node)
        .member("verdict", entry.verdict)
        .end_object();
  w.end_array();
}

}  // namespace

void SessionRouter::explain(const RoutingRequest& request, base::json::Writer& w) const {
  const auto prefix = contracts::client_prefix(request.client).value_or("");
  Placed placed;
  placed.steers = true;
  if (request.claims) {
    placed.proofs = request.claims->proofs;
    placed.gone = request.claims->gone;
    placed.gone_until = base::SteadyTime::max();
  }
  placed.named = request.named;
  placed.named_from = prefix;
  const auto nodes = nodes_.table();
  const auto view = files_.view();
  auto question = question_of(placed, request, prefix);
  const auto limits = admission_.place_limits();
  question.limits = limits.get();
  SelectionTrace seen;
  const auto choice = choose_node(*nodes, *view, question, &seen);
  const auto match = view->zones && question.client ? view->zones->find(*question.client) : Zones::Match{};
  w.begin_object()
      .member("client", request.client)
      .member("network", prefix)
      .member("channel", request.channel)
      .member("cache", request.named);
  w.member("deep_zone", match.deep ? match.deep->name : "").member("zone", match.ordinary ? match.ordinary->name : "");
  if (const auto place = view->geography && question.client ? view->geography->find(*question.client) : std::nullopt)
    w.key("place")
        .begin_object()
        .member("latitude", place->latitude)
        .member("longitude", place->longitude)
        .end_object();
  w.member("gone", question.gone).member("may_use_origin", request.may_use_origin);
  w.key("receipts_believed").begin_array();
  for (const auto node : question.proved) w.value(node);
  w.end_array().key("receipts_refused").begin_array();
  if (request.claims) {
    for (const auto& why : request.claims->refused) w.value(why);
    for (const auto& proof : request.claims->proofs)
      if (proof.client_prefix != prefix) w.value("the receipt of " + proof.node + " is another client's");
  }
  w.end_array();
  w.member("node", choice.node ? choice.node->address->id : "")
      .member("url", choice.node ? choice.node->address->url : "");
  w.member("reason", to_string(choice.reason))
      .member("because", because(choice.reason))
      .member("group", choice.node ? choice.node->group_id() : "");
  write_trace(w, seen);
  w.end_object();
}

}  // namespace tribune::balancer
