// Any bytes as the texts of an account: a text that verifies is one that the signer wrote, so that writing its claims
// again gives the same text. Any claims survive a round trip, and a valid text with any change is refused.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "api/refresh_token.h"
#include "base/encoding.h"
#include "contracts/account_token.h"
#include "contracts/signed_payload.h"

using namespace tribune;

namespace {

constexpr std::chrono::seconds kSkew{30};
const base::WallTime kNow{std::chrono::seconds{1'750'000'000}};

void require(bool holds) {
  if (!holds) std::abort();
}

const std::vector<contracts::AccountKeySeed>& seeds() {
  static const std::vector<contracts::AccountKeySeed> seeds{{"k1", std::string(base::kSeedBytes, 'a')}};
  return seeds;
}
const contracts::AccountTokenSigner& signer() {
  static const auto signer = *contracts::AccountTokenSigner::make(seeds());
  return signer;
}
const api::TokenSecrets& secrets() {
  static const auto secrets = *api::TokenSecrets::make(seeds());
  return secrets;
}

/// The text in each parser; whether one accepts it.
bool is_accepted(std::string_view text) {
  static const contracts::AccountTokenKeys keys(signer().keys());
  static contracts::VerifiedTokens verified(16);
  const auto access = keys.read(text, kNow, kSkew);
  require(!access || signer().sign(*access) == text);
  require(!access || contracts::looks_like_account_token(text));
  for (int time = 0; time < 2; ++time) {  // the second time a verified token is known
    const auto again = verified.read(keys, text, kNow, kSkew);
    require(again.has_value() == access.has_value() &&
            (access ? **again == *access : again.error().text == access.error().text));
  }
  const auto refresh = secrets().read_refresh_token(text);
  require(!refresh || secrets().write_refresh_token(*refresh) == text);
  const auto known = secrets().read_known_device(text);
  require(!known || secrets().write_known_device(*known) == text);
  const int accepted = (access ? 1 : 0) + (refresh ? 1 : 0) + (known ? 1 : 0);
  require(accepted <= 1);
  return accepted == 1;
}

/// The valid texts for claims of these bytes.
std::vector<std::string> texts_for(std::string_view bytes) {
  const auto account = contracts::take_field(bytes, 8), device = contracts::take_field(bytes, 8);
  const auto number = static_cast<std::uint32_t>(contracts::take_field(bytes, 4));
  const auto now = base::unix_seconds(kNow);
  const std::int64_t issued = now - number % 1000, expires = now + 1 + number / 1000 % 1000;
  contracts::AccountClaims claims{account, device, issued, expires};
  for (unsigned i = 0; i < number % 4; ++i)
    claims.channels.push_back({i == 0 ? "" : std::string(i, 'c'), number % 1000, number % 1000 + i});
  claims.has_more_channels = number % 8 == 7;
  return {signer().sign(claims), signer().sign({account, device, issued, expires}),
          secrets().write_refresh_token({account, device, number}), secrets().write_known_device({account, device})};
}

/// `text` with the bytes as pairs of a position and a mask.
std::string changed(std::string text, std::string_view bytes) {
  for (; bytes.size() > 1; bytes.remove_prefix(2)) {
    auto& c = text[static_cast<unsigned char>(bytes[0]) % text.size()];
    c = static_cast<char>(c ^ bytes[1]);
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  is_accepted(input);
  const auto written = base::to_base64url(input);
  for (const char* prefix : {"tat_k1.", "trt_k1.", "tdt_k1."}) require(!is_accepted(prefix + written));
  if (size < 20) return 0;
  for (const auto& text : texts_for(input)) {
    if (text.empty()) continue;  // an id is 0
    require(is_accepted(text));
    const auto other = changed(text, input.substr(20));
    require(is_accepted(other) == (other == text));
  }
  return 0;
}
