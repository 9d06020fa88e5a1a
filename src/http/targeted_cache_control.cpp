#include "http/targeted_cache_control.h"

#include <map>
#include <string>

#include "http/structured_field.h"

namespace tribune::http {
namespace {

bool takes_seconds(std::string_view directive) {
  return directive == "max-age" || directive == "s-maxage" || directive == "stale-while-revalidate" ||
         directive == "stale-if-error";
}

/// The members of a valid dictionary, each key once, with its last value.
std::optional<std::map<std::string_view, DictionaryMember>> dictionary_of(std::string_view value) {
  std::map<std::string_view, DictionaryMember> members;
  DictionaryReader reader(value);
  for (DictionaryMember member; reader.next(member);) members.insert_or_assign(member.key, member);
  return reader.is_valid() ? std::optional(std::move(members)) : std::nullopt;
}

}  // namespace

std::optional<CacheControl> parse_targeted_cache_control(std::string_view value) {
  const auto members = dictionary_of(value);
  if (!members) return std::nullopt;
  std::string plain;  // the same directives as Cache-Control writes them
  for (const auto& [key, member] : *members) {
    if (takes_seconds(key)) {
      if (member.type != DictionaryMember::Type::integer) return std::nullopt;
      plain.append(",").append(key).append("=").append(member.value);
    } else if (member.type != DictionaryMember::Type::boolean || member.value != "0") {
      plain.append(",").append(key);
    }
  }
  if (plain.empty()) return std::nullopt;
  return parse_cache_control(plain);
}

}  // namespace tribune::http
