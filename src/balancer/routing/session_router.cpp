#include "balancer/routing/session_router.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "balancer/routing/nodes_to_ping.h"
#include "base/ip_address.h"
#include "contracts/receipt.h"
#include "contracts/token.h"

namespace tribune::balancer {

namespace {

std::size_t group_of(const RoutingChoice& choice) {
  return choice.node ? std::hash<std::string>{}(choice.node->limit_group()) : 0;
}

/// Opens the object, and writes the inputs of the choice.
void write_inputs(base::json::Writer& w, const RoutingRequest& request, const RoutingQuestion& question,
                  const RoutingView& view, const std::string& prefix) {
  const auto match = view.zones && question.client ? view.zones->find(*question.client) : Zones::Match{};
  w.begin_object()
      .member("client", request.client)
      .member("network", prefix)
      .member("channel", request.channel)
      .member("cache", request.named);
  w.member("deep_zone", match.deep ? match.deep->name : "").member("zone", match.ordinary ? match.ordinary->name : "");
  if (const auto place = view.geography && question.client ? view.geography->find(*question.client) : std::nullopt)
    w.key("place")
        .begin_object()
        .member("latitude", place->latitude)
        .member("longitude", place->longitude)
        .end_object();
  w.member("gone", question.gone).member("may_use_origin", request.may_use_origin);
  w.key("receipts_believed").begin_array();
  for (const auto node : question.proved) w.value(node);
  w.end_array().key("receipts_refused").begin_array();
  if (request.claims)
    for (const auto& why : refusals(*request.claims, prefix)) w.value(why);
  w.end_array();
}

}  // namespace

SessionRouter::SessionRouter(const base::Clock& clock, base::Log& log, NodeRegistry& nodes, const RoutingFiles& files,
                             access::Admission& admission)
    : clock_(clock), log_(log), nodes_(nodes), files_(files), admission_(admission) {}
SessionRouter::~SessionRouter() = default;

Routed SessionRouter::route(const RoutingRequest& request) {
  const auto prefix = contracts::client_prefix(request.client).value_or("");
  report_unreachable(request, prefix);
  auto nodes = nodes_.table();
  const auto view = files_.view();
  if (!request.is_counted) {
    RoutedSession once;
    once.steers = true;  // the record of the session is not known
    record_claims(once, request, prefix);
    const auto choice = choose_node(*nodes, *view, question_of(once, request, prefix));
    return {choice, std::move(nodes), holds(once, request, choice, prefix)};
  }
  auto& shard = shards_.of(request.session);
  const std::lock_guard lock(shard.mutex);
  auto& session = shard.sessions[request.session];
  record_claims(session, request, prefix);
  const auto choice = choose(*nodes, *view, question_of(session, request, prefix), request.session);
  if (choice.stays && (!session.node || session.group != group_of(choice))) {  // not counted there yet
    admission_.move(request.session, node_ref(*choice.node), true);
    session.group = group_of(choice);
  }
  record_choice(session, request, choice, prefix);
  return {choice, std::move(nodes), holds(session, request, choice, prefix)};
}

void SessionRouter::report_unreachable(const RoutingRequest& request, const std::string& prefix) {
  if (request.is_advice || !request.claims || request.claims->gone.empty()) return;
  nodes_.reported_gone(request.claims->gone, prefix);
}

/// A viewer that can stay at its node or use another one is not sent to a full node. The published limits may be
/// outdated, so admission decides about one node after the other.
RoutingChoice SessionRouter::choose(const NodeTable& nodes, const RoutingView& view, RoutingQuestion question,
                                    access::SessionId session) {
  const auto limits = admission_.node_limits();
  question.limits = limits.get();
  access::NodeLimits known;
  for (;;) {
    const auto choice = choose_node(nodes, view, question);
    if (choice.stays || (!choice.node && question.current.empty())) return choice;
    const bool must = !limits || !choice.node || choice.is_full || choice.reason == RoutingReason::least_bad;
    if (admission_.move(session, choice.node ? node_ref(*choice.node) : access::NodeRef{}, must)) return choice;
    if (question.limits != &known) known = *question.limits;
    known.full_nodes.insert(choice.node->address->id);
    question.limits = &known;
  }
}

NodeProposal SessionRouter::propose(const RoutingRequest& request) {
  const auto prefix = contracts::client_prefix(request.client).value_or("");
  report_unreachable(request, prefix);
  RoutedSession known;
  if (request.session != 0) {
    auto& shard = shards_.of(request.session);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.sessions.find(request.session);
    if (found != shard.sessions.end()) {
      found->second.seen = clock_.steady_now();
      known = found->second;
    }
  }
  record_claims(known, request, prefix);
  known.node = nullptr;
  const auto view = files_.view();
  auto question = question_of(known, request, prefix);
  const auto limits = admission_.node_limits();
  question.limits = limits.get();
  NodeProposal made{nodes_.table(), {}, {}};
  made.choice = choose_node(*made.nodes, *view, question);
  if (limits) made.others = alternatives(*made.nodes, *view, question);
  return made;
}

Standings SessionRouter::standings(const RoutingRequest& request, std::size_t most, bool steers) {
  const auto prefix = contracts::client_prefix(request.client).value_or("");
  RoutedSession known;
  if (request.session != 0) {
    auto& shard = shards_.of(request.session);
    const std::lock_guard lock(shard.mutex);
    const auto [found, is_new] = shard.sessions.try_emplace(request.session);
    if (is_new) found->second.seen = clock_.steady_now();
    if (steers) found->second.steers = true;
    known = found->second;
  }
  record_claims(known, request, prefix);
  const auto view = files_.view();
  auto question = question_of(known, request, prefix);
  const auto limits = admission_.node_limits();
  question.limits = limits.get();
  Standings made{nodes_.table(), {}};
  made.groups = rank_groups(*made.nodes, *view, question, most);
  return made;
}

NodeList SessionRouter::nodes_to_ping(const RoutingRequest& request) const {
  const auto view = files_.view();
  const RoutedSession none;
  const auto question = question_of(none, request, contracts::client_prefix(request.client).value_or(""));
  NodeList list{nodes_.table(), {}};
  list.nodes = balancer::nodes_to_ping(*list.table, *view, question);
  return list;
}

bool SessionRouter::may_use_origin(const contracts::Channel& channel) const {
  if (channel.fallback != contracts::Fallback::origin) return false;
  return channel.access == contracts::ChannelAccess::free || nodes_.is_without_usable_node();
}

bool SessionRouter::knows_group(std::string_view group) const { return nodes_.table()->find_group(group) != nullptr; }

void SessionRouter::record_admission(const RoutingRequest& request, const NodeProposal& proposal,
                                     std::string_view node) {
  const auto* state = proposal.nodes->find(node);
  const bool says_something = !request.named.empty() || (request.claims && !request.claims->empty());
  if (!state && !says_something) return;
  const auto prefix = contracts::client_prefix(request.client).value_or("");
  auto& shard = shards_.of(request.session);
  const std::lock_guard lock(shard.mutex);
  auto& session = shard.sessions[request.session];
  record_claims(session, request, prefix);
  if (state) record_choice(session, request, {state, proposal.rank_of(node)}, prefix);
}

RoutingReason NodeProposal::rank_of(std::string_view node) const {
  if (choice.node && choice.node->address->id == node) return choice.reason;
  for (std::size_t i = 0; i < others.nodes.size(); ++i)
    if (others.nodes[i].node == node) return others.ranks[i];
  return RoutingReason::default_group;
}

/// Updates the record of the session by the claims of this request.
void SessionRouter::record_claims(RoutedSession& session, const RoutingRequest& request, const std::string& prefix) {
  session.seen = clock_.steady_now();
  if (!request.named.empty() && request.named != session.named) {
    session.named = request.named;
    session.named_from = prefix;
  }
  if (!request.claims) return;
  const auto& claims = *request.claims;
  if (session.unreachable) refute_unreachable(session, claims, prefix);
  if (!claims.proofs.empty()) session.proofs = claims.proofs;
  if (claims.reaches_none || !claims.gone.empty()) record_unreachable(session, request, prefix);
}

/// A receipt refutes an earlier report of unreachable nodes when it is part of a later report, or when it is newer than
/// all that were known at that time.
void SessionRouter::refute_unreachable(RoutedSession& session, const ReachabilityClaims& claims,
                                       const std::string& prefix) {
  auto left = *session.unreachable;
  bool is_refuted = false;
  for (const auto& proof : claims.proofs) {
    if (proof.client_prefix != prefix || (!claims.is_report && proof.believed_until <= left.proved_until)) continue;
    is_refuted = true;
    left.none_until = {};
    if (proof.node == left.gone) left.gone_until = {};
  }
  if (is_refuted) session.unreachable = std::make_shared<const Unreachable>(std::move(left));
}

/// A client that reaches no node reports this of its network, and the node that served it counts as gone there. A node
/// that the client names as gone is gone in every network.
void SessionRouter::record_unreachable(RoutedSession& session, const RoutingRequest& request,
                                       const std::string& prefix) const {
  const auto& claims = *request.claims;
  const auto until = session.seen + std::chrono::milliseconds{gone_lifetime_ms_.load()};
  auto next = session.unreachable ? *session.unreachable : Unreachable{};
  for (const auto& proof : session.proofs) next.proved_until = std::max(next.proved_until, proof.believed_until);
  if (claims.reaches_none) {
    next.none_in = prefix;
    next.none_until = until;
    session.proofs.clear();
    session.named.clear();
  }
  const auto served = session.node ? std::string_view(session.node->id) : request.pinned;
  if (!claims.gone.empty()) {
    next.gone = claims.gone;
    next.gone_in.clear();
    next.gone_until = until;
  } else if (!served.empty()) {
    next.gone = served;
    next.gone_in = prefix;
    next.gone_until = until;
  } else if (session.seen < next.gone_until) {
    next.gone_until = until;  // the origin serves it: an earlier report that is in force continues
  }
  session.unreachable = std::make_shared<const Unreachable>(std::move(next));
}

/// The time until the first statement of the client expires on which the choice depends. Nothing for a request that is
/// no report.
std::optional<std::chrono::seconds> SessionRouter::holds(const RoutedSession& session, const RoutingRequest& request,
                                                         const RoutingChoice& choice, const std::string& prefix) const {
  if (!request.claims || !request.claims->is_report) return std::nullopt;
  std::optional<std::chrono::seconds> least;
  const auto bound_by = [&](std::chrono::seconds time) { least = least ? std::min(*least, time) : time; };
  const auto now = session.seen;  // at which the report was recorded
  const auto bound_until = [&](base::SteadyTime until) {
    bound_by(std::chrono::floor<std::chrono::seconds>(until - now));
  };
  if (const auto* unreachable = session.unreachable.get()) {
    if (unreachable->is_none_reached(prefix, now)) bound_until(unreachable->none_until);
    if (unreachable->is_gone(prefix, now)) bound_until(unreachable->gone_until);
  }
  if (choice.reason == RoutingReason::receipt)
    for (const auto& proof : session.proofs)
      if (proof.node == choice.node->address->id && proof.client_prefix == prefix)
        bound_by(std::chrono::seconds{proof.believed_until - base::unix_seconds(clock_.wall_now())});
  return least;
}

RoutingQuestion SessionRouter::question_of(const RoutedSession& session, const RoutingRequest& request,
                                           const std::string& prefix) const {
  RoutingQuestion question;
  question.client = base::parse_ip(request.client);
  question.channel = request.channel;
  question.proved = believed(session.proofs, prefix, clock_.wall_now());
  // In another network the named cache is ignored.
  if (session.named_from == prefix) question.named = session.named;
  question.current = session.node ? std::string_view(session.node->id) : request.pinned;
  question.now = clock_.steady_now();
  question.may_use_origin = request.may_use_origin;
  if (const auto* unreachable = session.unreachable.get()) {
    if (unreachable->is_gone(prefix, question.now)) question.gone = unreachable->gone;
    // Where the channel does not allow the origin, the ranks decide as if the client had said nothing of other nodes.
    question.prefers_origin = request.may_use_origin && unreachable->is_none_reached(prefix, question.now);
  }
  // A player that never requested the manifest takes any variant of the list, so its pathway is not a choice.
  if (session.steers) question.pathway = request.pathway;
  question.session = request.session;
  return question;
}

void SessionRouter::record_choice(RoutedSession& session, const RoutingRequest& request, const RoutingChoice& choice,
                                  const std::string& prefix) {
  const std::string_view before = session.node ? std::string_view(session.node->id) : "";
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
  if (session.viewers) session.viewers->count.fetch_sub(1, std::memory_order_relaxed);
  session.node = choice.node ? choice.node->address : nullptr;
  session.viewers = choice.node ? choice.node->viewers : nullptr;
  session.group = group_of(choice);
  if (session.viewers) session.viewers->count.fetch_add(1, std::memory_order_relaxed);
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
  RoutedSession session;
  session.steers = true;
  if (request.claims) {
    session.proofs = request.claims->proofs;
    Unreachable unreachable;
    unreachable.gone = request.claims->gone;
    unreachable.gone_until = base::SteadyTime::max();
    session.unreachable = std::make_shared<const Unreachable>(std::move(unreachable));
  }
  session.named = request.named;
  session.named_from = prefix;
  const auto nodes = nodes_.table();
  const auto view = files_.view();
  auto question = question_of(session, request, prefix);
  const auto limits = admission_.node_limits();
  question.limits = limits.get();
  SelectionTrace seen;
  const auto choice = trace_choice(*nodes, *view, question, seen);
  write_inputs(w, request, question, *view, prefix);
  w.member("node", choice.node ? choice.node->address->id : "")
      .member("url", choice.node ? choice.node->address->url : "");
  w.member("reason", to_string(choice.reason))
      .member("because", because(choice.reason))
      .member("group", choice.node ? choice.node->group_id() : "");
  write_trace(w, seen);
  w.end_object();
}

}  // namespace tribune::balancer
