#include "contracts/token.h"

#include <array>
#include <limits>

#include "contracts/canonical.h"
#include "contracts/signed_payload.h"

namespace tribune::contracts {
namespace {

using base::KeyRing;

constexpr std::size_t kOpenedBytes = 4, kSessionBytes = 8, kMarkBytes = 3;
constexpr std::uint32_t kMarkBits = 0xffffff;
constexpr PayloadVersion kTokenWithoutOwner{2, kOpenedBytes + kSessionBytes + kMarkBytes};
constexpr PayloadVersion kTokenWithOwner{3, kTokenWithoutOwner.field_bytes, true};
constexpr PayloadVersion kTokenWithEntitled{4, kTokenWithoutOwner.field_bytes, true, true};
constexpr std::array kTokenVersions{
    PayloadVersion{1, kOpenedBytes + kSessionBytes},  // written by balancers of a former version
    kTokenWithoutOwner, kTokenWithOwner, kTokenWithEntitled};
constexpr PayloadKind kTokenKind{KeyRing::Purpose::token, "session token", kTokenVersions};
static_assert(kMaxTokenCharacters == most_characters(kTokenWithEntitled));

const PayloadVersion& token_version_for(const Owner& owner) {
  return owner.entitled ? kTokenWithEntitled : owner.account.empty() ? kTokenWithoutOwner : kTokenWithOwner;
}

}  // namespace

std::string write_token(const KeyRing& ring, const Token& token, base::WallTime now) {
  const bool writable =
      token.opened >= 0 && token.opened <= std::numeric_limits<std::uint32_t>::max() && token.first_node <= kMarkBits;
  if (!writable) return "";
  SignedPayload payload{token_version_for(token.owner), token.links, {}, token.owner};
  append_field(payload.fields, static_cast<std::uint64_t>(token.opened), kOpenedBytes);
  append_field(payload.fields, token.session, kSessionBytes);
  append_field(payload.fields, token.first_node, kMarkBytes);
  return write_signed(ring, kTokenKind, token.channel, payload, now);
}

base::Result<Token> read_token(const KeyRing& ring, std::string_view channel, std::string_view text, base::WallTime now,
                               std::chrono::milliseconds skew) {
  auto payload = read_signed(ring, kTokenKind, channel, text, now);
  if (!payload) return tl::unexpected(std::move(payload.error()));
  std::string_view fields = payload->fields;
  Token token;
  token.channel = channel;
  token.links = payload->links;
  token.opened = static_cast<std::int64_t>(take_field(fields, kOpenedBytes));
  token.session = take_field(fields, kSessionBytes);
  token.first_node = static_cast<std::uint32_t>(take_field(fields, fields.size()));
  token.owner = std::move(payload->owner);
  if (token.opened * 1000 > unix_ms(now) + skew.count()) return forbidden(kTokenKind, " has a time in the future");
  return token;
}

base::Result<Token> read_token_out_of_time(const KeyRing& ring, std::string_view channel, std::string_view text) {
  return read_token(ring, channel, text, good_moment_of(ring, text), kAnySkew);
}

std::uint32_t node_mark(std::string_view id) {
  if (id.empty()) return 0;
  std::uint32_t hash = 0x811c9dc5u;  // FNV-1a, folded
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193u;
  const auto mark = (hash >> 24 ^ hash) & kMarkBits;
  return mark == 0 ? 1 : mark;
}

std::string session_name(SessionId id) {
  // Not to_hex(), whose constant time is for secrets; this is not a secret.
  std::string name(16, '0');
  for (std::size_t i = 0; i < name.size(); ++i) name[i] = "0123456789abcdef"[id >> (60 - 4 * i) & 0xf];
  return name;
}

}  // namespace tribune::contracts
