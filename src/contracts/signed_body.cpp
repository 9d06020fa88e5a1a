#include "contracts/signed_body.h"

#include <cstdlib>

#include "base/encoding.h"
#include "contracts/canonical.h"

namespace tribune::contracts {
namespace {

using base::KeyRing;

tl::unexpected<base::Error> forbidden_body(std::string text) {
  return base::failure(base::ErrorKind::forbidden, base::Fault::node, std::move(text));
}

std::string signed_text_of_body(std::string_view context, std::string_view time, std::string_view body) {
  std::string message;
  message.reserve(context.size() + time.size() + body.size() + 2);
  message.append(context).push_back('\n');
  message.append(time).push_back('\n');
  return message.append(body);
}

}  // namespace

std::string sign_body(const KeyRing& ring, std::string_view context, std::string_view body, base::WallTime now) {
  const auto time = std::to_string(unix_ms(now));
  const auto signature = ring.sign(KeyRing::Purpose::heartbeat, signed_text_of_body(context, time, body), now);
  if (!signature) return "";
  return signature->key_id + "." + time + "." + base::to_base64url(signature->mac);
}

base::Status verify_body(const KeyRing& ring, std::string_view context, std::string_view body, std::string_view header,
                         base::WallTime now, std::chrono::milliseconds skew) {
  const auto parts = split_exactly<3>(header, '.');
  if (!parts) return forbidden_body("the signature is missing or malformed");
  const auto [key_id, time_text, mac_text] = *parts;
  const auto time = read_decimal(time_text);
  const auto mac = base::from_base64url(mac_text);
  if (!is_short_id(key_id) || !time || !mac || mac->size() != base::kMacBytes)
    return forbidden_body("the signature is missing or malformed");
  if (!ring.verify(KeyRing::Purpose::heartbeat, signed_text_of_body(context, time_text, body), key_id, *mac, now)) {
    return forbidden_body("the signature is not valid");
  }
  if (std::abs(*time - unix_ms(now)) > skew.count())
    return forbidden_body("the time of the signature differs by more than the allowed clock skew");
  return {};
}

}  // namespace tribune::contracts
