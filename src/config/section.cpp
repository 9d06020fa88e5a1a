#include "config/section.h"

#include <algorithm>
#include <set>

#include "config/nearest_key.h"

namespace tribune::config {
namespace {

std::vector<std::string> names_of(const std::vector<FieldDoc>& fields) {
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (const auto& field : fields) names.push_back(field.name);
  return names;
}

std::string joined(std::string_view key, std::string_view name) {
  return key.empty() ? std::string(name) : std::string(key) + "." + std::string(name);
}

}  // namespace

void read_object(const base::json::Value& object, std::string_view key, const std::vector<FieldDoc>& fields,
                 const std::vector<MovedKey>& moved,
                 const std::function<void(std::size_t field, const base::json::Value&)>& read, Problems& problems) {
  if (!object.is(base::json::Kind::object)) {
    problems.add(object.offset, key, "must be an object: { \"key\": value, … }");
    return;
  }
  std::set<std::string_view> seen;
  for (const auto& member : object.object) {
    const auto member_key = joined(key, member.name);
    if (!seen.insert(member.name).second) {
      problems.add(member.name_offset, member_key, "is set twice; a key may be set only once");
      continue;
    }
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == member.name; });
    const auto former = std::find_if(moved.begin(), moved.end(), [&](const auto& m) { return m.name == member.name; });
    if (field != fields.end())
      read(static_cast<std::size_t>(field - fields.begin()), member.value);
    else if (former != moved.end())
      problems.add(member.name_offset, member_key, "is now " + former->now);
    else
      problems.add(member.name_offset, member_key, unknown_key_text(member.name, names_of(fields)));
  }
  for (const auto& field : fields)
    if (field.default_text.empty() && !seen.contains(field.name))
      problems.add(
          object.offset, joined(key, field.name),
          "is required but missing; its type is " + field.type + (field.allowed.empty() ? "" : ": " + field.allowed));
}

}  // namespace tribune::config
