#include "balancer/routing/reachability_claims.h"

#include <algorithm>
#include <charconv>

#include "contracts/canonical.h"
#include "contracts/receipt.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

std::string_view said(const http::Headers& headers, std::string_view query, std::string_view key,
                      std::string_view header) {
  const auto value = http::query_value(query, key);
  return value ? *value : headers.first(header).value_or("");
}

/// Removes ":" and the round trip time from the end of the text, and returns that time; -1 without a valid one.
double take_rtt(std::string_view& text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return -1;
  const auto digits = text.substr(colon + 1);
  text = text.substr(0, colon);
  double rtt = -1;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), rtt);
  return wrong == std::errc{} && end == digits.data() + digits.size() && rtt >= 0 && rtt < 60'000 ? rtt : -1;
}

}  // namespace

ReachabilityClaims read_claims(const http::Headers& headers, std::string_view query, const base::KeyRing& keys,
                               const ClaimRules& rules, base::WallTime now) {
  return claims_of(said(headers, query, "gone", "X-Cache-Gone"), said(headers, query, "receipt", "X-Cache-Receipt"),
                   keys, rules, now);
}

ReachabilityClaims claims_of(std::string_view gone, std::string_view list, const base::KeyRing& keys,
                             const ClaimRules& rules, base::WallTime now) {
  ReachabilityClaims claims;
  if (contracts::is_id(gone)) claims.gone = gone;
  while (!list.empty() && claims.proofs.size() + claims.refused.size() < kMaxProofs) {
    const auto comma = list.find(',');
    auto text = list.substr(0, comma);
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
    const double rtt = take_rtt(text);
    const auto receipt = contracts::read_receipt(keys, text, now, rules.receipt_lifetime, rules.clock_skew);
    if (!receipt) {
      claims.refused.push_back(receipt.error().text);
      continue;
    }
    const auto until =
        receipt->issued +
        std::chrono::duration_cast<std::chrono::seconds>(rules.receipt_lifetime + rules.clock_skew).count();
    claims.proofs.push_back({receipt->node, receipt->client_prefix, until, rtt});
  }
  return claims;
}

std::vector<std::string> refusals(const ReachabilityClaims& claims, std::string_view client_prefix) {
  auto texts = claims.refused;
  for (const auto& proof : claims.proofs)
    if (proof.client_prefix != client_prefix)
      texts.push_back("the receipt for node " + proof.node + " belongs to another client");
  return texts;
}

std::vector<std::string_view> believed(const std::vector<Proof>& proofs, std::string_view client_prefix,
                                       base::WallTime now) {
  std::vector<const Proof*> holding;
  for (const auto& proof : proofs)
    if (proof.client_prefix == client_prefix && base::unix_seconds(now) <= proof.believed_until)
      holding.push_back(&proof);
  // Proofs without a round trip time come last, in their order.
  std::stable_sort(holding.begin(), holding.end(), [](const Proof* a, const Proof* b) {
    return (a->rtt_ms < 0 ? 1e9 : a->rtt_ms) < (b->rtt_ms < 0 ? 1e9 : b->rtt_ms);
  });
  std::vector<std::string_view> nodes;
  for (const auto* proof : holding) nodes.push_back(proof->node);
  return nodes;
}

}  // namespace tribune::balancer
