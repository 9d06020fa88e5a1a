#include "http/problem.h"

#include <array>

#include "base/json.h"

namespace tribune::http {
namespace problems {

constinit const ProblemType bad_request{"bad-request", 400, "The request is malformed"};
constinit const ProblemType login_invalid{"login-invalid", 400, "The text cannot be a login"};
constinit const ProblemType password_invalid{"password-invalid", 400, "The new password cannot be accepted"};
constinit const ProblemType credentials_wrong{"credentials-wrong", 401, "The login or the password is wrong"};
constinit const ProblemType token_invalid{"token-invalid", 401, "A valid token of the account is required"};
constinit const ProblemType logged_out{"logged-out", 401, "The device is logged out"};
constinit const ProblemType refresh_token_reused{"refresh-token-reused", 401, "The refresh token was used before"};
constinit const ProblemType account_pending{"account-pending", 403, "The account waits for its approval"};
constinit const ProblemType account_declined{"account-declined", 403, "The registration was declined"};
constinit const ProblemType account_blocked{"account-blocked", 403, "The account is blocked"};
constinit const ProblemType registration_closed{"registration-closed", 403, "Registration is closed"};
constinit const ProblemType password_reset_closed{"password-reset-closed", 403, "Viewers cannot request codes"};
constinit const ProblemType login_taken{"login-taken", 409, "Another account has this login"};
constinit const ProblemType conflict{"conflict", 409, "The resource was changed at the same time"};
constinit const ProblemType unauthorized{"unauthorized", 401, "A valid token is required"};
constinit const ProblemType link_invalid{"link-invalid", 403, "The link is not valid"};
constinit const ProblemType link_expired{"link-expired", 403, "The link has expired"};
constinit const ProblemType session_invalid{"session-invalid", 403, "The session is not valid"};
constinit const ProblemType session_ended{"session-ended", 403, "The session has ended"};
constinit const ProblemType session_shared{"session-shared", 403, "The session is used from other networks"};
constinit const ProblemType purchase_required{"purchase-required", 403, "The channel has to be bought"};
constinit const ProblemType entitlement_ended{"entitlement-ended", 403,
                                              "The account may not watch the channel any more"};
constinit const ProblemType ticket_invalid{"ticket-invalid", 403, "The ticket is not valid"};
constinit const ProblemType ticket_expired{"ticket-expired", 403, "The turn of the ticket has passed"};
constinit const ProblemType access_queued{"access-queued", 403,
                                          "The capacity is used up and viewers are waiting in the queue"};
constinit const ProblemType account_full{"account-full", 403, "The account has reached its maximum number of devices"};
constinit const ProblemType forbidden{"forbidden", 403, "The request is not allowed"};
constinit const ProblemType not_found{"not-found", 404, "The resource does not exist"};
constinit const ProblemType channel_unknown{"channel-unknown", 404, "The channel does not exist"};
constinit const ProblemType method_not_allowed{"method-not-allowed", 405,
                                               "The method is not allowed for this resource"};
constinit const ProblemType request_timeout{"request-timeout", 408, "The request took too long to arrive"};
constinit const ProblemType body_too_large{"body-too-large", 413, "The request body is too large"};
constinit const ProblemType target_too_long{"target-too-long", 414, "The request target is too long"};
constinit const ProblemType content_type_unsupported{"content-type-unsupported", 415,
                                                     "The content type is not supported"};
constinit const ProblemType range_not_satisfiable{"range-not-satisfiable", 416, "The range is outside the body"};
constinit const ProblemType expectation_failed{"expectation-failed", 417, "The expectation is not supported"};
constinit const ProblemType precondition_failed{"precondition-failed", 412,
                                                "A precondition of the request does not hold"};
constinit const ProblemType misdirected{"misdirected", 421, "The server does not serve this host"};
constinit const ProblemType too_many_requests{"too-many-requests", 429, "Too many requests"};
constinit const ProblemType head_too_large{"head-too-large", 431, "The request head is too large"};
constinit const ProblemType internal{"internal", 500, "An internal error occurred in the server"};
constinit const ProblemType not_implemented{"not-implemented", 501,
                                            "The method or the transfer coding is not implemented"};
constinit const ProblemType origin_broken{"origin-broken", 502, "The response of the origin is not usable"};
constinit const ProblemType origin_unavailable{"origin-unavailable", 503, "The origin cannot be reached"};
constinit const ProblemType node_unavailable{"node-unavailable", 503, "No cache node can serve the request"};
constinit const ProblemType overloaded{"overloaded", 503, "The server is overloaded"};
constinit const ProblemType queue_full{"queue-full", 503, "The waiting queue is full"};
constinit const ProblemType not_ready{"not-ready", 503, "The server is not ready"};
constinit const ProblemType stopping{"stopping", 503, "The server is stopping"};
constinit const ProblemType origin_timeout{"origin-timeout", 504, "The origin did not respond in time"};
constinit const ProblemType version_unsupported{"version-unsupported", 505, "The HTTP version is not supported"};
constinit const ProblemType option_invalid{"option-invalid", 400, "The product is not sold in this form"};
constinit const ProblemType quantity_invalid{"quantity-invalid", 400, "This quantity cannot be bought"};
constinit const ProblemType payment_method_unknown{"payment-method-unknown", 400, "The payment method is not offered"};
constinit const ProblemType idempotency_key_required{"idempotency-key-required", 400,
                                                     "The request needs an Idempotency-Key"};
constinit const ProblemType balance_insufficient{"balance-insufficient", 402, "The balance is too low"};
constinit const ProblemType product_unknown{"product-unknown", 404, "The product is not on sale"};
constinit const ProblemType purchase_unknown{"purchase-unknown", 404, "The purchase does not exist"};
constinit const ProblemType voucher_unknown{"voucher-unknown", 404, "The voucher is not valid"};
constinit const ProblemType price_changed{"price-changed", 409, "The price has changed"};
constinit const ProblemType sold_out{"sold-out", 409, "Not enough pieces are left"};
constinit const ProblemType already_owned{"already-owned", 409, "The account has it already"};
constinit const ProblemType balance_limit{"balance-limit", 409, "The balance would be too large"};
constinit const ProblemType purchase_limit{"purchase-limit", 409, "The account has too many purchases"};
constinit const ProblemType voucher_used{"voucher-used", 409, "The voucher was redeemed before"};
constinit const ProblemType purchase_state{"purchase-state", 409, "The purchase is in another state"};
constinit const ProblemType idempotency_key_in_use{"idempotency-key-in-use", 409,
                                                   "The first request with this key is not answered yet"};
constinit const ProblemType idempotency_key_reused{"idempotency-key-reused", 422,
                                                   "The key was used for another request"};

static constexpr std::array kAll{
    &bad_request,
    &unauthorized,
    &link_invalid,
    &link_expired,
    &session_invalid,
    &forbidden,
    &not_found,
    &channel_unknown,
    &method_not_allowed,
    &request_timeout,
    &body_too_large,
    &target_too_long,
    &range_not_satisfiable,
    &too_many_requests,
    &head_too_large,
    &internal,
    &origin_broken,
    &origin_unavailable,
    &node_unavailable,
    &overloaded,
    &not_ready,
    &stopping,
    &origin_timeout,
    &expectation_failed,
    &not_implemented,
    &version_unsupported,
    &session_ended,
    &session_shared,
    &purchase_required,
    &entitlement_ended,
    &ticket_invalid,
    &ticket_expired,
    &access_queued,
    &account_full,
    &queue_full,
    &content_type_unsupported,
    &precondition_failed,
    &misdirected,
    &login_invalid,
    &password_invalid,
    &credentials_wrong,
    &token_invalid,
    &logged_out,
    &refresh_token_reused,
    &account_pending,
    &account_declined,
    &account_blocked,
    &registration_closed,
    &password_reset_closed,
    &login_taken,
    &conflict,
    &option_invalid,
    &quantity_invalid,
    &payment_method_unknown,
    &idempotency_key_required,
    &balance_insufficient,
    &product_unknown,
    &purchase_unknown,
    &voucher_unknown,
    &price_changed,
    &sold_out,
    &already_owned,
    &balance_limit,
    &purchase_limit,
    &voucher_used,
    &purchase_state,
    &idempotency_key_in_use,
    &idempotency_key_reused,
};

std::span<const ProblemType* const> all() { return kAll; }

}  // namespace problems

Response problem(const ProblemType& type, std::string_view detail,
                 const std::function<void(base::json::Writer&)>& write_members) {
  base::json::Writer json;
  json.begin_object();
  json.member("type", "/problems/" + std::string(type.slug));
  json.member("title", type.title);
  json.member("status", type.status);
  if (!detail.empty()) json.member("detail", detail);
  if (write_members) write_members(json);
  json.end_object();
  Response response;
  response.status = type.status;
  response.headers = {{"Content-Type", "application/problem+json"}, {"Cache-Control", "no-store"}};
  response.body = json.take();
  return response;
}

}  // namespace tribune::http
