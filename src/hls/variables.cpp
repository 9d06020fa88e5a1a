#include "hls/variables.h"

#include <fmt/format.h>

#include "hls/text.h"

namespace tribune::hls {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_name(std::string_view name) {
  for (const char c : name)
    if (!is_name_character(c)) return false;
  return !name.empty();
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The decoded value of a query key (section 4.4.2.3: "percent-decoded"). This library may not include http/.
std::optional<std::string> query_parameter(std::string_view query, std::string_view key) {
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) != key) continue;
    const auto raw = equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    std::string value;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const bool escape =
          raw[i] == '%' && i + 2 < raw.size() && hex_value(raw[i + 1]) >= 0 && hex_value(raw[i + 2]) >= 0;
      value += escape ? static_cast<char>(hex_value(raw[i + 1]) * 16 + hex_value(raw[i + 2])) : raw[i];
      if (escape) i += 2;
    }
    return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Reference> next_reference(std::string_view text, std::size_t from) {
  for (auto at = text.find("{$", from); at != std::string_view::npos; at = text.find("{$", at)) {
    auto close = at + 2;
    while (close < text.size() && is_name_character(text[close])) ++close;
    const auto name = text.substr(at + 2, close - at - 2);
    if (!name.empty() && close < text.size() && text[close] == '}') return Reference{at, close + 1 - at, name};
    at = close;
  }
  return std::nullopt;
}

const std::string* Variables::find(std::string_view name) const {
  const auto at = index_.find(std::string(name));
  return at == index_.end() ? nullptr : &defined_[at->second].second;
}

base::Result<std::string> Variables::substitute(std::size_t line, std::string_view text) {
  auto reference = next_reference(text, 0);
  if (!reference) return std::string(text);
  std::string out;
  std::size_t done = 0;
  while (reference) {
    const auto* value = find(reference->name);
    if (!value)
      return playlist_error(line, fmt::format("the variable {} is not defined before it is used", reference->name));
    out.append(text.substr(done, reference->begin - done)).append(*value);
    if (out.size() > context_.limits.max_variable_bytes)
      return playlist_error(line, "too long after variable substitution", base::ErrorKind::too_large);
    done = reference->begin + reference->length;
    reference = next_reference(text, done);
  }
  out.append(text.substr(done));
  if (out.size() > context_.limits.max_variable_bytes || out.size() > budget_)
    return playlist_error(line, "too long after variable substitution", base::ErrorKind::too_large);
  budget_ -= out.size();
  return out;
}

base::Result<std::string> Variables::value_of(std::size_t line, const Attribute& source, const Attribute* value) {
  if (source.name == "NAME") {
    if (!value) return playlist_error(line, "EXT-X-DEFINE has a NAME and no VALUE");
    return substitute(line, value->value);
  }
  if (source.name == "QUERYPARAM") {
    auto found = query_parameter(context_.query, source.value);
    if (!found)
      return playlist_error(line, fmt::format("the URL of the playlist has no query parameter {}", source.value));
    return std::move(*found);
  }
  for (const auto& [name, imported] : context_.imports)
    if (name == source.value) return imported;
  return playlist_error(line, fmt::format("the variable {} to import is not defined", source.value));
}

base::Status Variables::define(std::size_t line, const std::vector<Attribute>& attributes) {
  const Attribute* source = nullptr;
  for (const std::string_view name : {"NAME", "IMPORT", "QUERYPARAM"}) {
    const auto* attribute = hls::find(attributes, name);
    if (attribute && source)
      return playlist_error(line, "EXT-X-DEFINE has more than one of NAME, IMPORT and QUERYPARAM");
    if (attribute) source = attribute;
  }
  if (!source) return playlist_error(line, "EXT-X-DEFINE has none of NAME, IMPORT and QUERYPARAM");
  if (!is_name(source->value)) return playlist_error(line, "EXT-X-DEFINE has an invalid variable name");
  if (find(source->value)) return playlist_error(line, fmt::format("the variable {} is defined twice", source->value));
  if (defined_.size() >= static_cast<std::size_t>(context_.limits.max_variables))
    return playlist_error(line, "too many variables", base::ErrorKind::too_large);
  auto value = value_of(line, *source, hls::find(attributes, "VALUE"));
  if (!value) return tl::unexpected(value.error());
  if (value->size() > context_.limits.max_variable_bytes || value->size() > budget_)
    return playlist_error(line, "the value of the variable is too long", base::ErrorKind::too_large);
  budget_ -= value->size();
  index_.emplace(source->value, defined_.size());
  defined_.emplace_back(source->value, std::move(*value));
  return {};
}

}  // namespace tribune::hls
