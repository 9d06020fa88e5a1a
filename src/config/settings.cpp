#include "config/settings.h"

#include <algorithm>
#include <cstdlib>

#include "config/nearest_key.h"

namespace tribune::config {

bool Settings::has(std::string_view section) const {
  return std::any_of(sections_.begin(), sections_.end(), [&](const auto& entry) { return entry.first == section; });
}

const std::any& Settings::stored(std::string_view section) const {
  for (const auto& [name, value] : sections_)
    if (name == section) return value;
  std::abort();
}

Schema::Outcome Schema::read(std::string_view text) const {
  base::json::ParseLimits limits;
  limits.comments = true;
  const auto root = base::json::parse(text, limits);
  if (!root) return {std::nullopt, {{root.error().offset, "", root.error().text}}};
  if (!root->is(base::json::Kind::object))
    return {std::nullopt, {{root->offset, "", "a configuration is one JSON object: { \"front\": { … }, … }"}}};

  Settings settings;
  auto problems = read_sections(*root, settings);
  if (problems.none()) {
    for (const auto& rule : rules_) {
      const auto* section = root->find(rule.section);
      if (auto wrong = rule.holds(settings); !wrong.empty())
        problems.add(section ? section->offset : root->offset, rule.section, std::move(wrong));
    }
  }
  if (!problems.none()) return {std::nullopt, problems.all()};
  return {std::move(settings), {}};
}

Problems Schema::read_sections(const base::json::Value& root, Settings& settings) const {
  Problems problems;
  std::vector<std::string> names;
  for (const auto& entry : entries_) names.push_back(entry.name);
  for (const auto& member : root.object)
    if (std::find(names.begin(), names.end(), member.name) == names.end())
      problems.add(member.name_offset, member.name, unknown_key_text(member.name, names));

  for (const auto& entry : entries_) {
    const auto* value = root.find(entry.name);
    if (!value && entry.presence == Presence::required)
      problems.add(root.offset, entry.name, "is required and missing; it is a section: \"" + entry.name + "\": { … }");
    else if (value || entry.presence == Presence::defaulted)
      settings.sections_.emplace_back(entry.name, entry.read(value, problems));
  }
  return problems;
}

std::string describe(const std::vector<Problem>& problems, std::string_view file, std::string_view text) {
  auto sorted = problems;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  std::string out;
  for (const auto& problem : sorted) {
    const auto place = base::json::place_of(text, problem.offset);
    out += std::string(file) + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": ";
    if (!problem.key.empty()) out += problem.key + ": ";
    out += problem.text + "\n";
  }
  return out;
}

}  // namespace tribune::config
