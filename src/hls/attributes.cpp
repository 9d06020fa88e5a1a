#include "hls/attributes.h"

#include <algorithm>

#include "base/bytes.h"
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
    if (out.size() == kMaxAttributes) return "too many attributes";
    const auto equals = line.find('=', at);
    if (equals == std::string_view::npos) return "an attribute has no value";
    Attribute attribute;
    attribute.name = base::trimmed(line.substr(at, equals - at));
    if (attribute.name.empty() || attribute.name.find_first_of(",\"") != std::string_view::npos)
      return "an attribute has no name or no value";
    attribute.name_begin = static_cast<std::uint32_t>(at);
    std::size_t begin = skip_spaces(line, equals + 1);
    std::size_t end = 0;
    if (begin < line.size() && line[begin] == '"') {
      const auto quote = line.find('"', ++begin);
      if (quote == std::string_view::npos) return "a quoted attribute value has no closing quote";
      attribute.quoted = true;
      attribute.value = line.substr(begin, quote - begin);
      end = quote + 1;
    } else {
      attribute.value = base::trimmed(line.substr(begin, line.find(',', begin) - begin));
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

std::string salvaged_attributes(std::string_view line, std::size_t from) {
  auto text = line.substr(std::min(from, line.size()));
  std::string kept;
  std::vector<Attribute> one;
  std::size_t count = 0;
  bool is_quoted_on = true;  // whether a closing quote follows
  while (!text.empty() && count < kMaxAttributes) {
    const auto comma = std::min(text.find(','), text.size());
    const auto equals = text.substr(0, comma).find('=');
    auto end = comma;
    if (equals != std::string_view::npos && is_quoted_on) {
      const auto quote = skip_spaces(text, equals + 1);
      if (quote < text.size() && text[quote] == '"') {
        const auto closing = text.find('"', quote + 1);
        is_quoted_on = closing != std::string_view::npos;
        if (is_quoted_on) end = std::min(text.find(',', closing), text.size());
      }
    }
    const auto piece = text.substr(0, end);
    if (!read_attributes(piece, 0, one) && one.size() == 1) {
      if (!kept.empty()) kept += ',';
      kept += base::trimmed(piece);
      ++count;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return kept;
}

const Attribute* find(const std::vector<Attribute>& attributes, std::string_view name) {
  for (const auto& a : attributes)
    if (a.name == name) return &a;
  return nullptr;
}

}  // namespace tribune::hls
