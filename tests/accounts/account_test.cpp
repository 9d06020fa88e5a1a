#include "accounts/account.h"

#include <doctest/doctest.h>

#include "accounts/account_records.h"

using namespace tribune::accounts;
using namespace std::chrono_literals;
namespace base = tribune::base;

TEST_CASE("a login has 3 to 128 letters, digits and . _ + @ -") {
  for (const auto* login : {"abc", "fdpd6", "a.b_c+d@example-1.org", "+4915112345678"}) CHECK(is_login(login));
  CHECK(is_login(std::string(128, 'x')));
  for (const auto* login : {"", "ab", "a b c", "a/b", "abc\n", "\xd0\xb0\xd0\xb1\xd0\xb2", "abc\"", "a:b:c"})
    CHECK_FALSE(is_login(login));
  CHECK_FALSE(is_login(std::string(129, 'x')));
  CHECK(login_key("ViEwEr@B.org") == "viewer@b.org");
}

TEST_CASE("an id is written as 16 hex digits and read back") {
  for (const std::uint64_t id : {std::uint64_t{1}, std::uint64_t{0x0123456789abcdef}, ~std::uint64_t{0}})
    CHECK(parse_id(to_text(id)) == id);
  for (const auto* text : {"", "1", "0000000000000000", "000000000000000G", "000000000000000A", "00000000000000001"})
    CHECK_FALSE(parse_id(text).has_value());
}

TEST_CASE("records are read back, and any other text is refused") {
  Account account;
  account.id = 7;
  account.login = "Viewer";
  account.state = AccountState::declined;
  account.reason = "a \"quoted\" reason";
  account.password_hash = "$argon2id$";
  account.password_version = 3;
  account.created = base::WallTime(1'700'000'000'123ms);
  CHECK(account_of_record(to_record(account)) == account);

  const Device device{9, 7, "Pixel \xd1\x8f", 4'000'000'000, base::WallTime(1s), base::WallTime(2'500ms)};
  CHECK(device_of_record(to_record(device)) == device);

  const auto revocation = revocation_of_record(to_record(Revocation{5, 9, base::WallTime(3s)}));
  REQUIRE(revocation.has_value());
  CHECK(revocation->number == 5);
  CHECK(revocation->device == 9);

  const auto code = reset_code_of_record(to_record(ResetCode{"hash", base::WallTime(4s)}));
  REQUIRE(code.has_value());
  CHECK(code->code_hash == "hash");
  CHECK(code->expires == base::WallTime(4s));

  for (const auto* text : {"", "{}", "[]", "null", "{\"id\":\"0000000000000007\"}", "{\"id\":7}"}) {
    CHECK_FALSE(account_of_record(text).has_value());
    CHECK_FALSE(device_of_record(text).has_value());
    CHECK_FALSE(revocation_of_record(text).has_value());
    CHECK_FALSE(reset_code_of_record(text).has_value());
  }
}
