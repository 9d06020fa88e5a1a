#include "accounts/account_service.h"

#include <algorithm>
#include <future>

#include "base/ids.h"
#include "base/typed_code.h"

namespace tribune::accounts {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kResetCodeCharacters = 12;       // of 5 bits each: too many to guess while it lives
constexpr std::chrono::seconds kBusyRetry{2};          // of a client whose password waited for too long
constexpr std::chrono::seconds kStoreRetry{5};         // of a client whose request met a store that cannot write
constexpr std::chrono::seconds kCleaningInterval{10};  // of the revocations in the store

base::Counter counter_of(base::Metrics& metrics, std::string_view name, std::string_view help) {
  return metrics.counter(name, help);
}

RefusedRequest refused_by(const base::Error& error) {
  switch (error.kind) {
    case base::ErrorKind::conflict: return {Refusal::changed_meanwhile, error.text, 0s};
    case base::ErrorKind::not_found: return {Refusal::not_found, error.text, 0s};
    default: return {Refusal::unavailable, error.text, kStoreRetry};
  }
}

tl::unexpected<RefusedRequest> refuse(Refusal why, std::string reason = "", std::chrono::seconds retry_after = 0s) {
  return tl::unexpected(RefusedRequest{why, std::move(reason), retry_after});
}

/// Why an account whose password was right may not log in.
std::optional<RefusedRequest> refusal_of_state(const Account& account) {
  switch (account.state) {
    case AccountState::awaiting_approval: return RefusedRequest{Refusal::awaiting_approval, "", 0s};
    case AccountState::declined: return RefusedRequest{Refusal::declined, account.reason, 0s};
    case AccountState::blocked: return RefusedRequest{Refusal::blocked, account.reason, 0s};
    case AccountState::active: break;
  }
  return std::nullopt;
}

std::uint64_t new_id() {
  std::uint64_t id = 0;
  while (id == 0) id = base::random_u64();
  return id;
}

PasswordHasher::Settings hasher_settings(const AccountSettings& settings) {
  PasswordHasher::Settings made;
  made.threads = static_cast<unsigned>(settings.hash_threads);
  made.max_waiting_known = made.max_waiting_other = static_cast<std::size_t>(settings.max_waiting_logins);
  made.cost = {settings.hash_memory_bytes, static_cast<std::uint32_t>(settings.hash_passes)};
  return made;
}

LoginGuard::Settings guard_settings(const AccountSettings& settings) {
  const auto limit = [&](std::int64_t failures) {
    return FailureLimit{static_cast<std::uint32_t>(failures),
                        std::chrono::duration_cast<std::chrono::seconds>(settings.failed_login_window)};
  };
  return {limit(settings.max_failed_logins_per_address), limit(settings.max_failed_logins),
          limit(settings.max_failed_logins)};
}

}  // namespace

AccountService::AccountService(const AccountSettings& settings, std::unique_ptr<AccountStore> store,
                               const base::Clock& clock, base::Log& log, base::Metrics& metrics)
    : clock_(clock),
      log_(log),
      settings_(std::make_shared<const AccountSettings>(settings)),
      guard_(guard_settings(settings), metrics),
      registrations_(counter_of(metrics, "tribune_accounts_registrations_total", "Accounts that were created.")),
      logins_(counter_of(metrics, "tribune_accounts_logins_total", "Logins that succeeded.")),
      refreshes_(counter_of(metrics, "tribune_accounts_refreshes_total", "Refresh tokens that were exchanged.")),
      repeated_(counter_of(metrics, "tribune_accounts_refreshes_repeated_total",
                           "Refresh tokens that were answered again with the same successor.")),
      reused_(counter_of(metrics, "tribune_accounts_refresh_tokens_reused_total",
                         "Devices that were ended because an old refresh token of theirs was used.")),
      store_(std::move(store)),
      hasher_(std::make_unique<PasswordHasher>(hasher_settings(settings), clock, metrics)) {}

void AccountService::finish() {
  hasher_->stop();
  calls_.wait();
}

AccountService::~AccountService() {
  finish();
  // Nothing is begun any more, but a thread of the one may still be returning from a call of the other: neither object
  // ends before the threads of both have.
  hasher_->join();
  store_.reset();
}

base::Status AccountService::start() {
  std::promise<base::Result<std::vector<Revocation>>> read;
  store_->revocations(now() - kRevocationLifetime,
                      [&](base::Result<std::vector<Revocation>> found) { read.set_value(std::move(found)); });
  const auto found = read.get_future().get();
  if (!found) return tl::unexpected(found.error());
  revoke(*found);
  return {};
}

void AccountService::apply(const AccountSettings& settings) {
  settings_.publish(std::make_shared<const AccountSettings>(settings));
  hasher_->apply(hasher_settings(settings));
  guard_.apply(guard_settings(settings));
}

void AccountService::tick() {
  // WHY the longest lifetime: a token may have been issued before a reload made it shorter.
  const auto until = now() - kRevocationLifetime;
  revoked_.forget(until);
  revocation_log_.forget(until);
  if (clock_.steady_now() - last_cleaning_ < kCleaningInterval) return;
  last_cleaning_ = clock_.steady_now();
  store_->erase_revocations(until, [](const base::Status&) {});
}

std::optional<RefusedRequest> AccountService::refusal_of(const Registration& registration) const {
  if (!is_login(registration.login)) return RefusedRequest{Refusal::login_invalid, "", 0s};
  return refusal_of_new_password(registration.password);
}

std::optional<RefusedRequest> AccountService::refusal_of_new_password(const std::string& password) const {
  const auto least = static_cast<std::size_t>(settings()->min_password_length);
  if (password.size() >= least && password.size() <= kMaxPasswordBytes) return std::nullopt;
  return RefusedRequest{Refusal::password_length, std::to_string(least), 0s};
}

void AccountService::register_account(Registration registration, Answered<Account> done) {
  done = counted(std::move(done));
  const auto mode = settings()->registration;
  if (mode == RegistrationMode::closed) return done(refuse(Refusal::registration_closed));
  if (auto refusal = refusal_of(registration)) return done(tl::unexpected(std::move(*refusal)));
  // Asked first, so that a login which is taken costs no hash.
  auto login = registration.login;
  store_->find_by_login(std::move(login), [this, mode, registration = std::move(registration),
                                           done = std::move(done)](base::Result<std::optional<Account>> found) mutable {
    if (!found) return done(tl::unexpected(refused_by(found.error())));
    if (*found) return done(refuse(Refusal::login_taken));
    store_new(std::move(registration),
              mode == RegistrationMode::moderated ? AccountState::awaiting_approval : AccountState::active,
              std::move(done));
  });
}

void AccountService::create_account(Registration registration, Answered<Account> done) {
  done = counted(std::move(done));
  if (auto refusal = refusal_of(registration)) return done(tl::unexpected(std::move(*refusal)));
  store_new(std::move(registration), AccountState::active, std::move(done));
}

void AccountService::store_new(Registration registration, AccountState state, Answered<Account> done) {
  Account account;
  account.id = new_id();
  account.login = std::move(registration.login);
  account.state = state;
  account.created = now();
  hash(HashingPriority::other, std::move(registration.password), done,
       [this, account = std::move(account), done](std::string password_hash) mutable {
         account.password_hash = std::move(password_hash);
         store_->create(account, [this, account, done](base::Status status) mutable {
           if (!status && status.error().kind == base::ErrorKind::conflict) return done(refuse(Refusal::login_taken));
           if (!status) return done(tl::unexpected(refused_by(status.error())));
           registrations_.add();
           log_.info("accounts", "account_created",
                     {{"account", to_text(account.id)}, {"state", to_string(account.state)}});
           done(std::move(account));
         });
       });
}

/// Hashes a new password and passes the hash on; `done` is called when that fails.
template <class T>
void AccountService::hash(HashingPriority priority, std::string password, Answered<T> done,
                          std::function<void(std::string)> on_hashed) {
  auto queued = hasher_->hash(priority, std::move(password),
                              [done, on_hashed = std::move(on_hashed)](base::Result<std::string> hashed) {
                                if (!hashed) return done(refuse(Refusal::busy, hashed.error().text, kBusyRetry));
                                on_hashed(std::move(*hashed));
                              });
  if (!queued) done(refuse(Refusal::busy, queued.error().text, hasher_->expected_wait(priority)));
}

template <class T>
void AccountService::check_password(Check check, Answered<T> done, OnRight on_right) {
  auto decision = guard_.decide({check.login_key, check.client, check.known_device}, clock_.steady_now());
  if (!decision) return done(refuse(Refusal::too_many_attempts, "", decision.error().retry_after));
  const auto priority = check.known_device ? HashingPriority::known_device : HashingPriority::other;
  auto stored_hash = check.account ? check.account->password_hash : std::string();
  struct Pending {
    LoginGuard::Attempt attempt;
    std::optional<Account> account;
  };
  auto pending = std::make_shared<Pending>(Pending{std::move(*decision), std::move(check.account)});
  auto queued = hasher_->check(
      priority, std::move(check.password), std::move(stored_hash),
      [this, pending, done, on_right = std::move(on_right)](base::Result<PasswordHasher::Checked> checked) {
        if (!checked) return done(refuse(Refusal::busy, checked.error().text, kBusyRetry));
        if (!checked->is_right || !pending->account) {
          pending->attempt.failed(clock_.steady_now());
          return done(refuse(Refusal::wrong_credentials));
        }
        pending->attempt.succeeded();
        on_right(std::move(*pending->account), std::move(checked->renewed_hash));
      });
  if (!queued) done(refuse(Refusal::busy, queued.error().text, hasher_->expected_wait(priority)));
}

void AccountService::log_in(Login login, Answered<LoggedIn> done) {
  done = counted(std::move(done));
  if (!is_login(login.login) || login.password.size() > kMaxPasswordBytes)
    return done(refuse(Refusal::wrong_credentials));
  auto key = login.login;
  store_->find_by_login(std::move(key), [this, login = std::move(login),
                                         done = std::move(done)](base::Result<std::optional<Account>> found) mutable {
    if (!found) return done(tl::unexpected(refused_by(found.error())));
    if (login.known && (!*found || (*found)->id != login.known->account)) login.known.reset();
    Check check{std::move(*found), std::exchange(login.password, {}), login_key(login.login), login.client, {}};
    if (login.known) check.known_device = login.known->device;
    check_password(std::move(check), done,
                   [this, login = std::move(login), done](Account account, std::string renewed_hash) {
                     if (auto refusal = refusal_of_state(account)) return done(tl::unexpected(std::move(*refusal)));
                     open_device(std::move(account), std::move(renewed_hash), login, done);
                   });
  });
}

void AccountService::open_device(Account account, std::string renewed_hash, const Login& login,
                                 Answered<LoggedIn> done) {
  DeviceOpening opening;
  opening.device = {new_id(), account.id, login.device_name, 1, now(), now()};
  opening.password_version = account.password_version;
  if (login.known) opening.replaces = login.known->device;
  opening.renewed_hash = std::move(renewed_hash);
  opening.max_devices = static_cast<std::size_t>(settings()->max_devices);
  LoggedIn logged_in{std::move(account), opening.device};
  store_->open_device(std::move(opening), [this, logged_in = std::move(logged_in), done = std::move(done)](
                                              base::Result<std::vector<Revocation>> ended) mutable {
    if (!ended) return done(tl::unexpected(refused_by(ended.error())));
    revoke(*ended);
    logins_.add();
    done(std::move(logged_in));
  });
}

void AccountService::refresh(AccountId account, DeviceId device, std::uint32_t generation, Answered<LoggedIn> done) {
  done = counted(std::move(done));
  const auto settings = settings_.get();
  store_->refresh({account, device, generation, now(), settings->refresh_grace, settings->refresh_lifetime},
                  [this, account, device, done = std::move(done)](base::Result<Refreshed> refreshed) {
                    if (!refreshed) return done(tl::unexpected(refused_by(refreshed.error())));
                    revoke(refreshed->revoked);
                    switch (refreshed->result) {
                      case RefreshResult::reused:
                        reused_.add();
                        log_.warning("accounts", "refresh_token_reused",
                                     {{"account", to_text(account)}, {"device", to_text(device)}});
                        return done(refuse(Refusal::token_reused));
                      case RefreshResult::ended:
                      case RefreshResult::not_active: return done(refuse(Refusal::logged_out));
                      case RefreshResult::repeated: repeated_.add(); break;
                      case RefreshResult::refreshed: refreshes_.add();
                    }
                    done(LoggedIn{std::move(refreshed->account), std::move(refreshed->device)});
                  });
}

/// Passes a read record on.
template <class T>
Done<std::optional<T>> AccountService::on_found(Answered<T> done) {
  return [done = std::move(done)](base::Result<std::optional<T>> found) {
    if (!found) return done(tl::unexpected(refused_by(found.error())));
    if (!*found) return done(refuse(Refusal::not_found));
    done(std::move(**found));
  };
}

void AccountService::account(AccountId id, Answered<Account> done) {
  store_->find(id, on_found<Account>(counted(std::move(done))));
}

void AccountService::account_by_login(std::string login, Answered<Account> done) {
  if (!is_login(login)) return done(refuse(Refusal::not_found));
  store_->find_by_login(std::move(login), on_found<Account>(counted(std::move(done))));
}

void AccountService::accounts(std::string from, std::size_t limit, std::optional<AccountState> state,
                              Answered<AccountPage> done) {
  store_->list(std::move(from), limit, state, [done = counted(std::move(done))](base::Result<AccountPage> page) {
    if (!page) return done(tl::unexpected(refused_by(page.error())));
    done(std::move(*page));
  });
}

void AccountService::devices(AccountId id, Answered<std::vector<Device>> done) {
  store_->devices(id, [this, done = counted(std::move(done))](base::Result<std::vector<Device>> devices) {
    if (!devices) return done(tl::unexpected(refused_by(devices.error())));
    const auto oldest = now() - settings()->refresh_lifetime;
    std::erase_if(*devices, [&](const Device& device) { return device.refreshed < oldest; });
    done(std::move(*devices));
  });
}

void AccountService::revoke(const std::vector<Revocation>& revocations) {
  revoked_.add(revocations);
  revocation_log_.add(revocations);
}

/// Adds the ended devices to the revoked ones, and reports how many they are.
Done<std::vector<Revocation>> AccountService::on_ended(Answered<std::size_t> done) {
  return [this, done = std::move(done)](base::Result<std::vector<Revocation>> ended) {
    if (!ended) return done(tl::unexpected(refused_by(ended.error())));
    revoke(*ended);
    done(ended->size());
  };
}

void AccountService::end_device(AccountId account, DeviceId device, Answered<std::size_t> done) {
  store_->end_devices(account, device, 0, now(), on_ended(counted(std::move(done))));
}

void AccountService::end_other_devices(AccountId account, DeviceId keeps, Answered<std::size_t> done) {
  store_->end_devices(account, 0, keeps, now(), on_ended(counted(std::move(done))));
}

/// Checks the password of a device that is logged in; its account counts as known to the guard.
void AccountService::prove(PasswordProof proof, Answered<std::size_t> done, OnRight on_right) {
  const auto id = proof.account;
  store_->find(id, [this, proof = std::move(proof), done = std::move(done),
                    on_right = std::move(on_right)](base::Result<std::optional<Account>> found) mutable {
    if (!found) return done(tl::unexpected(refused_by(found.error())));
    if (!*found) return done(refuse(Refusal::logged_out));
    auto key = login_key((*found)->login);
    check_password(
        Check{std::move(*found), std::move(proof.password), std::move(key), std::move(proof.client), proof.device},
        std::move(done), std::move(on_right));
  });
}

void AccountService::change_password(PasswordProof proof, std::string new_password, Answered<std::size_t> done) {
  done = counted(std::move(done));
  if (auto refusal = refusal_of_new_password(new_password)) return done(tl::unexpected(std::move(*refusal)));
  const auto keeps = proof.device;
  prove(std::move(proof), done,
        [this, keeps, done, new_password = std::move(new_password)](Account account, const std::string&) {
          hash(HashingPriority::known_device, new_password, done,
               [this, keeps, done, account = std::move(account)](std::string new_hash) {
                 store_->change_password({account.id, account.password_version, std::move(new_hash), keeps, now()},
                                         on_ended(done));
               });
        });
}

void AccountService::erase(PasswordProof proof, Answered<std::size_t> done) {
  done = counted(std::move(done));
  prove(std::move(proof), done, [this, done](const Account& account, const std::string&) {
    store_->erase(account.id, account.password_version, now(), on_ended(done));
  });
}

void AccountService::issue_reset_code(AccountId id, Answered<IssuedResetCode> done) {
  IssuedResetCode issued{base::new_typed_code(kResetCodeCharacters), now() + settings()->reset_code_lifetime};
  store_->put_reset_code(id, {base::typed_code_hash(issued.code), issued.expires},
                         [this, id, issued, done = counted(std::move(done))](base::Status status) {
                           if (!status) return done(tl::unexpected(refused_by(status.error())));
                           log_.info("accounts", "reset_code_issued", {{"account", to_text(id)}});
                           done(issued);
                         });
}

void AccountService::issue_requested_reset_code(std::string login, Answered<RequestedResetCode> done) {
  done = counted(std::move(done));
  account_by_login(std::move(login), [this, done = std::move(done)](Answer<Account> account) {
    if (!account) return done(tl::unexpected(std::move(account.error())));
    if (account->state != AccountState::active) return done(refuse(Refusal::not_found));
    issue_reset_code(account->id, [done, account = *account](Answer<IssuedResetCode> issued) {
      if (!issued) return done(tl::unexpected(std::move(issued.error())));
      done(RequestedResetCode{account.id, account.login, std::move(*issued)});
    });
  });
}

void AccountService::reset_password(std::string login, std::string code, std::string new_password,
                                    Answered<std::size_t> done) {
  done = counted(std::move(done));
  if (auto refusal = refusal_of_new_password(new_password)) return done(tl::unexpected(std::move(*refusal)));
  if (!is_login(login)) return done(refuse(Refusal::wrong_credentials));
  PasswordReset reset{std::move(login), base::typed_code_hash(code), "", now()};
  auto key = reset.login, code_hash = reset.code_hash;
  // WHY asked first: a wrong code must not cost a hash.
  store_->check_reset_code(
      std::move(key), std::move(code_hash), reset.now,
      [this, reset, done, new_password = std::move(new_password)](base::Result<bool> is_right) mutable {
        if (!is_right) return done(tl::unexpected(refused_by(is_right.error())));
        if (!*is_right) return done(refuse(Refusal::wrong_credentials));
        hash(HashingPriority::known_device, std::move(new_password), done, [this, reset, done](std::string new_hash) {
          auto order = reset;
          order.new_hash = std::move(new_hash);
          store_->reset_password(std::move(order), [this, done](base::Result<ResetOutcome> outcome) {
            if (!outcome) return done(tl::unexpected(refused_by(outcome.error())));
            if (!outcome->is_right) return done(refuse(Refusal::wrong_credentials));
            revoke(outcome->revoked);
            done(outcome->revoked.size());
          });
        });
      });
}

void AccountService::change_state(StateChange change, Answered<std::size_t> done) {
  change.now = now();
  store_->change_state(std::move(change),
                       [ended = on_ended(counted(std::move(done)))](base::Result<std::vector<Revocation>> result) {
                         ended(std::move(result));
                       });
}

}  // namespace tribune::accounts
