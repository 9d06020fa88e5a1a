#pragma once
// The sample configurations of conf/. Their values stand here, their comments in the tables that parse them.

#include <string>
#include <string_view>
#include <vector>

namespace tribune::app {

std::vector<std::string> sample_names();

/// The text of conf/{name}.json; empty for an unknown name.
std::string sample_text(std::string_view name);

}  // namespace tribune::app
