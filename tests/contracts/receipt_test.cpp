#include "contracts/receipt.h"

#include "contracts/keys.h"

using namespace tribune;
using namespace tribune::contracts;
using namespace std::chrono_literals;
using test::kNow;
using test::kSkew;

namespace {

Receipt example_receipt() { return {"stadium", "10.1.2.0/24", base::unix_seconds(kNow)}; }

}  // namespace

TEST_CASE("a receipt is read back as the value that was written") {
  const auto ring = test::one_key();
  const auto text = write_receipt(ring, example_receipt(), kNow);
  const auto read = read_receipt(ring, text, kNow, 10min, kSkew);
  REQUIRE(read);
  CHECK(*read == example_receipt());
}

TEST_CASE("a receipt with any changed bit, truncated or extended is refused") {
  const auto ring = test::one_key();
  const auto accepts = [&](const std::string& t) { return read_receipt(ring, t, kNow, 10min, kSkew).has_value(); };
  const auto text = write_receipt(ring, example_receipt(), kNow);
  test::refuse_every_flip(text, accepts);
  test::refuse_every_cut(text, accepts);
}

TEST_CASE("a receipt expires after its lifetime and the clock skew") {
  const auto ring = test::one_key();
  const auto text = write_receipt(ring, example_receipt(), kNow);
  CHECK(read_receipt(ring, text, kNow + 10min + kSkew, 10min, kSkew));
  const auto late = read_receipt(ring, text, kNow + 10min + kSkew + 1ms, 10min, kSkew);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == base::ErrorKind::timeout);
  CHECK(read_receipt(ring, text, kNow - kSkew, 10min, kSkew));
  CHECK_FALSE(read_receipt(ring, text, kNow - kSkew - 1ms, 10min, kSkew));
}

TEST_CASE("addresses are reduced to their network") {
  CHECK(client_prefix("10.1.2.77") == "10.1.2.0/24");
  CHECK(client_prefix("2001:db8:1:2::9") == "2001:db8:1::/48");
  CHECK(client_prefix("::ffff:10.1.2.77") == "10.1.2.0/24");
  CHECK(client_prefix("::1") == "::/48");
  CHECK_FALSE(client_prefix(""));
  CHECK_FALSE(client_prefix("10.1.2"));
  CHECK_FALSE(client_prefix("example.org"));
  CHECK_FALSE(client_prefix(std::string(1000, '1')));
  CHECK_FALSE(client_prefix("10.1.2.3:80"));
}

TEST_CASE("an invalid receipt is not written") {
  const auto ring = test::one_key();
  auto receipt = example_receipt();
  receipt.node = "a\nb";
  CHECK(write_receipt(ring, receipt, kNow).empty());
  receipt = example_receipt();
  receipt.client_prefix = "";
  CHECK(write_receipt(ring, receipt, kNow).empty());
}
