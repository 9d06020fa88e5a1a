#include "http/cmcd.h"

#include <algorithm>
#include <charconv>

#include "http/uri.h"

namespace tribune::http {
namespace {

constexpr std::uint32_t kLongestBufferMs = 3'600'000;
constexpr std::uint32_t kHighestBitrateKbps = 1'000'000;
constexpr std::uint32_t kHighestThroughputKbps = 100'000'000;
constexpr std::size_t kLongestSession = 64;

struct CmcdMember {
  std::string_view key;
  std::string_view value;  // of a text without its quotes; escapes stand as they came
  bool has_value = false;
};

/// The length of a quoted text with its quotes; npos when it does not end.
std::size_t quoted_length(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return std::string_view::npos;
}

/// Takes the next member off the text; nothing at its end, and from a damaged one on.
std::optional<CmcdMember> take_member(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  CmcdMember member;
  const auto end_of_key = std::min(text.find_first_of("=,"), text.size());
  member.key = text.substr(0, end_of_key);
  text.remove_prefix(end_of_key);
  if (text.starts_with('=')) {
    text.remove_prefix(1);
    member.has_value = true;
    const bool is_text = text.starts_with('"');
    const auto length = is_text ? quoted_length(text) : std::min(text.find(','), text.size());
    if (length == std::string_view::npos) return std::nullopt;
    member.value = is_text ? text.substr(1, length - 2) : text.substr(0, length);
    text.remove_prefix(length);
  }
  if (!text.empty() && !text.starts_with(',')) return std::nullopt;
  text.remove_prefix(std::min<std::size_t>(1, text.size()));
  while (member.key.starts_with(' ')) member.key.remove_prefix(1);
  return member;
}

std::optional<std::uint32_t> number(std::string_view text, std::uint32_t highest) {
  std::uint32_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (wrong != std::errc{} || end != text.data() + text.size() || value > highest) return std::nullopt;
  return value;
}

void take(const CmcdMember& member, Cmcd& into) {
  if (member.key == "bs")
    into.starved = !member.has_value || member.value == "true";
  else if (member.key == "bl")
    into.buffer_ms = number(member.value, kLongestBufferMs);
  else if (member.key == "br")
    into.bitrate_kbps = number(member.value, kHighestBitrateKbps);
  else if (member.key == "mtp")
    into.throughput_kbps = number(member.value, kHighestThroughputKbps);
  else if (member.key == "nor")
    into.names_next = member.has_value;
  else if (member.key == "sid" && member.value.size() <= kLongestSession)
    into.session = member.value;
}

bool is_cmcd(std::string_view header) {
  constexpr std::string_view kPrefix = "cmcd-";
  return header.size() > kPrefix.size() && std::equal(kPrefix.begin(), kPrefix.end(), header.begin(),
                                                      [](char a, char b) { return a == (b | 0x20) || a == b; });
}

}  // namespace

void parse_cmcd(std::string_view text, Cmcd& into) {
  for (int count = 0; count < kMaxCmcdMembers; ++count) {
    const auto member = take_member(text);
    if (!member) return;
    take(*member, into);
  }
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
