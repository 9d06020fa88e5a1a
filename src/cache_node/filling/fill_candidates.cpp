#include "cache_node/filling/fill_candidates.h"

#include <algorithm>

#include "base/rendezvous.h"
#include "contracts/origin_path.h"
#include "http/uri.h"

namespace tribune::cache_node {
namespace {

/// The least validity of a link to another node: the client's link may expire while the other node still verifies it.
constexpr std::int64_t kLeastLinkSeconds = 60;
/// A small bound, because each of them asks the origin, which may be unreachable for all nodes.
constexpr std::ptrdiff_t kMostLastResorts = 2;

struct Making {
  const NodeView& view;
  const std::string& target;  // the link's target in requests to other nodes
  std::vector<FillCandidate>& candidates;
};

FillCandidate node_candidate(const Making& m, FillCandidate::Kind kind, std::string name, const std::string& url) {
  FillCandidate candidate;
  candidate.kind = kind;
  candidate.name = std::move(name);
  candidate.url = url + m.target;
  const auto uri = http::parse_uri(url);
  candidate.allowed_origins = {uri ? uri->origin() : url};
  candidate.deadlines = m.view.fill.deadlines;
  candidate.deadlines.connect = m.view.settings.peers.connect_timeout;
  candidate.deadlines.first_byte = m.view.settings.peers.answer_timeout;
  candidate.deadlines.low_speed_window = m.view.settings.peers.low_speed_window;
  candidate.allow_special_addresses = true;
  candidate.circuit = {1, m.view.settings.peers.rest};
  return candidate;
}

/// The peers before this node in the object's order, and at most kMostLastResorts of those after it.
struct Neighbours {
  std::vector<FillCandidate> before, behind;
};

Neighbours neighbours(const Making& m, const Peers& peers, const ObjectKey& key) {
  const auto& own = m.view.settings.id;
  std::vector<base::RendezvousCandidate> candidates;
  for (const auto& peer : peers)
    if (peer.id != own) candidates.push_back({peer.id});
  const auto others = candidates.size();
  candidates.push_back({own});
  Neighbours found;
  bool is_behind = false;
  for (const auto at : base::rendezvous_order(candidates, key.text)) {
    if (at == others) {
      is_behind = true;
      continue;
    }
    if (std::ssize(found.behind) == kMostLastResorts) break;
    const auto peer =
        std::find_if(peers.begin(), peers.end(), [&](const auto& p) { return p.id == candidates[at].id; });
    auto candidate = node_candidate(m, FillCandidate::Kind::peer, "peer " + peer->id, peer->url);
    candidate.is_last_resort = is_behind;
    (is_behind ? found.behind : found.before).push_back(std::move(candidate));
  }
  return found;
}

void append_candidates(std::vector<FillCandidate>& candidates, std::vector<FillCandidate> more) {
  candidates.insert(candidates.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

void add_parents(const Making& m, const ObjectKey& key) {
  std::vector<base::RendezvousCandidate> candidates;
  for (const auto& parent : m.view.settings.parents) candidates.push_back({parent});
  for (const auto at : base::rendezvous_order(candidates, key.text)) {
    const auto& url = m.view.settings.parents[at];
    m.candidates.push_back(node_candidate(m, FillCandidate::Kind::parent, "parent " + url, url));
  }
}

void add_origins(const Making& m, const contracts::OriginSet& origins, const http::Uri& uri) {
  FillCandidate candidate;
  candidate.name = uri.origin();
  candidate.url = uri.text();
  candidate.allowed_origins = contracts::allowed_origins(origins);
  candidate.deadlines = m.view.fill.deadlines;
  candidate.allow_special_addresses = m.view.fill.allow_special_addresses;
  candidate.circuit = m.view.fill.circuit;
  m.candidates.push_back(candidate);
  for (const auto& backup : contracts::same_file_uris(origins, uri)) {
    auto other = candidate;
    other.name = backup.origin();
    other.url = backup.text();
    other.allowed_origins.push_back(backup.origin());
    m.candidates.push_back(std::move(other));
  }
}

}  // namespace

std::string_view to_string(FillCandidate::Kind kind) {
  switch (kind) {
    case FillCandidate::Kind::peer: return "peer";
    case FillCandidate::Kind::parent: return "parent";
    case FillCandidate::Kind::origin: return "origin";
  }
  return "unknown";
}

http::Headers Signing::fields(const FillCandidate& to, base::WallTime now) const {
  using Kind = contracts::PeerMark::Kind;
  const bool up = to.kind == FillCandidate::Kind::parent;
  const contracts::PeerMark mark{up                  ? Kind::child
                                 : to.is_last_resort ? Kind::stranded
                                                     : Kind::peer,
                                 node, up ? tiers + 1 : tiers, purges};
  return contracts::mark_fields(*keys, mark, object, now);
}

base::Result<FillSource> fill_candidates(const NodeView& view, const Peers& peers, const contracts::OriginSet& origins,
                                         const contracts::Link& link, const ObjectKey& key, Asker asker,
                                         base::WallTime now, KnownPurges::Covering purges) {
  const auto uri = contracts::to_uri(origins, link.path, link.origin_query);
  if (!uri) return tl::unexpected(uri.error());
  FillSource source;
  source.channel = link.channel;
  source.retention = retention_of(view.retention_rules, link.channel, link.path);
  source.signing = {view.keys, view.settings.id, object_text(link), asker.tiers, std::move(purges.marks)};
  auto asked_with = link;
  asked_with.pace_kbps = 0;  // applies to viewers only
  asked_with.expires = std::max(link.expires, base::unix_seconds(now) + kLeastLinkSeconds);
  std::string target;
  if (const auto query = contracts::signed_query(*view.keys, asked_with, now); !query.empty())
    target = contracts::media_target(asked_with, query);
  const Making making{view, target, source.candidates};
  const bool is_peers = asker.kind == Asker::Kind::peer || asker.kind == Asker::Kind::stranded;
  const auto has_step = [&](std::string_view step) {
    return std::find(view.settings.fill.begin(), view.settings.fill.end(), step) != view.settings.fill.end();
  };
  // Without a signing key no other node would accept the request. Nodes are left out when the purges exceed the limit
  // of a request, except when they are the only way to the origin.
  const bool can_ask = !target.empty();
  const bool asks_peers = can_ask && !purges.exceeds_limit && has_step("peers");
  const bool asks_parents =
      can_ask && (!purges.exceeds_limit || !has_step("origin")) && asker.tiers < contracts::kMaxTiers;
  Neighbours near;
  if (asks_peers && !view.settings.group.empty() && asker.kind != Asker::Kind::stranded)
    near = neighbours(making, peers, key);
  for (const auto& step : view.settings.fill) {
    if (step == "origin") add_origins(making, origins, *uri);
    if (step == "peers" && !is_peers) append_candidates(source.candidates, std::move(near.before));
    if (step == "parent" && asks_parents) add_parents(making, key);
  }
  if (source.candidates.empty()) add_origins(making, origins, *uri);
  append_candidates(source.candidates, std::move(near.behind));
  return source;
}

}  // namespace tribune::cache_node
