// What every engine of the store of accounts must do. An engine is a type with open(folder): a store whose records are
// in this folder, also those of a former store of the same folder.
#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

#include "accounts/account_store.h"
#include "accounts/embedded_accounts.h"
#include "support/folder.h"
#include "support/silent_log.h"

using namespace tribune::accounts;
using namespace std::chrono_literals;
namespace base = tribune::base;
using tribune::test::Folder;

namespace {

struct EmbeddedEngine {
  static std::unique_ptr<AccountStore> open(const Folder& folder) {
    auto opened = tribune::test::open_accounts(folder);
    REQUIRE(opened != nullptr);
    return opened;
  }
};

#define ENGINES EmbeddedEngine

/// Calls a function of the store and waits for its callback.
template <class T, class Call>
base::Result<T> outcome_of(Call call) {
  std::promise<base::Result<T>> promise;
  call([&](base::Result<T> result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

const base::WallTime kStart{1'700'000'000s};

Account account_named(std::string login, AccountId id) {
  Account account;
  account.id = id;
  account.login = std::move(login);
  account.password_hash = "hash 1";
  account.created = kStart;
  return account;
}

base::Status created(AccountStore& store, Account account) {
  return outcome_of<void>([&](auto done) { store.create(std::move(account), done); });
}

std::optional<Account> found(AccountStore& store, AccountId id) {
  return *outcome_of<std::optional<Account>>([&](auto done) { store.find(id, done); });
}

std::optional<Account> found_by_login(AccountStore& store, std::string login) {
  return *outcome_of<std::optional<Account>>([&](auto done) { store.find_by_login(std::move(login), done); });
}

std::vector<DeviceId> device_ids(AccountStore& store, AccountId id) {
  const auto devices = *outcome_of<std::vector<Device>>([&](auto done) { store.devices(id, done); });
  std::vector<DeviceId> ids;
  for (const auto& device : devices) ids.push_back(device.id);
  return ids;
}

std::vector<DeviceId> devices_of(const std::vector<Revocation>& revoked) {
  std::vector<DeviceId> ids;
  for (const auto& revocation : revoked) ids.push_back(revocation.device);
  return ids;
}

std::vector<DeviceId> revoked_since(AccountStore& store, base::WallTime after) {
  return devices_of(*outcome_of<std::vector<Revocation>>([&](auto done) { store.revocations(after, done); }));
}

DeviceOpening opening_of(AccountId account, DeviceId id, base::WallTime at = kStart) {
  DeviceOpening opening;
  opening.device = {id, account, "phone " + std::to_string(id), 1, at, at};
  opening.password_version = 1;
  opening.max_devices = 3;
  return opening;
}

base::Result<std::vector<Revocation>> opened(AccountStore& store, DeviceOpening opening) {
  return outcome_of<std::vector<Revocation>>([&](auto done) { store.open_device(std::move(opening), done); });
}

/// The use of a refresh token of device 7 of account 1.
Refreshed refreshed(AccountStore& store, std::uint32_t generation, base::WallTime now) {
  return *outcome_of<Refreshed>([&](auto done) {
    store.refresh({1, 7, generation, now, 30s, std::chrono::hours(24)}, done);
  });
}

base::Result<std::vector<Revocation>> with_state(AccountStore& store, AccountId id, std::vector<AccountState> from,
                                                 AccountState to) {
  return outcome_of<std::vector<Revocation>>([&](auto done) {
    store.change_state({id, std::move(from), to, "reason", kStart}, done);
  });
}

base::Result<std::vector<Revocation>> with_password(AccountStore& store, std::uint32_t version,
                                                    std::optional<DeviceId> keeps = {}) {
  return outcome_of<std::vector<Revocation>>([&](auto done) {
    store.change_password({1, version, "hash 2", keeps, kStart}, done);
  });
}

ResetOutcome reset(AccountStore& store, std::string code_hash, base::WallTime now = kStart) {
  return *outcome_of<ResetOutcome>([&](auto done) {
    store.reset_password({"Viewer", std::move(code_hash), "hash 3", now}, done);
  });
}

/// A store with the account 1 ("viewer") and its devices 7 and 8.
template <class Engine>
std::unique_ptr<AccountStore> with_account(const Folder& folder) {
  auto store = Engine::open(folder);
  REQUIRE(created(*store, account_named("viewer", 1)).has_value());
  REQUIRE(opened(*store, opening_of(1, 7)).has_value());
  REQUIRE(opened(*store, opening_of(1, 8, kStart + 1s)).has_value());
  return store;
}

}  // namespace

TEST_CASE_TEMPLATE("an account is found by id and by login in any case of letters", Engine, ENGINES) {
  const Folder folder;
  auto store = Engine::open(folder);
  const auto account = account_named("Viewer@Example.org", 5);
  REQUIRE(created(*store, account).has_value());
  CHECK(found(*store, 5) == account);
  CHECK(found_by_login(*store, "viewer@EXAMPLE.org") == account);
  CHECK_FALSE(found(*store, 6).has_value());
  CHECK_FALSE(found_by_login(*store, "viewer").has_value());
  store.reset();
  store = Engine::open(folder);
  CHECK(found(*store, 5) == account);
}

TEST_CASE_TEMPLATE("a login belongs to one account: of many registrations at one instant one succeeds", Engine,
                   ENGINES) {
  const Folder folder;
  auto store = Engine::open(folder);
  std::atomic<int> won{0}, conflicts{0};
  std::vector<std::thread> threads;
  for (AccountId id = 1; id <= 16; ++id)
    threads.emplace_back([&, id] {
      const auto status = created(*store, account_named(id % 2 ? "viewer" : "VIEWER", id));
      won += status.has_value();
      conflicts += !status && status.error().kind == base::ErrorKind::conflict;
    });
  for (auto& thread : threads) thread.join();
  CHECK(won == 1);
  CHECK(conflicts == 15);
  CHECK(found_by_login(*store, "viewer").has_value());
}

TEST_CASE_TEMPLATE("accounts are listed by login, page by page and by state", Engine, ENGINES) {
  const Folder folder;
  auto store = Engine::open(folder);
  for (AccountId id = 1; id <= 7; ++id) {
    auto account = account_named("viewer" + std::to_string(8 - id), id);
    if (id % 2) account.state = AccountState::awaiting_approval;
    REQUIRE(created(*store, account).has_value());
  }
  const auto pages_of = [&](std::optional<AccountState> state) {
    std::vector<std::vector<std::string>> pages;
    std::string from;
    do {
      const auto page = *outcome_of<AccountPage>([&](auto done) { store->list(from, 3, state, done); });
      pages.emplace_back();
      for (const auto& account : page.accounts) pages.back().push_back(account.login);
      from = page.next;
    } while (!from.empty());
    return pages;
  };
  CHECK(pages_of({}) == std::vector<std::vector<std::string>>{
                            {"viewer1", "viewer2", "viewer3"}, {"viewer4", "viewer5", "viewer6"}, {"viewer7"}});
  CHECK(pages_of(AccountState::active) == std::vector<std::vector<std::string>>{{"viewer2", "viewer4", "viewer6"}});
  CHECK(pages_of(AccountState::blocked) == std::vector<std::vector<std::string>>{{}});
}

TEST_CASE_TEMPLATE("a device is opened only for the password that was checked and an active account", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  auto opening = opening_of(1, 9);
  SUBCASE("another password version") { opening.password_version = 2; }
  SUBCASE("no such account") { opening.device.account = 2; }
  SUBCASE("a blocked account") {
    REQUIRE(with_state(*store, 1, {AccountState::active}, AccountState::blocked).has_value());
  }
  const auto result = opened(*store, opening);
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().kind == base::ErrorKind::conflict);
}

TEST_CASE_TEMPLATE("a login stores a renewed hash, and replaces the device that it continues", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  auto opening = opening_of(1, 9, kStart + 2s);
  opening.replaces = 7;
  opening.renewed_hash = "hash 1, renewed";
  CHECK(devices_of(*opened(*store, opening)) == std::vector<DeviceId>{7});
  CHECK(device_ids(*store, 1) == std::vector<DeviceId>{8, 9});
  CHECK(found(*store, 1)->password_hash == "hash 1, renewed");
  CHECK(found(*store, 1)->password_version == 1);
  CHECK(revoked_since(*store, kStart) == std::vector<DeviceId>{7});
}

TEST_CASE_TEMPLATE("one device more than allowed ends the one that was refreshed longest ago", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  REQUIRE(opened(*store, opening_of(1, 9, kStart + 2s)).has_value());
  REQUIRE(refreshed(*store, 1, kStart + 5s).result == RefreshResult::refreshed);  // device 7
  CHECK(devices_of(*opened(*store, opening_of(1, 10, kStart + 6s))) == std::vector<DeviceId>{8});
  CHECK(device_ids(*store, 1) == std::vector<DeviceId>{7, 9, 10});
}

TEST_CASE_TEMPLATE("a refresh issues the next generation, and again the same one within the grace", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  const auto first = refreshed(*store, 1, kStart + 60s);
  CHECK(first.result == RefreshResult::refreshed);
  CHECK(first.device.generation == 2);
  CHECK(first.account.login == "viewer");
  const auto again = refreshed(*store, 1, kStart + 90s);
  CHECK(again.result == RefreshResult::repeated);
  CHECK(again.device.generation == 2);
  CHECK(refreshed(*store, 2, kStart + 91s).device.generation == 3);
}

TEST_CASE_TEMPLATE("two refreshes at one instant continue one family", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  std::vector<std::thread> threads;
  std::atomic<int> same{0};
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&] { same += refreshed(*store, 1, kStart + 60s).device.generation == 2; });
  for (auto& thread : threads) thread.join();
  CHECK(same == 16);
}

TEST_CASE_TEMPLATE("an older refresh token ends its device", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  REQUIRE(refreshed(*store, 1, kStart + 60s).device.generation == 2);
  Refreshed stolen;
  SUBCASE("the last one, after the grace") { stolen = refreshed(*store, 1, kStart + 60s + 31s); }
  SUBCASE("the one before the last, within the grace") {
    REQUIRE(refreshed(*store, 2, kStart + 61s).device.generation == 3);
    stolen = refreshed(*store, 1, kStart + 62s);
  }
  SUBCASE("one that was never issued") { stolen = refreshed(*store, 5, kStart + 61s); }
  CHECK(stolen.result == RefreshResult::reused);
  CHECK(devices_of(stolen.revoked) == std::vector<DeviceId>{7});
  CHECK(refreshed(*store, 2, kStart + 95s).result == RefreshResult::ended);
  CHECK(device_ids(*store, 1) == std::vector<DeviceId>{8});
  store.reset();
  store = Engine::open(folder);
  CHECK(revoked_since(*store, kStart) == std::vector<DeviceId>{7});
}

TEST_CASE_TEMPLATE("a refresh token ends after its lifetime, and with its account", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  SUBCASE("unused for its lifetime") {
    CHECK(refreshed(*store, 1, kStart + std::chrono::hours(24)).result == RefreshResult::refreshed);
    const auto late = refreshed(*store, 2, kStart + std::chrono::hours(48) + 1s);
    CHECK(late.result == RefreshResult::ended);
    CHECK(devices_of(late.revoked) == std::vector<DeviceId>{7});
  }
  SUBCASE("the account is blocked") {
    CHECK(with_state(*store, 1, {AccountState::active}, AccountState::blocked)->size() == 2);
    CHECK(refreshed(*store, 1, kStart + 1s).result == RefreshResult::ended);
  }
  SUBCASE("the account is erased") {
    CHECK(outcome_of<std::vector<Revocation>>([&](auto done) { store->erase(1, 1, kStart + 1s, done); })->size() == 2);
    CHECK(refreshed(*store, 1, kStart + 1s).result == RefreshResult::ended);
    CHECK_FALSE(found_by_login(*store, "viewer").has_value());
    CHECK(created(*store, account_named("viewer", 2)).has_value());
    CHECK(device_ids(*store, 2).empty());
  }
}

TEST_CASE_TEMPLATE("devices end one by one, and all but one", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  REQUIRE(opened(*store, opening_of(1, 9, kStart + 2s)).has_value());
  const auto ended = [&](DeviceId device, DeviceId keeps) {
    return devices_of(*outcome_of<std::vector<Revocation>>(
        [&](auto done) { store->end_devices(1, device, keeps, kStart + 3s, done); }));
  };
  CHECK(ended(8, 0) == std::vector<DeviceId>{8});
  CHECK(ended(8, 0).empty());
  CHECK(ended(0, 9) == std::vector<DeviceId>{7});
  CHECK(device_ids(*store, 1) == std::vector<DeviceId>{9});
  CHECK(ended(0, 0) == std::vector<DeviceId>{9});
  CHECK(revoked_since(*store, kStart) == std::vector<DeviceId>{8, 7, 9});
}

TEST_CASE_TEMPLATE("a changed password ends the other devices; of two changes at one instant one succeeds", Engine,
                   ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  CHECK(devices_of(*with_password(*store, 1, 8)) == std::vector<DeviceId>{7});
  CHECK(device_ids(*store, 1) == std::vector<DeviceId>{8});
  CHECK(found(*store, 1)->password_hash == "hash 2");
  CHECK(found(*store, 1)->password_version == 2);
  const auto second = with_password(*store, 1, 8);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().kind == base::ErrorKind::conflict);
  CHECK(devices_of(*with_password(*store, 2)) == std::vector<DeviceId>{8});
}

TEST_CASE_TEMPLATE("a reset code replaces the password once, and ends all devices", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  const auto put = [&](AccountId id, std::string code) {
    return outcome_of<void>([&](auto done) { store->put_reset_code(id, {std::move(code), kStart + 60s}, done); });
  };
  CHECK(put(9, "code").error().kind == base::ErrorKind::not_found);
  CHECK_FALSE(reset(*store, "code").is_right);
  REQUIRE(put(1, "old code").has_value());
  REQUIRE(put(1, "code").has_value());
  CHECK_FALSE(reset(*store, "old code").is_right);
  SUBCASE("the right code") {
    const auto outcome = reset(*store, "code");
    CHECK(outcome.is_right);
    CHECK(devices_of(outcome.revoked) == std::vector<DeviceId>{7, 8});
    CHECK(found(*store, 1)->password_hash == "hash 3");
    CHECK(found(*store, 1)->password_version == 2);
    CHECK_FALSE(reset(*store, "code").is_right);
  }
  SUBCASE("an expired code") { CHECK_FALSE(reset(*store, "code", kStart + 60s).is_right); }
  SUBCASE("a check changes nothing") {
    const auto check = [&](std::string code, base::WallTime now) {
      return *outcome_of<bool>([&](auto done) { store->check_reset_code("VIEWER", std::move(code), now, done); });
    };
    CHECK_FALSE(check("old code", kStart));
    CHECK_FALSE(check("code", kStart + 60s));
    CHECK(check("code", kStart + 59s));
    CHECK(reset(*store, "code").is_right);
  }
  SUBCASE("a changed password erases the code") {
    REQUIRE(with_password(*store, 1).has_value());
    CHECK_FALSE(reset(*store, "code").is_right);
  }
}

TEST_CASE_TEMPLATE("an operator moves an account from one state to another, with a reason", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  CHECK(with_state(*store, 2, {AccountState::active}, AccountState::blocked).error().kind ==
        base::ErrorKind::not_found);
  const auto wrong = with_state(*store, 1, {AccountState::awaiting_approval}, AccountState::declined);
  REQUIRE_FALSE(wrong.has_value());
  CHECK(wrong.error().kind == base::ErrorKind::conflict);
  CHECK(device_ids(*store, 1).size() == 2);
  CHECK(with_state(*store, 1, {AccountState::active, AccountState::blocked}, AccountState::blocked)->size() == 2);
  CHECK(found(*store, 1)->state == AccountState::blocked);
  CHECK(found(*store, 1)->reason == "reason");
  CHECK(with_state(*store, 1, {AccountState::blocked}, AccountState::active)->empty());
  CHECK(found(*store, 1)->state == AccountState::active);
}

TEST_CASE_TEMPLATE("revocations have growing numbers and are erased by time", Engine, ENGINES) {
  const Folder folder;
  auto store = with_account<Engine>(folder);
  const auto end = [&](DeviceId device, base::WallTime now) {
    return outcome_of<std::vector<Revocation>>([&](auto done) { store->end_devices(1, device, 0, now, done); })
        ->front()
        .number;
  };
  const auto first = end(7, kStart + 10s);
  REQUIRE(outcome_of<void>([&](auto done) { store->erase_revocations(kStart + 10s, done); }).has_value());
  CHECK(revoked_since(*store, base::WallTime{}).empty());
  store.reset();
  store = Engine::open(folder);
  CHECK(end(8, kStart + 20s) == first + 1);
  CHECK(revoked_since(*store, kStart + 19s) == std::vector<DeviceId>{8});
  CHECK(revoked_since(*store, kStart + 20s).empty());
}
