#include "contracts/ticket.h"

#include <algorithm>
#include <array>
#include <limits>

#include "contracts/canonical.h"
#include "contracts/signed_payload.h"

namespace tribune::contracts {
namespace {

using base::KeyRing;

constexpr std::size_t kQueueBytes = 4, kLaneBytes = 1, kNumberBytes = 8, kTicketSessionBytes = 8, kIssuedBytes = 4;
constexpr PayloadVersion kTicketWithoutOwner{
    1, kQueueBytes + kLaneBytes + kNumberBytes + kTicketSessionBytes + kIssuedBytes};
constexpr PayloadVersion kTicketWithOwner{2, kTicketWithoutOwner.field_bytes, true};
constexpr PayloadVersion kTicketWithEntitled{3, kTicketWithoutOwner.field_bytes, true, true};
constexpr std::array kTicketVersions{kTicketWithoutOwner, kTicketWithOwner, kTicketWithEntitled};
constexpr PayloadKind kTicketKind{KeyRing::Purpose::ticket, "ticket", kTicketVersions};
static_assert(kMaxTicketCharacters == most_characters(kTicketWithEntitled));

const PayloadVersion& ticket_version_for(const Owner& owner) {
  return owner.entitled ? kTicketWithEntitled : owner.account.empty() ? kTicketWithoutOwner : kTicketWithOwner;
}

}  // namespace

std::string write_ticket(const KeyRing& ring, const Ticket& ticket, base::WallTime now) {
  if (ticket.issued < 0 || ticket.issued > std::numeric_limits<std::uint32_t>::max()) return "";
  SignedPayload payload{ticket_version_for(ticket.owner), ticket.links, {}, ticket.owner};
  append_field(payload.fields, ticket.queue, kQueueBytes);
  append_field(payload.fields, ticket.lane, kLaneBytes);
  append_field(payload.fields, ticket.number, kNumberBytes);
  append_field(payload.fields, ticket.session, kTicketSessionBytes);
  append_field(payload.fields, static_cast<std::uint64_t>(ticket.issued), kIssuedBytes);
  return write_signed(ring, kTicketKind, ticket.channel, payload, now);
}

base::Result<Ticket> read_ticket(const KeyRing& ring, std::string_view channel, std::string_view text,
                                 base::WallTime now, std::chrono::milliseconds skew) {
  auto payload = read_signed(ring, kTicketKind, channel, text, now);
  if (!payload) return tl::unexpected(std::move(payload.error()));
  std::string_view fields = payload->fields;
  Ticket ticket;
  ticket.channel = channel;
  ticket.links = payload->links;
  ticket.queue = static_cast<std::uint32_t>(take_field(fields, kQueueBytes));
  ticket.lane = static_cast<std::uint8_t>(take_field(fields, kLaneBytes));
  ticket.number = take_field(fields, kNumberBytes);
  ticket.session = take_field(fields, kTicketSessionBytes);
  ticket.issued = static_cast<std::int64_t>(take_field(fields, kIssuedBytes));
  ticket.owner = std::move(payload->owner);
  const auto age = std::chrono::milliseconds(unix_ms(now) - ticket.issued * 1000);
  if (age < -skew) return forbidden(kTicketKind, " has a time in the future");
  return ticket;
}

base::Result<Ticket> read_ticket_out_of_time(const KeyRing& ring, std::string_view channel, std::string_view text) {
  return read_ticket(ring, channel, text, good_moment_of(ring, text), kAnySkew);
}

bool looks_like_ticket(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return false;
  const auto characters = text.size() - dot - 1;
  return std::any_of(kTicketVersions.begin(), kTicketVersions.end(),
                     [&](const PayloadVersion& version) { return has_length_of(version, characters); });
}

}  // namespace tribune::contracts
