#include "balancer/steering/steering_manifest.h"

#include <algorithm>

#include "balancer/routing/pathways.h"
#include "base/json.h"
#include "contracts/canonical.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

/// A larger throughput is a mistake of the player.
constexpr std::int64_t kMaxBitsPerSecond = 1'000'000'000'000;

constexpr std::size_t kMaxClones = 2;

bool has(const std::vector<std::string>& list, std::string_view one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

std::string unquoted(std::string text) {
  const bool is_quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return is_quoted ? text.substr(1, text.size() - 2) : text;
}

}  // namespace

SteeringQuery parse_steering_query(std::string_view text) {
  SteeringQuery query;
  query.session = http::query_decoded(text, "session").value_or("");
  query.listed = read_pathways(http::query_decoded(text, "pathways").value_or(""));
  auto pathway = unquoted(http::query_decoded(text, "_HLS_pathway").value_or(""));
  if (is_pathway(pathway)) query.pathway = std::move(pathway);
  const auto throughput = contracts::read_decimal(http::query_decoded(text, "_HLS_throughput").value_or(""));
  if (throughput && *throughput <= kMaxBitsPerSecond) query.throughput_bps = *throughput;
  return query;
}

std::vector<std::string> order_of(const std::vector<GroupStanding>& standings, bool may_use_origin) {
  std::vector<std::string> order;
  for (const auto& standing : standings)
    if (standing.is_open) order.emplace_back(standing.group);
  if (may_use_origin) order.emplace_back(kOriginPathway);
  for (const auto& standing : standings)
    if (!standing.is_open) order.emplace_back(standing.group);
  return order;
}

std::vector<GroupStanding> best_of(std::vector<GroupStanding> standings, std::size_t most) {
  if (standings.size() <= most || most == 0) return standings;
  const auto last = standings.begin() + static_cast<std::ptrdiff_t>(most) - 1;
  const auto open = std::find_if(standings.begin(), standings.end(), [](const GroupStanding& s) { return s.is_open; });
  if (open != standings.end() && open > last) *last = *open;
  standings.resize(most);
  return standings;
}

bool is_under_pressure(const std::vector<GroupStanding>& standings, const std::vector<std::string>& order,
                       std::string_view pathway) {
  if (standings.empty() || !standings.front().is_open || standings.front().is_strained) return true;
  return !pathway.empty() && !order.empty() && pathway != order.front();
}

SteeringManifest manifest_for(const SteeringQuery& query, std::vector<std::string> order) {
  SteeringManifest made;
  if (query.listed.empty()) {
    made.priority = std::move(order);
  } else {
    made.base = query.listed.front();
    bool met_listed = false;
    for (auto& pathway : order) {
      const bool is_listed = has(query.listed, pathway);
      met_listed |= is_listed;
      if (!is_listed && (met_listed || made.clones.size() >= kMaxClones)) continue;
      if (!is_listed) made.clones.push_back(pathway);
      made.priority.push_back(std::move(pathway));
    }
    for (const auto& pathway : query.listed)
      if (!has(made.priority, pathway)) made.priority.push_back(pathway);
  }
  if (made.priority.empty()) made.priority.emplace_back(".");  // the pathway of variants without PATHWAY-ID
  return made;
}

std::string to_json(const SteeringManifest& manifest) {
  base::json::Writer w;
  w.begin_object().member("VERSION", std::int64_t{1}).member("TTL", std::int64_t{manifest.ttl.count()});
  if (!manifest.reload_uri.empty()) w.member("RELOAD-URI", manifest.reload_uri);
  w.key("PATHWAY-PRIORITY").begin_array();
  for (const auto& pathway : manifest.priority) w.value(pathway);
  w.end_array();
  if (!manifest.clones.empty()) {
    w.key("PATHWAY-CLONES").begin_array();
    for (const auto& clone : manifest.clones) {
      w.begin_object().member("BASE-ID", manifest.base).member("ID", clone);
      w.key("URI-REPLACEMENT")
          .begin_object()
          .key("PARAMS")
          .begin_object()
          .member(kCloneKey, clone)
          .end_object()
          .end_object()
          .end_object();
    }
    w.end_array();
  }
  return w.end_object().take();
}

std::string steering_query(std::string_view session, const std::vector<std::string>& listed) {
  std::string query;
  if (!session.empty()) query.append("session=").append(session).append("&");
  return query.append("pathways=").append(to_text(listed));
}

}  // namespace tribune::balancer
