#include "hls/attributes.h"

#include "hls/text.h"

namespace tribune::hls {
namespace {

std::size_t skip_spaces(std::string_view line, std::size_t at) {
  while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
  return at;
}

}  // namespace

std::optional<std::string_view> read_attributes(std::string_view line, std::size_t at, std::vector<Attribute>& out) {
  out.clear();
  at = skip_spaces(line, at);
  while (at < line.size()) {
    const auto equals = line.find('=', at);
    if (equals == std::string_view::npos) return "an attribute has no value";
    Attribute attribute;
    attribute.name = trimmed(line.substr(at, equals - at));
    if (attribute.name.empty() || attribute.name.find_first_of(",\"") != std::string_view::npos)
      return "an attribute has no name or no value";
    attribute.name_begin = static_cast<std::uint32_t>(at);
    std::size_t begin = skip_spaces(line, equals + 1);
    std::size_t end = 0;
    if (begin < line.size() && line[begin] == '"') {
      const auto quote = line.find('"', ++begin);
      if (quote == std::string_view::npos) return "a quoted attribute has no end";
      attribute.quoted = true;
      attribute.value = line.substr(begin, quote - begin);
      end = quote + 1;
    } else {
      attribute.value = trimmed(line.substr(begin, line.find(',', begin) - begin));
      end = begin + attribute.value.size();
    }
    attribute.begin = static_cast<std::uint32_t>(begin);
    attribute.end = static_cast<std::uint32_t>(end);
    out.push_back(attribute);
    at = skip_spaces(line, end);
    if (at == line.size()) break;
    if (line[at] != ',') return "attributes are not separated by commas";
    at = skip_spaces(line, at + 1);
  }
  return std::nullopt;
}

const Attribute* find(const std::vector<Attribute>& attributes, std::string_view name) {
  for (const auto& a : attributes)
    if (a.name == name) return &a;
  return nullptr;
}

}  // namespace tribune::hls
