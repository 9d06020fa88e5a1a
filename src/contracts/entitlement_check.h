#pragma once
// How a balancer asks the api whether the accounts whose devices watch paid channels may still do so. The api's answer
// is signed with a key of the account tokens: a holder of the event's keys can ask, and cannot answer. Values and pure
// functions.
//
//   POST /internal/v1/accounts/entitlements
//       X-Tribune-Signature: as in contracts/signed_body.h, with the context "POST {path}"
//       {"nonce", "wants_offers", "viewers": [[account, device, channel], ...]}
//   200 {"viewers": [unix seconds | "not_entitled" | "logged_out", ...], "offers"?: [[channel, [product, ...]], ...]}
//       X-Tribune-Account-Signature: {key id}.{base64url of the signature}
//       X-Tribune-Signature: the same text, signed as the check is, with answer_context(): for a balancer in the same
//       process, which asks itself and needs no public key

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "contracts/account_token.h"

namespace tribune::contracts {

inline constexpr std::string_view kEntitlementCheckPath = "/internal/v1/accounts/entitlements";

inline constexpr std::size_t kMaxCheckedViewers = 500;
inline constexpr std::size_t kMaxEntitlementCheckBytes = 128 * 1024;
inline constexpr std::size_t kMaxEntitlementAnswerBytes = 1024 * 1024;
/// Of a channel; a viewer needs one of them.
inline constexpr std::size_t kMaxOffersOfChannel = 8;

struct CheckedViewer {
  std::uint64_t account = 0;  // ids of the api, not 0
  std::uint64_t device = 0;
  std::string channel;  // an id
  bool operator==(const CheckedViewer&) const = default;
};

struct EntitlementCheck {
  std::string nonce;  // 16 hex digits, new for each check, so that no former answer is taken for this one's
  bool wants_offers = false;
  std::vector<CheckedViewer> viewers;  // at most kMaxCheckedViewers
  bool operator==(const EntitlementCheck&) const = default;
};

struct ViewerVerdict {
  enum class Kind {
    entitled,
    not_entitled,  // the account does not own the channel now
    logged_out,    // the device was ended, or its account
  };
  Kind kind = Kind::not_entitled;
  std::int64_t until = 0;  // of `entitled`: the end of the entitlement in unix seconds, to 2106; 0: without end
  bool operator==(const ViewerVerdict&) const = default;
};

/// The products on sale that open each paid channel, by its id.
using ChannelOffers = std::vector<std::pair<std::string, std::vector<std::string>>>;

struct EntitlementAnswer {
  std::vector<ViewerVerdict> viewers;   // in the order of the check
  std::optional<ChannelOffers> offers;  // if the check wants them
  bool operator==(const EntitlementAnswer&) const = default;
};

std::string to_json(const EntitlementCheck&);
/// Errors: invalid_input, fault client, for a text that to_json() does not write.
base::Result<EntitlementCheck> entitlement_check_from_json(std::string_view text);

std::string to_json(const EntitlementAnswer&);
/// The value of kAccountSignatureHeader for the answer to a check with this nonce.
std::string sign_entitlement_answer(const AccountTokenSigner&, std::string_view nonce, std::string_view json);
/// Errors: forbidden for a signature that is missing or not valid for this nonce and text.
base::Status verify_entitlement_answer(const AccountTokenKeys&, std::string_view nonce, std::string_view json,
                                       std::string_view signature, base::WallTime now);
/// The context of the signature with the event's keys.
std::string answer_context(std::string_view nonce);
/// Errors: invalid_input for a text that does not answer the check.
base::Result<EntitlementAnswer> entitlement_answer_from_json(const EntitlementCheck&, std::string_view text);

}  // namespace tribune::contracts
