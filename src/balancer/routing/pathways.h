#pragma once
// Pathways of HLS Content Steering in URLs: a playlist at `~{session}/~via/{pathway}/{path}` is the one at
// `~{session}/{path}` with its segments from the group of nodes that the pathway is named after, or from the origin. A
// relative reference stays in its pathway, so one rendered text serves all of them. Pure functions.

#include <string>
#include <string_view>
#include <vector>

namespace tribune::balancer {

/// Pathways of a list that are read; further ones are ignored.
inline constexpr std::size_t kMostPathways = 16;

/// The query key by which a player that cloned a pathway requests it (URI-REPLACEMENT PARAMS).
inline constexpr std::string_view kCloneKey = "tl-via";

/// The name of a group, or kOriginPathway.
bool is_pathway(std::string_view text);

/// "~via/{pathway}/"
std::string pathway_element(std::string_view pathway);

/// Removes the element from a path within a session, and returns its pathway; empty when there is none.
std::string take_pathway(std::string& path);

/// Parses a comma-separated list. An entry that is no pathway or a repetition is skipped.
std::vector<std::string> read_pathways(std::string_view text);
std::string to_text(const std::vector<std::string>& pathways);

}  // namespace tribune::balancer
