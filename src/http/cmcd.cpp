#include "http/cmcd.h"

#include <algorithm>
#include <charconv>

#include "http/structured_field.h"
#include "http/uri.h"

namespace tribune::http {
namespace {

constexpr std::uint32_t kLongestBufferMs = 3'600'000;
constexpr std::uint32_t kHighestBitrateKbps = 1'000'000;
constexpr std::uint32_t kHighestThroughputKbps = 100'000'000;
constexpr std::size_t kLongestSession = 64;

using CmcdType = DictionaryMember::Type;

std::optional<std::uint32_t> number(const DictionaryMember& member, std::uint32_t highest) {
  if (member.type != CmcdType::integer && member.type != CmcdType::string) return std::nullopt;
  const auto text = member.value;
  std::uint32_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (wrong != std::errc{} || end != text.data() + text.size() || value > highest) return std::nullopt;
  return value;
}

/// Accepts members that do not obey the grammar to the letter, as an unquoted session id.
void take(const DictionaryMember& member, Cmcd& into) {
  if (member.type == CmcdType::malformed && (!member.has_value || member.value.empty())) return;
  if (member.key == "bs")
    into.starved = member.value == (member.type == CmcdType::boolean ? "1" : "true");
  else if (member.key == "bl")
    into.buffer_ms = number(member, kLongestBufferMs);
  else if (member.key == "br")
    into.bitrate_kbps = number(member, kHighestBitrateKbps);
  else if (member.key == "mtp")
    into.throughput_kbps = number(member, kHighestThroughputKbps);
  else if (member.key == "nor")
    into.names_next = member.has_value;
  else if (member.key == "sid" && member.type != CmcdType::boolean && member.value.size() <= kLongestSession)
    into.session = member.value;
}

bool is_cmcd(std::string_view header) {
  constexpr std::string_view kPrefix = "cmcd-";
  return header.size() > kPrefix.size() && std::equal(kPrefix.begin(), kPrefix.end(), header.begin(),
                                                      [](char a, char b) { return a == (b | 0x20) || a == b; });
}

}  // namespace

void parse_cmcd(std::string_view text, Cmcd& into) {
  DictionaryReader reader(text);
  DictionaryMember member;
  for (int count = 0; count < kMaxCmcdMembers && reader.next(member); ++count) take(member, into);
}

std::optional<Cmcd> read_cmcd(const Headers& headers, std::string_view query) {
  Cmcd read;
  if (query.find("CMCD=") != std::string_view::npos)
    if (const auto text = query_decoded(query, "CMCD")) parse_cmcd(*text, read);
  if (read.empty())
    for (const auto& field : headers.all())
      if (is_cmcd(field.name)) parse_cmcd(field.value, read);
  if (read.empty()) return std::nullopt;
  return read;
}

}  // namespace tribune::http
