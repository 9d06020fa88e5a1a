#include "contracts/peer_mark.h"

#include <algorithm>
#include <array>

#include "contracts/canonical.h"
#include "contracts/purge_mark.h"
#include "contracts/signed_body.h"

namespace tribune::contracts {
namespace {

constexpr std::array<std::string_view, 3> kKinds = {"peer", "child", "stranded"};

std::string context_of(std::string_view object) { return "GET " + std::string(object); }

/// The signed text: without purges it is the same as in former versions.
std::string signed_text(std::string_view mark, std::string_view purges) {
  std::string text(mark);
  if (!purges.empty()) text.append("\n").append(purges);
  return text;
}

}  // namespace

http::Headers mark_fields(const base::KeyRing& keys, const PeerMark& mark, std::string_view object,
                          base::WallTime now) {
  const auto text =
      std::string(kKinds[static_cast<std::size_t>(mark.kind)]) + " " + mark.node + " " + std::to_string(mark.tiers);
  http::Headers fields;
  fields.add(kPeerHeader, text);
  if (!mark.purges.empty()) fields.add(kPurgesHeader, mark.purges);
  if (auto signature = sign_body(keys, context_of(object), signed_text(text, mark.purges), now); !signature.empty())
    fields.add(kSignatureHeader, std::move(signature));
  return fields;
}

base::Result<PeerMark> read_mark(const base::KeyRing& keys, const http::Headers& fields, std::string_view object,
                                 base::WallTime now, std::chrono::milliseconds skew) {
  const auto refused = [](const char* why) {
    return base::failure(base::ErrorKind::forbidden, base::Fault::client, why);
  };
  const auto text = fields.first(kPeerHeader).value_or("");
  const auto parts = split_exactly<3>(text, ' ');
  if (!parts || fields.count(kPeerHeader) != 1) return refused("the peer header fields of a cache node are malformed");
  const auto [kind, node, tiers_text] = *parts;
  const auto tiers = read_decimal(tiers_text);
  const auto known = std::find(kKinds.begin(), kKinds.end(), kind);
  if (known == kKinds.end() || !is_id(node) || !tiers)
    return refused("the peer header fields of a cache node are malformed");
  const auto signature = fields.first(kSignatureHeader).value_or("");
  const auto purges = fields.first(kPurgesHeader).value_or("");
  if (fields.count(kPurgesHeader) > 1) return refused("the peer header fields of a cache node are malformed");
  if (const auto verified = verify_body(keys, context_of(object), signed_text(text, purges), signature, now, skew);
      !verified)
    return tl::unexpected(verified.error());
  if (*tiers > kMaxTiers) return refused("the tiers of cache nodes form a loop");
  return PeerMark{static_cast<PeerMark::Kind>(known - kKinds.begin()), std::string(node), *tiers, std::string(purges)};
}

}  // namespace tribune::contracts
