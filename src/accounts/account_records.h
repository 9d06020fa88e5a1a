#pragma once
// The records of the embedded store as JSON texts, so that an operator can read them with LMDB's own tools. A member
// that a later schema adds has a default in older records. Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "accounts/account.h"
#include "accounts/account_store.h"

namespace tribune::accounts {

std::string to_record(const Account&);
std::string to_record(const Device&);
std::string to_record(const Revocation&);
std::string to_record(const ResetCode&);

// nullopt for a text that to_record() does not write.
std::optional<Account> account_of_record(std::string_view);
std::optional<Device> device_of_record(std::string_view);
std::optional<Revocation> revocation_of_record(std::string_view);
std::optional<ResetCode> reset_code_of_record(std::string_view);

}  // namespace tribune::accounts
