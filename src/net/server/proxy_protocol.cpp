#include "net/server/proxy_protocol.h"

#include <algorithm>
#include <charconv>

namespace tribune::net {
namespace {

using State = ProxyHeader::State;
using namespace std::string_view_literals;

constexpr auto kSignature2 = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr auto kSignature1 = "PROXY "sv;
constexpr std::size_t kMaxLine1 = 107;

ProxyHeader just(State state) { return {state, 0, std::nullopt, 0}; }

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || at != text.data() + text.size()) return std::nullopt;
  return port;
}

std::string_view next_field(std::string_view& line) {
  const auto space = line.find(' ');
  const auto word = line.substr(0, space);
  line = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
  return word;
}

ProxyHeader read_version_1(std::string_view bytes) {
  const auto end = bytes.substr(0, kMaxLine1).find("\r\n");
  if (end == std::string_view::npos) return just(bytes.size() < kMaxLine1 ? State::incomplete : State::invalid);
  ProxyHeader header{State::complete, end + 2, std::nullopt, 0};
  auto line = bytes.substr(kSignature1.size(), end - kSignature1.size());
  const auto family = next_field(line);
  if (family == "UNKNOWN") return header;
  if (family != "TCP4" && family != "TCP6") return just(State::invalid);
  const auto source = parse_ip(next_field(line));
  const auto destination = parse_ip(next_field(line));
  const auto source_port = parse_port(next_field(line));
  const auto destination_port = parse_port(line);
  if (!source || !destination || !source_port || !destination_port) return just(State::invalid);
  if (source->is_ipv4() != (family == "TCP4")) return just(State::invalid);
  header.client = source;
  header.client_port = *source_port;
  return header;
}

ProxyHeader read_version_2(std::string_view bytes) {
  if (bytes.size() < 16) return just(State::incomplete);
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
  const auto word = [&](std::size_t at) { return static_cast<std::uint16_t>(byte(at) << 8 | byte(at + 1)); };
  const int version = byte(12) >> 4, command = byte(12) & 0xf, family = byte(13);
  const std::size_t length = word(14);
  if (version != 2 || command > 1 || 16 + length > kMaxProxyHeaderBytes) return just(State::invalid);
  if (bytes.size() < 16 + length) return just(State::incomplete);
  ProxyHeader header{State::complete, 16 + length, std::nullopt, 0};
  if (command == 0) return header;  // LOCAL: the proxy's own health check
  if (family == 0x11) {
    if (length < 12) return just(State::invalid);
    IpAddress source;
    source.bytes[10] = source.bytes[11] = 0xff;
    std::copy_n(bytes.begin() + 16, 4, source.bytes.begin() + 12);
    header.client = source;
    header.client_port = word(24);
  } else if (family == 0x21) {
    if (length < 36) return just(State::invalid);
    IpAddress source;
    std::copy_n(bytes.begin() + 16, 16, source.bytes.begin());
    header.client = source;
    header.client_port = word(48);
  }
  return header;  // other families name no IP address
}

bool may_begin(std::string_view bytes, std::string_view signature) {
  const auto size = std::min(bytes.size(), signature.size());
  return bytes.substr(0, size) == signature.substr(0, size);
}

}  // namespace

ProxyHeader read_proxy_header(std::string_view bytes) {
  if (may_begin(bytes, kSignature2)) return read_version_2(bytes);
  if (!may_begin(bytes, kSignature1)) return just(State::invalid);
  return bytes.size() < kSignature1.size() ? just(State::incomplete) : read_version_1(bytes);
}

}  // namespace tribune::net
