#include "contracts/ticket.h"

#include <string>

#include <doctest/doctest.h>

#include "contracts/keys.h"
#include "contracts/token.h"

using namespace tribune;
using namespace std::chrono_literals;
using contracts::Ticket;

namespace {

const Ticket kTicket{
    "main", 0xdeadbeef, 3, 1'234'567, 0x0123456789abcdef, base::unix_seconds(test::kNow), contracts::LinksMode::direct};

std::string written() { return contracts::write_ticket(test::one_key(), kTicket, test::kNow); }

base::Result<Ticket> read_example(std::string_view channel, const std::string& text, base::WallTime now = test::kNow) {
  return contracts::read_ticket(test::one_key(), channel, text, now, test::kSkew);
}

}  // namespace

TEST_CASE("a ticket is read as it was written, for its channel and its keys only") {
  REQUIRE(read_example("main", written()));
  CHECK(*read_example("main", written()) == kTicket);
  CHECK_FALSE(read_example("other", written()));
  CHECK_FALSE(contracts::read_ticket(test::other_key(), "main", written(), test::kNow, test::kSkew));
  CHECK(written().size() <= contracts::kMaxTicketCharacters);
}

TEST_CASE("a ticket with any flipped bit, truncated or extended is refused") {
  const auto accepts = [](const std::string& text) { return read_example("main", text).has_value(); };
  test::refuse_every_flip(written(), accepts);
  test::refuse_every_cut(written(), accepts);
  auto anns = kTicket;
  anns.owner = contracts::owner_of("ann", "Phone");
  test::refuse_every_flip(contracts::write_ticket(test::one_key(), anns, test::kNow), accepts);
  CHECK_FALSE(accepts(std::string(100'000, 'A')));
}

TEST_CASE("a ticket from the future is refused beyond the clock skew, and its age is not checked here") {
  CHECK(read_example("main", written(), test::kNow + 24h * 365));
  CHECK(read_example("main", written(), test::kNow - test::kSkew));
  CHECK_FALSE(read_example("main", written(), test::kNow - test::kSkew - 1s));
}

TEST_CASE("a session token is not accepted as a ticket, nor a ticket as a session token") {
  const auto token =
      contracts::write_token(test::one_key(), {"main", 7, kTicket.issued, contracts::LinksMode::direct}, test::kNow);
  CHECK_FALSE(read_example("main", token));
  CHECK_FALSE(contracts::looks_like_ticket(token));
  CHECK(contracts::looks_like_ticket(written()));
  CHECK_FALSE(contracts::read_token(test::one_key(), "main", written(), test::kNow, test::kSkew));
}

TEST_CASE("with any owner, tickets and session tokens are told apart by their length") {
  for (std::size_t i = 0; i <= 2 * contracts::kMaxDeviceBytes; ++i) {
    auto owner = contracts::owner_of("ann", std::string(i / 2, 'd'));
    if (i % 2 == 1) owner.entitled = contracts::EntitledDevice{1, 2, 3};
    auto ticket = kTicket;
    ticket.owner = owner;
    const auto text = contracts::write_ticket(test::one_key(), ticket, test::kNow);
    REQUIRE(read_example("main", text));
    CHECK(*read_example("main", text) == ticket);
    CHECK(text.size() <= contracts::kMaxTicketCharacters);
    CHECK(contracts::looks_like_ticket(text));
    const auto token = contracts::write_token(
        test::one_key(), {"main", 7, kTicket.issued, contracts::LinksMode::direct, 0, owner}, test::kNow);
    CHECK_FALSE(token.empty());
    CHECK_FALSE(contracts::looks_like_ticket(token));
    CHECK_FALSE(read_example("main", token));
  }
}

TEST_CASE("an invalid ticket is not written") {
  auto ticket = kTicket;
  ticket.links = contracts::LinksMode::automatic;
  CHECK(contracts::write_ticket(test::one_key(), ticket, test::kNow).empty());
  ticket = kTicket;
  ticket.channel = "No Channel";
  CHECK(contracts::write_ticket(test::one_key(), ticket, test::kNow).empty());
}
