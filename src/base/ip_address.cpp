#include "base/ip_address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

#include "base/hash.h"

namespace tribune::base {
namespace {

// WHY: inet_ntop formats IPv4 with snprintf, about 2,000 instructions, and this runs for each routed request.
std::string ipv4_text(const std::uint8_t* four_bytes) {
  std::array<char, INET_ADDRSTRLEN> buffer;
  char* at = buffer.data();
  for (int i = 0; i < 4; ++i) {
    if (i > 0) *at++ = '.';
    at = std::to_chars(at, buffer.data() + buffer.size(), four_bytes[i]).ptr;
  }
  return {buffer.data(), at};
}

}  // namespace

std::string IpAddress::text() const {
  if (is_ipv4()) return ipv4_text(bytes.data() + 12);
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  ::inet_ntop(AF_INET6, bytes.data(), buffer.data(), buffer.size());
  return buffer.data();
}

std::size_t IpAddressHash::operator()(const IpAddress& address) const {
  std::array<std::uint64_t, 2> halves;
  std::memcpy(halves.data(), address.bytes.data(), sizeof halves);
  return combined_hash(halves[0], halves[1]);
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.empty() || text.size() >= buffer.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  text.copy(buffer.data(), text.size());
  std::array<std::uint8_t, 4> four;
  if (::inet_pton(AF_INET, buffer.data(), four.data()) == 1) return IpAddress::ipv4(four);
  IpAddress six;
  if (::inet_pton(AF_INET6, buffer.data(), six.bytes.data()) == 1) return six;
  return std::nullopt;
}

std::string IpPrefix::text() const {
  return address.text() + "/" + std::to_string(address.is_ipv4() && bits >= 96 ? bits - 96 : bits);
}

std::optional<IpPrefix> parse_ip_prefix(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ip(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return IpPrefix{*address};
  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size() || length > 128) return std::nullopt;
  const int bits = static_cast<int>(length);
  if (!address->is_ipv4()) return IpPrefix{*address, bits};
  if (bits <= 32) return IpPrefix{*address, bits + 96};
  const bool is_written_as_ipv6 = text.find(':') != std::string_view::npos;
  return is_written_as_ipv6 && bits >= 96 ? std::optional(IpPrefix{*address, bits}) : std::nullopt;
}

Result<PrefixList> PrefixList::parse(const std::vector<std::string>& prefixes) {
  PrefixList list;
  for (const auto& text : prefixes) {
    const auto prefix = parse_ip_prefix(text);
    if (!prefix) return failure(ErrorKind::invalid_input, Fault::tribune, "not an address prefix: " + text);
    list.prefixes_.push_back(*prefix);
  }
  return list;
}

bool PrefixList::contains(const IpAddress& address) const {
  return std::any_of(prefixes_.begin(), prefixes_.end(), [&](const IpPrefix& p) { return p.contains(address); });
}

}  // namespace tribune::base
