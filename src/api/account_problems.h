#pragma once
// The refusals of the account service as problems. Pure functions.

#include "accounts/account_service.h"
#include "http/message.h"

namespace tribune::api {

/// The problem in the client's language, with Retry-After where the refusal has one, and WWW-Authenticate with a 401
/// (RFC 9110 section 11.6.1).
http::Response problem_of(const http::Request&, const accounts::RefusedRequest&);

/// 401: the request has no access token (`why` is not_found), or none that is valid.
http::Response token_problem(const http::Request&, const base::Error& why);

}  // namespace tribune::api
