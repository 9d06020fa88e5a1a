#pragma once
// Errors as problem details (RFC 9457): a stable `type` for machines, a title and a detail for people.

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "http/message.h"

namespace tribune::http {

/// A kind of error: its stable type is "/problems/{slug}". problem.cpp and docs/problems.md list the kinds.
struct ProblemType {
  std::string_view slug;
  int status;
  std::string_view title;
};

/// application/problem+json with type, title, status and detail, and the members that `write_members` adds;
/// `Cache-Control: no-store`.
Response problem(const ProblemType&, std::string_view detail,
                 const std::function<void(base::json::Writer&)>& write_members = {});

namespace problems {
/// All kinds that are declared below.
std::span<const ProblemType* const> all();

extern const ProblemType bad_request;           // 400
extern const ProblemType login_invalid;         // 400: the text cannot be a login
extern const ProblemType password_invalid;      // 400: the new password is too short or too long
extern const ProblemType unauthorized;          // 401
extern const ProblemType credentials_wrong;     // 401: the login does not exist, or the password is wrong
extern const ProblemType token_invalid;         // 401: no access token, or one that is forged or expired
extern const ProblemType logged_out;            // 401: the device was ended
extern const ProblemType refresh_token_reused;  // 401: an old refresh token was used; the device was ended
extern const ProblemType link_invalid;          // 403: forged, damaged, other channel or epoch
extern const ProblemType link_expired;          // 403
extern const ProblemType session_invalid;       // 403
extern const ProblemType session_ended;         // 403: stopped, or inactive until its slot was released
extern const ProblemType ticket_invalid;        // 403: forged, damaged, of another channel or queue
extern const ProblemType ticket_expired;        // 403: the ticket was called and not used in time
extern const ProblemType session_shared;        // 403: the session is used from other networks
extern const ProblemType purchase_required;     // 403: a paid channel without the entitlement, with "products"
extern const ProblemType entitlement_ended;     // 403: a session of a paid channel, with "reason" and "products"
extern const ProblemType access_queued;     // 403: full; an app receives a ticket, a player without an app must retry
extern const ProblemType account_full;      // 403: the account has reached its number of devices
extern const ProblemType account_pending;   // 403: an operator has not accepted the account yet
extern const ProblemType account_declined;  // 403: an operator has declined the account
extern const ProblemType account_blocked;   // 403: an operator has blocked the account
extern const ProblemType registration_closed;    // 403
extern const ProblemType password_reset_closed;  // 403: only operators issue one-time codes
extern const ProblemType forbidden;              // 403
extern const ProblemType not_found;              // 404
extern const ProblemType channel_unknown;        // 404
extern const ProblemType method_not_allowed;     // 405
extern const ProblemType request_timeout;        // 408
extern const ProblemType login_taken;            // 409: another account has the login
extern const ProblemType conflict;               // 409: the resource was changed at the same time
extern const ProblemType option_invalid;    // 400: the order names no option of the product, or one where it has none
extern const ProblemType quantity_invalid;  // 400: one piece only, or the total is too large
extern const ProblemType payment_method_unknown;    // 400
extern const ProblemType idempotency_key_required;  // 400
extern const ProblemType balance_insufficient;      // 402: with "missing"
extern const ProblemType product_unknown;           // 404
extern const ProblemType purchase_unknown;          // 404
extern const ProblemType voucher_unknown;           // 404: wrong, expired or void
extern const ProblemType price_changed;             // 409: with "price"
extern const ProblemType sold_out;                  // 409: with "left"
extern const ProblemType already_owned;             // 409
extern const ProblemType balance_limit;             // 409
extern const ProblemType purchase_limit;            // 409: too many unpaid purchases, or too many that are in effect
extern const ProblemType voucher_used;              // 409
extern const ProblemType purchase_state;            // 409: with "state"
extern const ProblemType idempotency_key_in_use;    // 409
extern const ProblemType idempotency_key_reused;    // 422
extern const ProblemType body_too_large;            // 413
extern const ProblemType target_too_long;           // 414
extern const ProblemType content_type_unsupported;  // 415
extern const ProblemType range_not_satisfiable;     // 416
extern const ProblemType expectation_failed;        // 417
extern const ProblemType precondition_failed;       // 412: If-Match or If-Unmodified-Since does not hold
extern const ProblemType misdirected;               // 421: the listener does not serve this host
extern const ProblemType too_many_requests;         // 429
extern const ProblemType head_too_large;            // 431
extern const ProblemType internal;                  // 500
extern const ProblemType not_implemented;           // 501
extern const ProblemType origin_broken;             // 502: the origin's response is invalid
extern const ProblemType origin_unavailable;        // 503
extern const ProblemType node_unavailable;          // 503: no cache node can serve the segment
extern const ProblemType overloaded;                // 503
extern const ProblemType queue_full;                // 503: the waiting queue is full too
extern const ProblemType not_ready;                 // 503
extern const ProblemType stopping;                  // 503
extern const ProblemType origin_timeout;            // 504
extern const ProblemType version_unsupported;       // 505
}  // namespace problems

}  // namespace tribune::http
