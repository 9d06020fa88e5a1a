// Tables and keys
//   accounts      {account}             every account
//   logins        {login_key()}         the account that has the login
//   devices       {account}/{device}    every device that is logged in
//   reset_codes   {account}
//   revocations   {number}
//   counters      "revocation"          the number of the last revocation
#include "accounts/embedded_account_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "accounts/account_records.h"
#include "base/encoding.h"
#include "base/signing.h"
#include "store/reported_results.h"

namespace tribune::accounts {
namespace {

using store::ReadTransaction;
using store::WriteTransaction;

constexpr std::string_view kAccounts = "accounts", kLogins = "logins", kDevices = "devices",
                           kResetCodes = "reset_codes", kRevocations = "revocations", kCounters = "counters";
constexpr std::size_t kMaxErased = 10'000;   // revocations in one transaction: others wait for the writing thread
constexpr std::size_t kMaxVisited = 20'000;  // accounts for one page: others wait for the reading thread
constexpr std::string_view kRevocationCounter = "revocation";

std::string device_key(AccountId account, DeviceId device) { return to_text(account) + "/" + to_text(device); }

tl::unexpected<base::Error> not_found() {
  return base::failure(base::ErrorKind::not_found, base::Fault::client, "the account does not exist");
}

tl::unexpected<base::Error> conflict(std::string text) {
  return base::failure(base::ErrorKind::conflict, base::Fault::client, std::move(text));
}

std::optional<Account> account_with_login(ReadTransaction& t, std::string_view key) {
  const auto id = parse_id(t.get(kLogins, key).value_or(""));
  return id ? account_in(t, *id) : std::nullopt;
}

void put_account(WriteTransaction& t, const Account& account) {
  t.put(kAccounts, to_text(account.id), to_record(account));
}

void put_device(WriteTransaction& t, const Device& device) {
  t.put(kDevices, device_key(device.account, device.id), to_record(device));
}

std::vector<Device> devices_in(ReadTransaction& t, AccountId account) {
  std::vector<Device> devices;
  const auto prefix = to_text(account) + "/";
  t.scan(kDevices, prefix, [&](std::string_view key, std::string_view record) {
    if (!key.starts_with(prefix)) return false;
    if (auto device = device_of_record(record)) devices.push_back(std::move(*device));
    return true;
  });
  std::sort(devices.begin(), devices.end(),
            [](const Device& a, const Device& b) { return std::tie(a.created, a.id) < std::tie(b.created, b.id); });
  return devices;
}

Revocation end_device(WriteTransaction& t, const Device& device, base::WallTime now) {
  const auto last = t.get(kCounters, kRevocationCounter).value_or("0");
  std::uint64_t number = 0;
  std::from_chars(last.data(), last.data() + last.size(), number);
  // WHY not before the last refresh: after a step of the clock back, its access token lives longer than `now` tells.
  const Revocation revocation{number + 1, device.id, std::max(now, device.refreshed)};
  t.put(kCounters, kRevocationCounter, std::to_string(revocation.number));
  t.put(kRevocations, to_text(revocation.number), to_record(revocation));
  t.erase(kDevices, device_key(device.account, device.id));
  return revocation;
}

/// Ends the devices of the account for which `ends` is true.
template <class Predicate>
std::vector<Revocation> end_devices_if(WriteTransaction& t, AccountId account, base::WallTime now, Predicate ends) {
  std::vector<Revocation> revoked;
  for (const auto& device : devices_in(t, account))
    if (ends(device)) revoked.push_back(end_device(t, device, now));
  return revoked;
}

std::vector<Revocation> end_all_devices(WriteTransaction& t, AccountId account, base::WallTime now) {
  return end_devices_if(t, account, now, [](const Device&) { return true; });
}

/// The account, if it is active and has this password version.
base::Result<Account> unchanged_account(ReadTransaction& t, AccountId id, std::uint32_t password_version) {
  auto account = account_in(t, id);
  if (!account || account->state != AccountState::active || account->password_version != password_version)
    return conflict("the account was changed at the same time");
  return std::move(*account);
}

base::Status create_in(WriteTransaction& t, const Account& account) {
  const auto key = login_key(account.login);
  if (t.get(kLogins, key)) return conflict("another account has this login");
  if (t.get(kAccounts, to_text(account.id))) return conflict("another account has this id");
  t.put(kLogins, key, to_text(account.id));
  put_account(t, account);
  return {};
}

base::Result<std::vector<Revocation>> open_device_in(WriteTransaction& t, const DeviceOpening& opening) {
  const auto& device = opening.device;
  auto account = unchanged_account(t, device.account, opening.password_version);
  if (!account) return tl::unexpected(account.error());
  if (!opening.renewed_hash.empty()) {
    account->password_hash = opening.renewed_hash;
    put_account(t, *account);
  }
  auto revoked = end_devices_if(t, device.account, device.created,
                                [&](const Device& other) { return opening.replaces && other.id == *opening.replaces; });
  auto others = devices_in(t, device.account);
  std::sort(others.begin(), others.end(), [](const Device& a, const Device& b) { return a.refreshed < b.refreshed; });
  for (std::size_t i = 0; others.size() - i >= opening.max_devices && i < others.size(); ++i)
    revoked.push_back(end_device(t, others[i], device.created));
  put_device(t, device);
  return revoked;
}

Refreshed refresh_in(WriteTransaction& t, const Refresh& refresh) {
  Refreshed refreshed;
  const auto record = t.get(kDevices, device_key(refresh.account, refresh.device));
  auto device = record ? device_of_record(*record) : std::nullopt;
  auto account = account_in(t, refresh.account);
  if (!device || !account) return refreshed;
  if (account->state != AccountState::active) {
    refreshed.result = RefreshResult::not_active;
    return refreshed;
  }
  const auto since = refresh.now - device->refreshed;
  const bool is_newest = refresh.generation == device->generation;
  const bool is_repeated = refresh.generation + 1 == device->generation && std::chrono::abs(since) <= refresh.grace;
  if (!is_newest && !is_repeated) {
    refreshed.result = RefreshResult::reused;
    refreshed.revoked = {end_device(t, *device, refresh.now)};
    return refreshed;
  }
  if (is_newest && since > refresh.lifetime) {
    refreshed.revoked = {end_device(t, *device, refresh.now)};
    return refreshed;
  }
  if (is_newest) {
    ++device->generation;
    device->refreshed = refresh.now;
    put_device(t, *device);
  }
  refreshed.result = is_newest ? RefreshResult::refreshed : RefreshResult::repeated;
  refreshed.account = std::move(*account);
  refreshed.device = std::move(*device);
  return refreshed;
}

base::Result<std::vector<Revocation>> change_password_in(WriteTransaction& t, const PasswordChange& change) {
  auto account = unchanged_account(t, change.account, change.password_version);
  if (!account) return tl::unexpected(account.error());
  account->password_hash = change.new_hash;
  ++account->password_version;
  put_account(t, *account);
  t.erase(kResetCodes, to_text(account->id));
  return end_devices_if(t, account->id, change.now,
                        [&](const Device& device) { return !change.keeps || device.id != *change.keeps; });
}

/// The account with the login, if this is its code.
std::optional<Account> account_with_code(ReadTransaction& t, std::string_view login, std::string_view code_hash,
                                         base::WallTime now) {
  auto account = account_with_login(t, login_key(login));
  if (!account) return std::nullopt;
  const auto record = t.get(kResetCodes, to_text(account->id));
  const auto code = record ? reset_code_of_record(*record) : std::nullopt;
  const bool is_right = code && code->expires > now && code->code_hash == code_hash;
  return is_right ? std::move(account) : std::nullopt;
}

ResetOutcome reset_password_in(WriteTransaction& t, const PasswordReset& reset) {
  ResetOutcome outcome;
  auto account = account_with_code(t, reset.login, reset.code_hash, reset.now);
  if (!account) return outcome;
  t.erase(kResetCodes, to_text(account->id));
  account->password_hash = reset.new_hash;
  ++account->password_version;
  put_account(t, *account);
  outcome.is_right = true;
  outcome.revoked = end_all_devices(t, account->id, reset.now);
  return outcome;
}

base::Result<std::vector<Revocation>> change_state_in(WriteTransaction& t, const StateChange& change) {
  auto account = account_in(t, change.account);
  if (!account) return not_found();
  if (std::find(change.from.begin(), change.from.end(), account->state) == change.from.end())
    return conflict(fmt::format("the account is {}", to_string(account->state)));
  account->state = change.to;
  account->reason = change.reason;
  put_account(t, *account);
  if (change.to == AccountState::active) return std::vector<Revocation>();
  return end_all_devices(t, account->id, change.now);
}

base::Result<std::vector<Revocation>> erase_in(WriteTransaction& t, AccountId id, std::uint32_t password_version,
                                               base::WallTime now) {
  const auto account = unchanged_account(t, id, password_version);
  if (!account) return tl::unexpected(account.error());
  auto revoked = end_all_devices(t, id, now);
  t.erase(kResetCodes, to_text(id));
  t.erase(kLogins, login_key(account->login));
  t.erase(kAccounts, to_text(id));
  return revoked;
}

AccountPage list_in(ReadTransaction& t, const std::string& from, std::size_t limit, std::optional<AccountState> state) {
  AccountPage page;
  std::size_t visited = 0;
  t.scan(kLogins, from, [&](std::string_view login, std::string_view id) {
    if (++visited > kMaxVisited) {
      page.next = std::string(login);
      return false;
    }
    auto account = account_in(t, parse_id(id).value_or(0));
    if (!account || (state && account->state != *state)) return true;
    if (page.accounts.size() == limit) page.next = std::string(login);
    if (page.accounts.size() < limit) page.accounts.push_back(std::move(*account));
    return page.next.empty();
  });
  return page;
}

void erase_revocations_in(WriteTransaction& t, base::WallTime until) {
  std::vector<std::string> expired;
  t.scan(kRevocations, "", [&](std::string_view key, std::string_view record) {
    const auto revocation = revocation_of_record(record);
    // WHY at the first one: numbers grow with time. After a step of the clock some stay longer than they must.
    if (revocation && revocation->at > until) return false;
    expired.emplace_back(key);
    return expired.size() < kMaxErased;
  });
  for (const auto& key : expired) t.erase(kRevocations, key);
}

}  // namespace

std::span<const std::string_view> account_tables() {
  static constexpr std::array kTables{kAccounts, kLogins, kDevices, kResetCodes, kRevocations, kCounters};
  return kTables;
}

std::optional<Account> account_in(ReadTransaction& t, AccountId id) {
  const auto record = t.get(kAccounts, to_text(id));
  return record ? account_of_record(*record) : std::nullopt;
}

namespace {

/// Any thread; the transactional store locks inside.
class EmbeddedAccountStore final : public AccountStore {
 public:
  explicit EmbeddedAccountStore(std::shared_ptr<store::TransactionalStore> tables) : tables_(std::move(tables)) {}

  void create(Account account, Done<void> done) override {
    tables_->write([account = std::move(account)](WriteTransaction& t) { return create_in(t, account); },
                   std::move(done));
  }
  void find(AccountId id, Done<std::optional<Account>> done) override {
    view<std::optional<Account>>([id](ReadTransaction& t) { return account_in(t, id); }, std::move(done));
  }
  void find_by_login(std::string login, Done<std::optional<Account>> done) override {
    view<std::optional<Account>>([key = login_key(login)](ReadTransaction& t) { return account_with_login(t, key); },
                                 std::move(done));
  }
  void list(std::string from, std::size_t limit, std::optional<AccountState> state, Done<AccountPage> done) override {
    view<AccountPage>(
        [from = login_key(from), limit, state](ReadTransaction& t) { return list_in(t, from, limit, state); },
        std::move(done));
  }
  void open_device(DeviceOpening opening, Done<std::vector<Revocation>> done) override {
    change<std::vector<Revocation>>(
        [opening = std::move(opening)](WriteTransaction& t) { return open_device_in(t, opening); }, std::move(done));
  }
  void devices(AccountId id, Done<std::vector<Device>> done) override {
    view<std::vector<Device>>([id](ReadTransaction& t) { return devices_in(t, id); }, std::move(done));
  }
  void refresh(Refresh refresh, Done<Refreshed> done) override {
    change<Refreshed>([refresh](WriteTransaction& t) -> base::Result<Refreshed> { return refresh_in(t, refresh); },
                      std::move(done));
  }
  void end_devices(AccountId account, DeviceId device, DeviceId keeps, base::WallTime now,
                   Done<std::vector<Revocation>> done) override {
    change<std::vector<Revocation>>(
        [=](WriteTransaction& t) -> base::Result<std::vector<Revocation>> {
          return end_devices_if(t, account, now, [&](const Device& other) {
            return device != 0 ? other.id == device : other.id != keeps;
          });
        },
        std::move(done));
  }
  void change_password(PasswordChange password, Done<std::vector<Revocation>> done) override {
    change<std::vector<Revocation>>(
        [password = std::move(password)](WriteTransaction& t) { return change_password_in(t, password); },
        std::move(done));
  }
  void put_reset_code(AccountId id, ResetCode code, Done<void> done) override {
    tables_->write(
        [id, code = std::move(code)](WriteTransaction& t) -> base::Status {
          if (!account_in(t, id)) return not_found();
          t.put(kResetCodes, to_text(id), to_record(code));
          return {};
        },
        std::move(done));
  }
  void check_reset_code(std::string login, std::string code_hash, base::WallTime now, Done<bool> done) override {
    view<bool>([login = std::move(login), code_hash = std::move(code_hash),
                now](ReadTransaction& t) { return account_with_code(t, login, code_hash, now).has_value(); },
               std::move(done));
  }
  void reset_password(PasswordReset reset, Done<ResetOutcome> done) override {
    change<ResetOutcome>([reset = std::move(reset)](
                             WriteTransaction& t) -> base::Result<ResetOutcome> { return reset_password_in(t, reset); },
                         std::move(done));
  }
  void change_state(StateChange state, Done<std::vector<Revocation>> done) override {
    change<std::vector<Revocation>>(
        [state = std::move(state)](WriteTransaction& t) { return change_state_in(t, state); }, std::move(done));
  }
  void erase(AccountId id, std::uint32_t password_version, base::WallTime now,
             Done<std::vector<Revocation>> done) override {
    change<std::vector<Revocation>>([=](WriteTransaction& t) { return erase_in(t, id, password_version, now); },
                                    std::move(done));
  }
  void revocations(base::WallTime after, Done<std::vector<Revocation>> done) override {
    view<std::vector<Revocation>>(
        [after](ReadTransaction& t) {
          std::vector<Revocation> found;
          t.scan(kRevocations, "", [&](std::string_view, std::string_view record) {
            if (const auto revocation = revocation_of_record(record); revocation && revocation->at > after)
              found.push_back(*revocation);
            return true;
          });
          return found;
        },
        std::move(done));
  }
  void erase_revocations(base::WallTime until, Done<void> done) override {
    tables_->write(
        [until](WriteTransaction& t) -> base::Status {
          erase_revocations_in(t, until);
          return {};
        },
        std::move(done));
  }
  base::Status health() const override { return tables_->health(); }

 private:
  template <class T>
  void change(std::function<base::Result<T>(WriteTransaction&)> work, Done<T> done) {
    store::write_and_report<T>(*tables_, std::move(work), std::move(done));
  }
  template <class T>
  void view(std::function<T(ReadTransaction&)> work, Done<T> done) {
    store::read_and_report<T>(*tables_, std::move(work), std::move(done));
  }

  const std::shared_ptr<store::TransactionalStore> tables_;
};

}  // namespace

std::unique_ptr<AccountStore> make_embedded_account_store(std::shared_ptr<store::TransactionalStore> tables) {
  return std::make_unique<EmbeddedAccountStore>(std::move(tables));
}

}  // namespace tribune::accounts
