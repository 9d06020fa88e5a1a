#pragma once
// Accounts, devices and tokens as JSON of the API; src/api/openapi.json describes them. Pure functions.

#include <optional>
#include <string>
#include <vector>

#include "accounts/account.h"
#include "accounts/account_service.h"
#include "api/account_credentials.h"
#include "api/account_export.h"
#include "api/page_query.h"
#include "base/json.h"
#include "contracts/account_token.h"

namespace tribune::api {

/// {id, login, state, created_at}
std::string account_document(const accounts::Account&);
/// Adds access_token, token_type, expires_in and expires_at.
void write_access_token(base::json::Writer&, const AccessToken&, base::WallTime now);
/// {account, device, access_token, token_type, expires_in, expires_at, refresh_token, refresh_expires_at, device_token}
std::string login_document(const accounts::LoggedIn&, const TokenTexts&, base::WallTime now);
/// {account: {id}, device: {id}, issued_at, expires_at, channels: [{channel, from, until?}], has_more_channels}
std::string session_document(const contracts::AccountClaims&);
/// {devices: [{id, name, created_at, refreshed_at, is_current}], next?}: a page of the devices, which are in the order
/// of their creation. nullopt for a cursor that is not one of this list. The device of a cursor may have ended.
std::optional<std::string> devices_document(const std::vector<accounts::Device>&, accounts::DeviceId current,
                                            const PageQuery&);
/// {account, devices, balances, purchases, exported_at, purchases_next?}: everything that is stored about the account,
/// except the password's hash. purchases_next: a cursor of GET /api/v1/purchases for those that are too many.
std::string export_document(const AccountExport&, base::WallTime now);

/// For operators: {accounts: [{id, login, state, created_at, reason}], next?}
std::string accounts_document(const accounts::AccountPage&);
/// For operators: {id, login, state, created_at, reason, devices}
std::string operator_document(const accounts::Account&, const std::vector<accounts::Device>&);

}  // namespace tribune::api
