#pragma once
// What apps and operators do with accounts, as functions without HTTP: the order of limits, password hashing and store
// transactions. Every function reports its answer once through a callback, on a thread of the store or of the password
// hasher; a callback must not block.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "accounts/account.h"
#include "accounts/account_settings.h"
#include "accounts/account_store.h"
#include "accounts/login_guard.h"
#include "accounts/password_hasher.h"
#include "accounts/revocation_log.h"
#include "accounts/revoked_devices.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/open_calls.h"
#include "base/published.h"

namespace tribune::accounts {

/// Why a request is refused. Nothing was changed, unless the line says so.
enum class Refusal {
  registration_closed,
  login_invalid,    // is_login() is false
  password_length,  // too short, or longer than kMaxPasswordBytes; `reason` is the minimum
  login_taken,
  wrong_credentials,  // whether the login exists is not told
  awaiting_approval,  // the password is right, as it is for the next two
  declined,           // with an operator's reason
  blocked,            // with an operator's reason
  too_many_attempts,  // with retry_after
  busy,               // with retry_after
  logged_out,         // the device or its account has ended
  token_reused,       // and the device was ended
  changed_meanwhile,  // by another request, or an operator's order does not apply; `reason` says what is different
  not_found,
  unavailable,  // the store cannot write or is overloaded, with retry_after
};

struct RefusedRequest {
  Refusal why = Refusal::unavailable;
  std::string reason;
  std::chrono::seconds retry_after{0};
};

template <class T>
using Answer = tl::expected<T, RefusedRequest>;
template <class T>
using Answered = std::function<void(Answer<T>)>;

struct Registration {
  std::string login;
  std::string password;
};

struct Login {
  std::string login;
  std::string password;
  std::string device_name;
  std::string client;  // the client's IP address
  std::optional<KnownDevice> known;
};

struct LoggedIn {
  Account account;
  Device device;
};

struct IssuedResetCode {
  std::string code;  // 12 characters of a-z and 2-7 in groups of four
  base::WallTime expires{};
};

/// A code for a login that a viewer named.
struct RequestedResetCode {
  AccountId account = 0;
  std::string login;  // as it was registered
  IssuedResetCode issued;
};

/// A logged-in device that proves its password again.
struct PasswordProof {
  AccountId account = 0;
  DeviceId device = 0;
  std::string password;
  std::string client;  // the client's IP address
};

/// Any thread; locks inside. The destructor waits for the callbacks of the requests that have begun.
class AccountService {
 public:
  AccountService(const AccountSettings&, std::unique_ptr<AccountStore>, const base::Clock&, base::Log&, base::Metrics&);
  ~AccountService();
  /// Waits for the callbacks of the requests that have begun; none may begin any more. For what their callbacks use
  /// and what ends before this object; the destructor does the same.
  void finish();

  /// Reads the revocations of former runs. Blocks; to be called once, before the first request.
  base::Status start();
  void apply(const AccountSettings&);
  /// Forgets what has expired. To be called every second.
  void tick();
  base::Status health() const { return store_->health(); }

  void register_account(Registration, Answered<Account>);
  /// As an operator: at once active, in every registration mode.
  void create_account(Registration, Answered<Account>);
  void log_in(Login, Answered<LoggedIn>);
  void refresh(AccountId, DeviceId, std::uint32_t generation, Answered<LoggedIn>);

  void account(AccountId, Answered<Account>);
  void account_by_login(std::string login, Answered<Account>);
  void accounts(std::string from, std::size_t limit, std::optional<AccountState>, Answered<AccountPage>);
  void devices(AccountId, Answered<std::vector<Device>>);
  // The answers of the following are the number of devices that were ended.
  void end_device(AccountId, DeviceId, Answered<std::size_t>);
  /// With 0, all of them.
  void end_other_devices(AccountId, DeviceId keeps, Answered<std::size_t>);
  /// Ends all other devices.
  void change_password(PasswordProof, std::string new_password, Answered<std::size_t>);
  void erase(PasswordProof, Answered<std::size_t>);
  /// For operators: a one-time code with which the viewer sets a new password. It replaces a former one.
  void issue_reset_code(AccountId, Answered<IssuedResetCode>);
  /// The same for a viewer who has forgotten the password. not_found, and no code, unless the account is active.
  void issue_requested_reset_code(std::string login, Answered<RequestedResetCode>);
  /// Ends all devices. wrong_credentials for a wrong or expired code.
  void reset_password(std::string login, std::string code, std::string new_password, Answered<std::size_t>);
  /// For operators.
  void change_state(StateChange, Answered<std::size_t>);

  /// Whether access tokens of this device are refused.
  bool is_revoked(DeviceId device) const { return revoked_.contains(device); }
  /// What other processes must know to refuse the same tokens.
  RevocationLog& revocation_log() { return revocation_log_; }
  std::shared_ptr<const AccountSettings> settings() const { return settings_.get(); }

 private:
  /// A password that is to be checked.
  struct Check {
    std::optional<Account> account;  // empty: the login does not exist
    std::string password;
    std::string login_key;
    std::string client;
    std::optional<DeviceId> known_device;  // of this account
  };
  using OnRight = std::function<void(Account, std::string renewed_hash)>;

  template <class T>
  Answered<T> counted(Answered<T> done) {
    return calls_.counted<Answer<T>>(std::move(done));
  }
  std::optional<RefusedRequest> refusal_of(const Registration&) const;
  std::optional<RefusedRequest> refusal_of_new_password(const std::string&) const;
  void store_new(Registration, AccountState, Answered<Account>);
  template <class T>
  void hash(HashingPriority, std::string password, Answered<T>, std::function<void(std::string)> on_hashed);
  template <class T>
  void check_password(Check, Answered<T>, OnRight);
  void prove(PasswordProof, Answered<std::size_t>, OnRight);
  void open_device(Account, std::string renewed_hash, const Login&, Answered<LoggedIn>);
  template <class T>
  static Done<std::optional<T>> on_found(Answered<T>);
  void revoke(const std::vector<Revocation>&);
  Done<std::vector<Revocation>> on_ended(Answered<std::size_t>);
  base::WallTime now() const { return clock_.wall_now(); }

  const base::Clock& clock_;
  base::Log& log_;
  base::Published<AccountSettings> settings_;
  RevokedDevices revoked_;
  RevocationLog revocation_log_;
  LoginGuard guard_;
  base::Counter registrations_, logins_, refreshes_, repeated_, reused_;
  base::SteadyTime last_cleaning_{};
  base::OpenCalls calls_;
  std::unique_ptr<AccountStore> store_;
  std::unique_ptr<PasswordHasher> hasher_;
};

}  // namespace tribune::accounts
