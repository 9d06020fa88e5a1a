#include "api/account_problems.h"

#include <doctest/doctest.h>

#include "support/fake_exchange.h"

using namespace tribune;

namespace {

const auto kNoHeaders = test::request_of(http::Method::get, "/api/v1/auth/session");

base::Error error_of_kind(base::ErrorKind kind) { return base::failure(kind, base::Fault::client, "why").value(); }

}  // namespace

TEST_CASE("a challenge names the token as the reason only if the request has one") {
  const auto missing = api::token_problem(kNoHeaders, error_of_kind(base::ErrorKind::not_found));
  CHECK(missing.status == 401);
  CHECK(missing.headers.first("WWW-Authenticate") == "Bearer");
  const auto forged = api::token_problem(kNoHeaders, error_of_kind(base::ErrorKind::forbidden));
  CHECK(forged.status == 401);
  CHECK(forged.headers.first("WWW-Authenticate") == "Bearer error=\"invalid_token\"");
}

TEST_CASE("a refusal is a problem in the client's language, with Retry-After where it has one") {
  const accounts::RefusedRequest busy{accounts::Refusal::unavailable, "", std::chrono::seconds{5}};
  const auto english = api::problem_of(kNoHeaders, busy);
  CHECK(english.status == 503);
  CHECK(english.headers.first("Retry-After") == "5");
  CHECK(english.headers.first("Content-Language") == "en");
  CHECK_FALSE(english.headers.first("WWW-Authenticate"));
  const auto russian =
      api::problem_of(test::request_of(http::Method::get, "/api/v1/auth/session", {{"Accept-Language", "ru"}}),
                      {accounts::Refusal::wrong_credentials, "", {}});
  CHECK(russian.status == 401);
  CHECK(russian.headers.first("Content-Language") == "ru");
  CHECK(russian.headers.first("WWW-Authenticate") == "Bearer");
  CHECK_FALSE(russian.headers.first("Retry-After"));
}
