#include "balancer/routing/pathways.h"

#include <algorithm>

#include "balancer/routing/node_selection.h"
#include "contracts/canonical.h"

namespace tribune::balancer {
namespace {

constexpr std::string_view kPathwayMark = "~via/";

}  // namespace

bool is_pathway(std::string_view text) { return text == kOriginPathway || contracts::is_id(text); }

std::string pathway_element(std::string_view pathway) { return std::string(kPathwayMark).append(pathway) + "/"; }

std::string take_pathway(std::string& path) {
  if (!path.starts_with(kPathwayMark)) return "";
  const auto end = path.find('/', kPathwayMark.size());
  if (end == std::string::npos) return "";
  auto pathway = path.substr(kPathwayMark.size(), end - kPathwayMark.size());
  if (!is_pathway(pathway)) return "";
  path.erase(0, end + 1);
  return pathway;
}

std::vector<std::string> read_pathways(std::string_view text) {
  std::vector<std::string> found;
  while (!text.empty() && found.size() < kMostPathways) {
    const auto comma = text.find(',');
    const auto one = text.substr(0, comma);
    if (is_pathway(one) && std::find(found.begin(), found.end(), one) == found.end()) found.emplace_back(one);
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
  }
  return found;
}

std::string to_text(const std::vector<std::string>& pathways) {
  std::string text;
  for (const auto& pathway : pathways) text.append(text.empty() ? "" : ",").append(pathway);
  return text;
}

}  // namespace tribune::balancer
