#include "contracts/receipt.h"

#include "base/encoding.h"
#include "base/ip_address.h"
#include "contracts/canonical.h"

namespace tribune::contracts {
namespace {

using base::KeyRing;

constexpr std::size_t kMaxReceiptCharacters = 256;
constexpr std::size_t kMaxPrefixCharacters = 43;

std::string what(const Receipt& receipt) { return receipt.node + "\n" + receipt.client_prefix; }

std::string signed_text_of_receipt(std::string_view issued, std::string_view about) {
  return std::string(issued).append("\n").append(about);
}

tl::unexpected<base::Error> forbidden_receipt(std::string text) {
  return base::failure(base::ErrorKind::forbidden, base::Fault::client, std::move(text));
}

bool is_prefix(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPrefixCharacters && is_visible_ascii(text);
}

}  // namespace

std::optional<std::string> client_prefix(std::string_view address) {
  const auto ip = base::parse_ip(address);
  if (!ip) return std::nullopt;
  const int bits = ip->is_ipv4() ? 96 + 24 : 48;
  return base::IpPrefix{ip->network(bits), bits}.text();
}

std::string write_receipt(const KeyRing& ring, const Receipt& receipt, base::WallTime now) {
  if (!is_id(receipt.node) || !is_prefix(receipt.client_prefix) || receipt.issued < 0) return "";
  const auto issued = std::to_string(receipt.issued);
  const auto signature = ring.sign(KeyRing::Purpose::receipt, signed_text_of_receipt(issued, what(receipt)), now);
  if (!signature) return "";
  return issued + "." + base::to_base64url(what(receipt)) + "." + signature->key_id + "." +
         base::to_base64url(signature->mac);
}

base::Result<Receipt> read_receipt(const KeyRing& ring, std::string_view text, base::WallTime now,
                                   std::chrono::milliseconds lifetime, std::chrono::milliseconds skew) {
  if (text.size() > kMaxReceiptCharacters) return forbidden_receipt("the receipt is too long");
  const auto parts = split_exactly<4>(text, '.');
  if (!parts) return forbidden_receipt("the receipt is malformed");
  const auto [issued_text, about_text, key_id, mac_text] = *parts;
  const auto issued = read_decimal(issued_text);
  const auto about = base::from_base64url(about_text);
  const auto mac = base::from_base64url(mac_text);
  if (!issued || !about || !is_short_id(key_id) || !mac || mac->size() != base::kMacBytes)
    return forbidden_receipt("the receipt is malformed");
  if (!ring.verify(KeyRing::Purpose::receipt, signed_text_of_receipt(issued_text, *about), key_id, *mac, now)) {
    return forbidden_receipt("the signature of the receipt is not valid");
  }
  const auto fields = split_exactly<2>(*about, '\n');
  if (!fields || !is_id((*fields)[0]) || !is_prefix((*fields)[1])) return forbidden_receipt("the receipt is malformed");
  const auto at = *issued * 1000;
  if (at > unix_ms(now) + skew.count()) return forbidden_receipt("the time of the receipt is in the future");
  if (at + lifetime.count() + skew.count() < unix_ms(now))
    return base::failure(base::ErrorKind::timeout, base::Fault::client, "the receipt has expired");
  return Receipt{std::string((*fields)[0]), std::string((*fields)[1]), *issued};
}

}  // namespace tribune::contracts
