#pragma once
// The sample configurations of conf/. samples.cpp contains their values; their comments come from the tables that parse
// the settings.

#include <string>
#include <string_view>
#include <vector>

namespace tribune::app {

std::vector<std::string> sample_names();

/// The text of conf/{name}.json; empty for an unknown name.
std::string sample_text(std::string_view name);

}  // namespace tribune::app
