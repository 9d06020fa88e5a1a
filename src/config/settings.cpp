#include "config/settings.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "config/nearest_key.h"

namespace tribune::config {

namespace {

/// The format of a text that is not JSON; empty when it is not recognised.
std::string other_form(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf"))
    return "the file begins with a byte order mark (BOM): save it as UTF-8 without one";
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") ||
      text.substr(0, 4).find('\0') != std::string_view::npos)
    return "the file is UTF-16, not UTF-8: save it as UTF-8";
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos)
    return "the file is empty; a configuration is one JSON object: { \"front\": { … }, … }";
  const auto line = text.substr(first, text.find('\n', first) - first);
  const bool is_yaml =
      line.starts_with("---") || line.starts_with("#") ||
      (line.find_first_of("{[\"/") == std::string_view::npos && line.find(':') != std::string_view::npos);
  return is_yaml ? "the file looks like YAML; a configuration is JSON: { \"front\": { … }, … }" : "";
}

/// The position after the quoted text or comment that begins here; npos when it does not end.
std::size_t past_text(std::string_view text, std::size_t at) {
  if (text[at] == '"') {
    for (++at; at < text.size(); ++at)
      if (text[at] == '\\')
        ++at;
      else if (text[at] == '"')
        return at + 1;
    return std::string_view::npos;
  }
  const auto end = text[at + 1] == '/' ? text.find('\n', at) : text.find("*/", at + 2);
  return end == std::string_view::npos ? end : end + 2 - (text[at + 1] == '/');
}

/// "front.listen[1]": the key of the value at this offset of a text that may be malformed there.
std::string key_at(std::string_view text, std::size_t offset) {
  struct Frame {
    bool is_list;
    std::size_t index = 0;
    std::string name = {};
  };
  std::vector<Frame> open;
  std::string last;
  for (std::size_t at = 0; at < std::min(offset, text.size());) {
    const char c = text[at];
    const bool is_comment = c == '/' && at + 1 < text.size() && (text[at + 1] == '/' || text[at + 1] == '*');
    if (c == '"' || is_comment) {
      const auto end = past_text(text, at);
      if (end == std::string_view::npos || end > offset) break;
      if (c == '"') last = text.substr(at + 1, end - at - 2);
      at = end;
      continue;
    }
    if (c == '{' || c == '[')
      open.push_back({c == '['});
    else if ((c == '}' || c == ']') && !open.empty())
      open.pop_back();
    else if (c == ':' && !open.empty())
      open.back().name = last;
    else if (c == ',' && !open.empty())
      ++open.back().index, open.back().name.clear();
    ++at;
  }
  std::string key;
  for (const auto& frame : open)
    if (frame.is_list)
      key += "[" + std::to_string(frame.index) + "]";
    else if (!frame.name.empty())
      key += (key.empty() ? "" : ".") + frame.name;
  return key;
}

/// Entries of a list of objects with an "id" must have different ones; the problem is reported at the second one.
void refuse_twins(const base::json::Value& value, const std::string& key, Problems& problems) {
  for (const auto& member : value.object)
    refuse_twins(member.value, key.empty() ? member.name : key + "." + member.name, problems);
  std::map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < value.array.size(); ++i) {
    const auto at = key + "[" + std::to_string(i) + "]";
    refuse_twins(value.array[i], at, problems);
    const auto* id = value.array[i].find("id");
    if (!id || !id->is(base::json::Kind::string)) continue;
    const auto [first, is_new] = seen.emplace(id->string, i);
    if (!is_new)
      problems.add(id->offset, at + ".id",
                   "\"" + base::json::escape(id->string) + "\" is used twice: " + key + "[" +
                       std::to_string(first->second) + "] has the same id");
  }
}

}  // namespace

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
  if (auto other = other_form(text); !root && !other.empty()) return {std::nullopt, {{0, "", std::move(other)}}};
  if (!root) return {std::nullopt, {{root.error().offset, key_at(text, root.error().offset), root.error().text}}};
  if (!root->is(base::json::Kind::object))
    return {std::nullopt, {{root->offset, "", "a configuration is one JSON object: { \"front\": { … }, … }"}}};

  Settings settings;
  auto problems = read_sections(*root, settings);
  refuse_twins(*root, "", problems);
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
      problems.add(root.offset, entry.name, "is required but missing; add the section: \"" + entry.name + "\": { … }");
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
    const auto place = base::json::position_of(text, problem.offset);
    out += std::string(file) + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": ";
    if (!problem.key.empty()) out += problem.key + ": ";
    out += problem.text + "\n";
  }
  return out;
}

}  // namespace tribune::config
