#pragma once
// The store of accounts as an interface of whole transactions: each function is one step that is carried out as a whole
// or not at all, and is on disk before its callback reports success. An engine may be in this process or elsewhere;
// tests/accounts/account_store_contract_test.cpp says what each must do.
//
// Errors that every function may report: unavailable (the engine is overloaded or unreachable), too_large (the store is
// full), io (the disk is full or broken); all with the fault `tribune`, and nothing is changed.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/account.h"
#include "base/clock.h"
#include "base/result.h"

namespace tribune::accounts {

/// Called once, on a thread of the engine, possibly before the function that received it returns.
template <class T>
using Done = std::function<void(base::Result<T>)>;

/// An ended device: access tokens that name it are invalid, although they have not expired.
struct Revocation {
  std::uint64_t number = 0;  // grows with each revocation of the store
  DeviceId device = 0;
  base::WallTime at{};
};

/// A device that is to be added to an account.
struct DeviceOpening {
  Device device;                       // of an existing account
  std::uint32_t password_version = 0;  // of the password that was checked
  std::optional<DeviceId> replaces;    // a device of the same account that this one continues
  std::string renewed_hash;            // replaces the stored hash of the same password; empty: it stays
  std::size_t max_devices = 1;         // of the account; more end the one that was refreshed longest ago
};

/// The use of a refresh token.
struct Refresh {
  AccountId account = 0;
  DeviceId device = 0;
  std::uint32_t generation = 0;  // of the token
  base::WallTime now{};
  std::chrono::milliseconds grace{0};     // for which the generation before the newest one is answered again
  std::chrono::milliseconds lifetime{0};  // of a refresh token that is not used
};

enum class RefreshResult {
  refreshed,   // the newest generation: the next one is issued
  repeated,    // the generation before it, within the grace: the newest one is issued again
  reused,      // an older generation: the token was copied, and its device has been ended
  ended,       // the device was ended, or its token was unused for longer than its lifetime
  not_active,  // the account is not active
};

struct Refreshed {
  RefreshResult result = RefreshResult::ended;
  Account account;  // for `refreshed` and `repeated`, as is `device`
  Device device;    // `generation` is that of the token to issue
  std::vector<Revocation> revoked;
};

struct PasswordChange {
  AccountId account = 0;
  std::uint32_t password_version = 0;  // of the password that was checked
  std::string new_hash;
  std::optional<DeviceId> keeps;  // the device that stays logged in
  base::WallTime now{};
};

/// A one-time code with which a forgotten password is replaced.
struct ResetCode {
  std::string code_hash;  // of the code; the code itself is not stored
  base::WallTime expires{};
};

struct PasswordReset {
  std::string login;
  std::string code_hash;
  std::string new_hash;
  base::WallTime now{};
};

struct ResetOutcome {
  bool is_right = false;
  std::vector<Revocation> revoked;
};

struct StateChange {
  AccountId account = 0;
  std::vector<AccountState> from;  // the account is in one of them
  AccountState to = AccountState::active;
  std::string reason;
  base::WallTime now{};
};

struct AccountPage {
  std::vector<Account> accounts;  // in the order of their logins
  std::string next;               // where the next page begins; empty at the end
};

/// Any thread.
class AccountStore {
 public:
  virtual ~AccountStore() = default;

  /// Errors: conflict when another account has the login.
  virtual void create(Account, Done<void>) = 0;
  virtual void find(AccountId, Done<std::optional<Account>>) = 0;
  virtual void find_by_login(std::string login, Done<std::optional<Account>>) = 0;
  /// The accounts whose login_key() is `from` or later, at most `limit`; only those in `state`, if one is given: then a
  /// page may have fewer, and none, although there is a next one.
  virtual void list(std::string from, std::size_t limit, std::optional<AccountState> state, Done<AccountPage>) = 0;

  /// Adds a device. Reports the ended devices' revocations: the replaced one's and that beyond max_devices. Errors:
  /// conflict when the account does not exist, is not active, or has another password version.
  virtual void open_device(DeviceOpening, Done<std::vector<Revocation>>) = 0;
  /// The devices of an account, in the order of their creation.
  virtual void devices(AccountId, Done<std::vector<Device>>) = 0;
  /// Issues the next refresh token of a device; see RefreshResult. A repeated request and a parallel one, whose
  /// response may be lost, continue the same family.
  virtual void refresh(Refresh, Done<Refreshed>) = 0;
  /// Ends one device of the account, or with `device` 0 all of them but `keeps`. Success also when there is none.
  virtual void end_devices(AccountId, DeviceId device, DeviceId keeps, base::WallTime now,
                           Done<std::vector<Revocation>>) = 0;

  /// Replaces the password and ends all devices but `keeps`. Errors: conflict as for open_device().
  virtual void change_password(PasswordChange, Done<std::vector<Revocation>>) = 0;
  /// Stores a code for the account in place of any other. Errors: not_found.
  virtual void put_reset_code(AccountId, ResetCode, Done<void>) = 0;
  /// Whether reset_password() would accept the code.
  virtual void check_reset_code(std::string login, std::string code_hash, base::WallTime now, Done<bool>) = 0;
  /// With the right code: replaces the password, ends all devices, and erases the code. is_right is false for a wrong
  /// or expired code, and for a login without one; nothing is changed then.
  virtual void reset_password(PasswordReset, Done<ResetOutcome>) = 0;

  /// Changes the state; all devices end unless the new state is `active`. Errors: not_found; conflict when the account
  /// is in none of the states `from`.
  virtual void change_state(StateChange, Done<std::vector<Revocation>>) = 0;
  /// Erases the account with its devices. Errors: conflict as for open_device().
  virtual void erase(AccountId, std::uint32_t password_version, base::WallTime now, Done<std::vector<Revocation>>) = 0;

  /// The revocations that are younger than `after`, in the order of their numbers; older ones may have been erased.
  virtual void revocations(base::WallTime after, Done<std::vector<Revocation>>) = 0;
  /// Erases revocations up to this time, the oldest first and some of them if they are many: no token that they concern
  /// is valid any more.
  virtual void erase_revocations(base::WallTime until, Done<void>) = 0;

  /// Whether the engine can write, for /readyz.
  virtual base::Status health() const = 0;
};

}  // namespace tribune::accounts
