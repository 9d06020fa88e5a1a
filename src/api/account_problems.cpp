#include "api/account_problems.h"

#include <fmt/format.h>

#include "api/localized.h"

namespace tribune::api {
namespace {

using accounts::Refusal;
namespace problems = http::problems;

const http::ProblemType& type_of(Refusal why) {
  switch (why) {
    case Refusal::registration_closed: return problems::registration_closed;
    case Refusal::login_invalid: return problems::login_invalid;
    case Refusal::password_length: return problems::password_invalid;
    case Refusal::login_taken: return problems::login_taken;
    case Refusal::wrong_credentials: return problems::credentials_wrong;
    case Refusal::awaiting_approval: return problems::account_pending;
    case Refusal::declined: return problems::account_declined;
    case Refusal::blocked: return problems::account_blocked;
    case Refusal::too_many_attempts: return problems::too_many_requests;
    case Refusal::logged_out: return problems::logged_out;
    case Refusal::token_reused: return problems::refresh_token_reused;
    case Refusal::changed_meanwhile: return problems::conflict;
    case Refusal::not_found: return problems::not_found;
    case Refusal::busy:
    case Refusal::unavailable: break;
  }
  return problems::overloaded;
}

/// A sentence with an operator's reason, if there is one.
Localized with_reason(std::string_view en, std::string_view ru, std::string_view reason) {
  if (reason.empty()) return {std::string(en), std::string(ru)};
  return {fmt::format("{}: {}", en, reason), fmt::format("{}: {}", ru, reason)};
}

Localized detail_of_login(const accounts::RefusedRequest& refused) {
  switch (refused.why) {
    case Refusal::wrong_credentials: return {"the login or the password is wrong", "неверный логин или пароль"};
    case Refusal::awaiting_approval:
      return {"an operator has not accepted the account yet", "оператор ещё не подтвердил учётную запись"};
    case Refusal::declined:
      return with_reason("the registration was declined", "в регистрации отказано", refused.reason);
    case Refusal::blocked: return with_reason("the account is blocked", "учётная запись заблокирована", refused.reason);
    case Refusal::too_many_attempts:
      return {fmt::format("too many wrong passwords; try again in {} seconds", refused.retry_after.count()),
              fmt::format("слишком много неверных паролей; повторите через {} с", refused.retry_after.count())};
    case Refusal::logged_out: return {"the device is logged out; log in again", "устройство отключено; войдите снова"};
    default:
      return {"the refresh token was used before, so the device was logged out; log in again",
              "токен обновления уже был использован, устройство отключено; войдите снова"};
  }
}

Localized detail_of(const accounts::RefusedRequest& refused) {
  switch (refused.why) {
    case Refusal::registration_closed:
      return {"only an operator creates accounts", "учётные записи создаёт только оператор"};
    case Refusal::login_invalid:
      return {"a login has 3 to 128 of a-z, A-Z, 0-9 and . _ + @ -",
              "логин — от 3 до 128 знаков a-z, A-Z, 0-9 и . _ + @ -"};
    case Refusal::password_length:
      return {fmt::format("the password must have {} to {} bytes", refused.reason, accounts::kMaxPasswordBytes),
              fmt::format("пароль — от {} до {} байт", refused.reason, accounts::kMaxPasswordBytes)};
    case Refusal::login_taken: return {"another account has this login", "этот логин уже занят"};
    case Refusal::changed_meanwhile:
      return {"the account was changed by another request at the same time",
              "учётная запись изменена другим запросом в то же время"};
    case Refusal::not_found: return {"it does not exist, or no longer", "этого нет или уже нет"};
    case Refusal::busy: return {"too many logins at once", "слишком много одновременных входов"};
    case Refusal::unavailable:
      return {"the accounts cannot be changed at present", "учётные записи сейчас нельзя изменить"};
    default: return detail_of_login(refused);
  }
}

/// RFC 6750 section 3. WHY Bearer for a wrong password, too: a 401 must name a scheme, and Basic opens a dialog.
void add_challenge(http::Response& response, std::string_view parameters) {
  if (response.status == 401) response.headers.add("WWW-Authenticate", fmt::format("Bearer{}", parameters));
}

}  // namespace

http::Response problem_of(const http::Request& request, const accounts::RefusedRequest& refused) {
  const auto& type = type_of(refused.why);
  auto response = refused.retry_after.count() > 0
                      ? problem_with_retry(request, type, detail_of(refused), refused.retry_after)
                      : problem(request, type, detail_of(refused));
  add_challenge(response, "");
  return response;
}

http::Response token_problem(const http::Request& request, const base::Error& why) {
  auto response = problem(request, problems::token_invalid,
                          {why.text, "нужен действующий токен учётной записи; обновите его или войдите снова"});
  // RFC 6750 section 3.1: no error code for a request without a token.
  add_challenge(response, why.kind == base::ErrorKind::not_found ? "" : " error=\"invalid_token\"");
  return response;
}

}  // namespace tribune::api
