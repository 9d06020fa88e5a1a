#pragma once
// How a process of the event learns which devices of accounts have ended, while access tokens that name them may still
// be valid. The process asks the api (long polling), whose answer is signed with a key of the account tokens: a holder
// of the event's keys can ask, and cannot answer. Values and pure functions.
//
//   GET /internal/v1/accounts/revocations?run={run}&after={number}&nonce={16 hex digits}
//       X-Tribune-Signature: as in contracts/signed_body.h, with the context "GET {target}" and an empty body
//   200 {"run", "number", "is_last", "devices": [[id, unix ms], ...]}
//       X-Tribune-Account-Signature: {key id}.{base64url of the signature}

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "contracts/account_token.h"

namespace tribune::contracts {

inline constexpr std::string_view kRevocationFeedPath = "/internal/v1/accounts/revocations";

/// The api responds at the latest after this time.
inline constexpr std::chrono::milliseconds kRevocationHold{2'000};
inline constexpr std::size_t kMaxRevocationsPerPage = 4'096;
inline constexpr std::size_t kMaxRevocationPageBytes = 256 * 1024;

struct RevocationPoll {
  std::string run;          // of the page before, 16 hex digits; empty for the first poll
  std::uint64_t after = 0;  // the number of the page before
  std::string nonce;        // 16 hex digits, new for each poll, so that no former answer is taken for this one's
  bool operator==(const RevocationPoll&) const = default;
};

struct RevokedDevice {
  std::uint64_t device = 0;     // not 0
  std::int64_t at_unix_ms = 0;  // from 0 to 2106
  bool operator==(const RevokedDevice&) const = default;
};

struct RevocationPage {
  std::string run;  // of the api's process, 16 hex digits, which numbers revocations from 1; another run begins again
  std::uint64_t number = 0;  // of the last revocation in the page, or of the poll; the next poll is after it
  bool is_last = true;       // false: the next poll is answered at once with more
  std::vector<RevokedDevice> devices;
  bool operator==(const RevocationPage&) const = default;
};

/// kRevocationFeedPath with the poll as its query.
std::string target_of(const RevocationPoll&);
/// Errors: invalid_input, fault client, for a query that target_of() does not write.
base::Result<RevocationPoll> revocation_poll_from_query(std::string_view query);

std::string to_json(const RevocationPage&);
/// The value of kAccountSignatureHeader for the answer to a poll with this nonce.
std::string sign_revocation_page(const AccountTokenSigner&, std::string_view nonce, std::string_view json);
/// Errors: forbidden for a signature that is missing or not valid for this nonce and text; invalid_input for a text
/// that to_json() does not write.
base::Result<RevocationPage> read_revocation_page(const AccountTokenKeys&, std::string_view nonce,
                                                  std::string_view json, std::string_view signature,
                                                  base::WallTime now);

}  // namespace tribune::contracts
