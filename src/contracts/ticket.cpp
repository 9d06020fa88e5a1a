#include "contracts/ticket.h"

#include <limits>

#include "base/encoding.h"
#include "contracts/canonical.h"

namespace tribune::contracts {
namespace {

using base::KeyRing;

constexpr std::size_t kPayloadBytes = 1 + 4 + 1 + 8 + 8 + 4;
constexpr std::size_t kTextCharacters = ((kPayloadBytes + base::kMacBytes) * 8 + 5) / 6;   // of base64url
constexpr char kVersion = 0x10;  // the upper half of the first byte; the lower half is the links mode
static_assert(kMaxTicketCharacters == 16 + 1 + kTextCharacters);

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

/// Takes `bytes` off the front.
std::uint64_t take_big_endian(std::string_view& from, std::size_t bytes) {
  std::uint64_t value = 0;
  for (const char c : from.substr(0, bytes)) value = value << 8 | static_cast<unsigned char>(c);
  from.remove_prefix(bytes);
  return value;
}

std::string message_of(std::string_view channel, std::string_view payload) {
  return std::string(channel).append("\n").append(payload);
}

tl::unexpected<base::Error> forbidden(std::string text) {
  return base::failure(base::ErrorKind::forbidden, base::Fault::client, std::move(text));
}

}  // namespace

std::string write_ticket(const KeyRing& ring, const Ticket& ticket, base::WallTime now) {
  const bool writable = is_id(ticket.channel) && ticket.links != LinksMode::automatic && ticket.issued >= 0 &&
                        ticket.issued <= std::numeric_limits<std::uint32_t>::max();
  if (!writable) return "";
  std::string payload(1, static_cast<char>(kVersion | (ticket.links == LinksMode::redirect ? 1 : 0)));
  append_big_endian(payload, ticket.queue, 4);
  append_big_endian(payload, ticket.lane, 1);
  append_big_endian(payload, ticket.number, 8);
  append_big_endian(payload, ticket.session, 8);
  append_big_endian(payload, static_cast<std::uint64_t>(ticket.issued), 4);
  const auto signature = ring.sign(KeyRing::Purpose::ticket, message_of(ticket.channel, payload), now);
  if (!signature) return "";
  return signature->key_id + "." + base::to_base64url(payload + signature->mac);
}

base::Result<Ticket> read_ticket(const KeyRing& ring, std::string_view channel, std::string_view text, base::WallTime now,
                                 std::chrono::milliseconds max_age, std::chrono::milliseconds skew) {
  if (text.size() > kMaxTicketCharacters) return forbidden("the ticket is too long");
  const auto parts = split_exactly<2>(text, '.');
  if (!parts || !is_short_id((*parts)[0])) return forbidden("the ticket is malformed");
  const auto bytes = base::from_base64url((*parts)[1]);
  if (!bytes || bytes->size() != kPayloadBytes + base::kMacBytes) return forbidden("the ticket is malformed");
  auto payload = std::string_view(*bytes).substr(0, kPayloadBytes);
  const auto mac = std::string_view(*bytes).substr(kPayloadBytes);
  if (!ring.verify(KeyRing::Purpose::ticket, message_of(channel, payload), (*parts)[0], mac, now)) {
    return forbidden("the ticket's signature does not fit");
  }
  const char head = payload[0];
  if (head != kVersion && head != (kVersion | 1)) return forbidden("the ticket is of another version");
  payload.remove_prefix(1);
  Ticket ticket;
  ticket.channel = channel;
  ticket.links = head == kVersion ? LinksMode::direct : LinksMode::redirect;
  ticket.queue = static_cast<std::uint32_t>(take_big_endian(payload, 4));
  ticket.lane = static_cast<std::uint8_t>(take_big_endian(payload, 1));
  ticket.number = take_big_endian(payload, 8);
  ticket.session = take_big_endian(payload, 8);
  ticket.issued = static_cast<std::int64_t>(take_big_endian(payload, 4));
  const auto age = std::chrono::milliseconds(unix_ms(now) - ticket.issued * 1000);
  if (age < -skew) return forbidden("the ticket is from the future");
  if (age > max_age + skew) return forbidden("the ticket has expired");
  return ticket;
}

bool looks_like_ticket(std::string_view text) {
  const auto dot = text.find('.');
  return dot != std::string_view::npos && text.size() - dot - 1 == kTextCharacters;
}

}  // namespace tribune::contracts
