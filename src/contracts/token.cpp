#include "contracts/token.h"

#include <limits>

#include "base/encoding.h"
#include "contracts/canonical.h"

namespace tribune::contracts {
namespace {

using base::KeyRing;

constexpr std::size_t kFormerPayloadBytes = 1 + 4 + 8;
constexpr std::size_t kPayloadBytes = kFormerPayloadBytes + 3;
constexpr char kFormerVersion = 0x10;  // the upper half of the first byte; the lower half is the links mode
constexpr char kVersion = 0x20;
constexpr std::uint32_t kMarkBits = 0xffffff;

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

std::uint64_t read_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string message_of(std::string_view channel, std::string_view payload) {
  return std::string(channel).append("\n").append(payload);
}

tl::unexpected<base::Error> forbidden(std::string text) {
  return base::failure(base::ErrorKind::forbidden, base::Fault::client, std::move(text));
}

}  // namespace

std::string write_token(const KeyRing& ring, const Token& token, base::WallTime now) {
  const bool writable = is_id(token.channel) && token.links != LinksMode::automatic && token.opened >= 0 &&
                        token.opened <= std::numeric_limits<std::uint32_t>::max() && token.first_node <= kMarkBits;
  if (!writable) return "";
  std::string payload(1, static_cast<char>(kVersion | (token.links == LinksMode::redirect ? 1 : 0)));
  append_big_endian(payload, static_cast<std::uint64_t>(token.opened), 4);
  append_big_endian(payload, token.session, 8);
  append_big_endian(payload, token.first_node, 3);
  const auto signature = ring.sign(KeyRing::Purpose::token, message_of(token.channel, payload), now);
  if (!signature) return "";
  return signature->key_id + "." + base::to_base64url(payload + signature->mac);
}

base::Result<Token> read_token(const KeyRing& ring, std::string_view channel, std::string_view text, base::WallTime now,
                               std::chrono::milliseconds skew) {
  if (text.size() > kMaxTokenCharacters) return forbidden("the session token is too long");
  const auto parts = split_exactly<2>(text, '.');
  if (!parts || !is_short_id((*parts)[0])) return forbidden("the session token is malformed");
  const auto bytes = base::from_base64url((*parts)[1]);
  if (!bytes || bytes->empty()) return forbidden("the session token is malformed");
  const bool is_former = (bytes->front() & 0xf0) == kFormerVersion;   // of a balancer that was not replaced yet
  const auto payload_bytes = is_former ? kFormerPayloadBytes : kPayloadBytes;
  if (bytes->size() != payload_bytes + base::kMacBytes) return forbidden("the session token is malformed");
  const auto payload = std::string_view(*bytes).substr(0, payload_bytes);
  const auto mac = std::string_view(*bytes).substr(payload_bytes);
  if (!ring.verify(KeyRing::Purpose::token, message_of(channel, payload), (*parts)[0], mac, now)) {
    return forbidden("the session token's signature does not fit");
  }
  const char head = payload[0], version = is_former ? kFormerVersion : kVersion;
  if (head != version && head != (version | 1)) return forbidden("the session token is of another version");
  Token token{std::string(channel), read_big_endian(payload.substr(5, 8)), static_cast<std::int64_t>(read_big_endian(payload.substr(1, 4))),
              head == version ? LinksMode::direct : LinksMode::redirect, static_cast<std::uint32_t>(read_big_endian(payload.substr(kFormerPayloadBytes)))};
  if (token.opened * 1000 > unix_ms(now) + skew.count()) return forbidden("the session token is from the future");
  return token;
}

std::uint32_t node_mark(std::string_view id) {
  if (id.empty()) return 0;
  std::uint32_t hash = 0x811c9dc5u;   // FNV-1a, folded
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193u;
  const auto mark = (hash >> 24 ^ hash) & kMarkBits;
  return mark == 0 ? 1 : mark;
}

std::string session_name(SessionId id) {
  // Not to_hex(), which takes the same time for every byte, as secrets want it: this one is no secret.
  std::string name(16, '0');
  for (std::size_t i = 0; i < name.size(); ++i) name[i] = "0123456789abcdef"[id >> (60 - 4 * i) & 0xf];
  return name;
}

}  // namespace tribune::contracts
