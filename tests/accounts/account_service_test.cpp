#include "accounts/account_service.h"

#include <doctest/doctest.h>

#include <future>

#include "accounts/embedded_accounts.h"
#include "support/folder.h"
#include "support/silent_log.h"

using namespace tribune::accounts;
using namespace std::chrono_literals;
namespace base = tribune::base;
using tribune::test::Folder;

namespace {

AccountSettings quick_settings() {
  AccountSettings settings;
  settings.min_password_length = 6;
  settings.hash_memory_bytes = 8 << 10;
  settings.hash_passes = 1;
  settings.max_failed_logins = 3;
  return settings;
}

/// Calls a function of the service and waits for its answer.
template <class T, class Call>
Answer<T> answer_of(Call call) {
  std::promise<Answer<T>> promise;
  call([&](Answer<T> answer) { promise.set_value(std::move(answer)); });
  return promise.get_future().get();
}

struct ServiceUnderTest {
  explicit ServiceUnderTest(const AccountSettings& settings = quick_settings()) { open(settings); }

  void open(const AccountSettings& settings) {
    service.reset();
    auto store = tribune::test::open_accounts(folder);
    REQUIRE(store != nullptr);
    service = std::make_unique<AccountService>(settings, std::move(store), clock, tribune::test::silent_log(), metrics);
    REQUIRE(service->start().has_value());
  }
  Answer<Account> registered(std::string login, std::string password) {
    return answer_of<Account>([&](auto done) { service->register_account({login, password}, done); });
  }
  Answer<LoggedIn> logged_in(std::string login, std::string password, std::optional<KnownDevice> known = {},
                             std::string client = "192.0.2.1") {
    return answer_of<LoggedIn>([&](auto done) { service->log_in({login, password, "phone", client, known}, done); });
  }
  Answer<LoggedIn> refreshed(const Device& device) {
    return answer_of<LoggedIn>(
        [&](auto done) { service->refresh(device.account, device.id, device.generation, done); });
  }
  /// The refusal of a login, "none" when it succeeds.
  std::optional<Refusal> refusal_of_login(std::string login, std::string password) {
    const auto answer = logged_in(std::move(login), std::move(password));
    return answer ? std::nullopt : std::optional(answer.error().why);
  }

  const Folder folder;
  base::ManualClock clock;
  base::Metrics metrics;
  std::unique_ptr<AccountService> service;
};

}  // namespace

TEST_CASE("an account is registered, logs in, refreshes and logs out") {
  ServiceUnderTest t;
  REQUIRE(t.registered("Viewer", "secret").has_value());
  const auto login = t.logged_in("viewer", "secret");
  REQUIRE(login.has_value());
  CHECK(login->account.login == "Viewer");
  CHECK(login->device.name == "phone");
  CHECK(login->device.generation == 1);
  const auto next = t.refreshed(login->device);
  REQUIRE(next.has_value());
  CHECK(next->device.generation == 2);
  CHECK_FALSE(t.service->is_revoked(login->device.id));
  CHECK(answer_of<std::size_t>([&](auto done) { t.service->end_device(login->account.id, login->device.id, done); }) ==
        1);
  CHECK(t.service->is_revoked(login->device.id));
  CHECK(t.refreshed(next->device).error().why == Refusal::logged_out);
}

TEST_CASE("a registration is checked before anything is stored") {
  ServiceUnderTest t;
  CHECK(t.registered("a b", "secret").error().why == Refusal::login_invalid);
  CHECK(t.registered("viewer", "short").error().why == Refusal::password_length);
  CHECK(t.registered("viewer", std::string(kMaxPasswordBytes + 1, 'x')).error().why == Refusal::password_length);
  REQUIRE(t.registered("viewer", "secret").has_value());
  CHECK(t.registered("VIEWER", "another").error().why == Refusal::login_taken);
  CHECK(t.logged_in("viewer", "secret").has_value());
}

TEST_CASE("closed and moderated registrations") {
  auto settings = quick_settings();
  settings.registration = RegistrationMode::moderated;
  ServiceUnderTest t(settings);
  const auto account = t.registered("viewer", "secret");
  REQUIRE(account.has_value());
  CHECK(account->state == AccountState::awaiting_approval);
  CHECK(t.refusal_of_login("viewer", "wrong!") == Refusal::wrong_credentials);
  CHECK(t.refusal_of_login("viewer", "secret") == Refusal::awaiting_approval);
  const auto change = [&](AccountState from, AccountState to) {
    return answer_of<std::size_t>([&](auto done) {
      t.service->change_state({account->id, {from}, to, "a reason", {}}, done);
    });
  };
  SUBCASE("an accepted account logs in") {
    CHECK(change(AccountState::awaiting_approval, AccountState::active).has_value());
    CHECK_FALSE(t.refusal_of_login("viewer", "secret").has_value());
    CHECK(change(AccountState::awaiting_approval, AccountState::declined).error().why == Refusal::changed_meanwhile);
  }
  SUBCASE("a declined one is told the reason") {
    CHECK(change(AccountState::awaiting_approval, AccountState::declined).has_value());
    const auto refused = t.logged_in("viewer", "secret");
    CHECK(refused.error().why == Refusal::declined);
    CHECK(refused.error().reason == "a reason");
  }
  SUBCASE("only an operator creates accounts") {
    settings.registration = RegistrationMode::closed;
    t.service->apply(settings);
    CHECK(t.registered("another", "secret").error().why == Refusal::registration_closed);
    CHECK(answer_of<Account>([&](auto done) { t.service->create_account({"another", "secret"}, done); }).has_value());
    CHECK_FALSE(t.refusal_of_login("another", "secret").has_value());
  }
}

TEST_CASE("wrong passwords are limited for unknown devices, and the owner's device still logs in") {
  ServiceUnderTest t;
  REQUIRE(t.registered("viewer", "secret").has_value());
  const auto first = t.logged_in("viewer", "secret");
  REQUIRE(first.has_value());
  for (int i = 0; i < 3; ++i)
    CHECK(t.refusal_of_login("viewer", "wrong" + std::to_string(i)) == Refusal::wrong_credentials);
  for (int i = 0; i < 3; ++i)
    CHECK(t.refusal_of_login("nobody", "wrong" + std::to_string(i)) == Refusal::wrong_credentials);
  for (const auto* login : {"viewer", "nobody"}) {
    const auto refused = t.logged_in(login, "secret");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().why == Refusal::too_many_attempts);
    CHECK(refused.error().retry_after >= 1s);
  }
  const KnownDevice of_owner{first->account.id, first->device.id};
  CHECK(t.logged_in("viewer", "secret", of_owner).has_value());
  const KnownDevice of_another{first->account.id + 1, first->device.id};
  CHECK(t.logged_in("viewer", "secret", of_another).error().why == Refusal::too_many_attempts);
}

TEST_CASE("a login with a known device continues it, and ends its former tokens") {
  ServiceUnderTest t;
  REQUIRE(t.registered("viewer", "secret").has_value());
  const auto first = t.logged_in("viewer", "secret");
  const auto second = t.logged_in("viewer", "secret", KnownDevice{first->account.id, first->device.id});
  REQUIRE(second.has_value());
  CHECK(t.service->is_revoked(first->device.id));
  CHECK_FALSE(t.service->is_revoked(second->device.id));
  CHECK(answer_of<std::vector<Device>>([&](auto done) { t.service->devices(first->account.id, done); })->size() == 1);
}

TEST_CASE("a reused refresh token ends its device; a repeated one within the grace does not") {
  ServiceUnderTest t;
  REQUIRE(t.registered("viewer", "secret").has_value());
  const auto login = t.logged_in("viewer", "secret");
  CHECK(t.refreshed(login->device)->device.generation == 2);
  t.clock.advance(30s);
  CHECK(t.refreshed(login->device)->device.generation == 2);
  t.clock.advance(31s);
  CHECK(t.refreshed(login->device).error().why == Refusal::token_reused);
  CHECK(t.service->is_revoked(login->device.id));
}

TEST_CASE("a change of the password asks for the old one, and ends the other devices") {
  ServiceUnderTest t;
  REQUIRE(t.registered("viewer", "secret").has_value());
  const auto first = t.logged_in("viewer", "secret"), second = t.logged_in("viewer", "secret");
  const auto change = [&](std::string password, std::string new_password) {
    return answer_of<std::size_t>([&](auto done) {
      t.service->change_password({first->account.id, first->device.id, password, "192.0.2.1"}, new_password, done);
    });
  };
  CHECK(change("wrong!", "another").error().why == Refusal::wrong_credentials);
  CHECK(change("secret", "short").error().why == Refusal::password_length);
  CHECK(change("secret", "another") == 1);
  CHECK(t.service->is_revoked(second->device.id));
  CHECK_FALSE(t.service->is_revoked(first->device.id));
  CHECK(t.refusal_of_login("viewer", "secret") == Refusal::wrong_credentials);
  CHECK_FALSE(t.refusal_of_login("viewer", "another").has_value());
}

TEST_CASE("a viewer's request issues a code for an active account only, and a newer code replaces it") {
  ServiceUnderTest t;
  const auto account = t.registered("Viewer", "secret");
  REQUIRE(account.has_value());
  const auto request = [&](std::string login) {
    return answer_of<RequestedResetCode>([&](auto done) { t.service->issue_requested_reset_code(login, done); });
  };
  const auto reset = [&](const std::string& code) {
    return answer_of<std::size_t>([&](auto done) { t.service->reset_password("viewer", code, "another", done); });
  };
  const auto change = [&](AccountState from, AccountState to) {
    CHECK(answer_of<std::size_t>([&](auto done) {
            t.service->change_state({account->id, {from}, to, "", {}}, done);
          }).has_value());
  };
  CHECK(request("nobody").error().why == Refusal::not_found);
  CHECK(request("not a login").error().why == Refusal::not_found);
  const auto first = request("VIEWER"), second = request("viewer");
  REQUIRE(second.has_value());
  CHECK(second->account == account->id);
  CHECK(second->login == "Viewer");
  CHECK(second->issued.expires == t.clock.wall_now() + 1h);
  change(AccountState::active, AccountState::blocked);
  CHECK(request("viewer").error().why == Refusal::not_found);
  change(AccountState::blocked, AccountState::active);
  CHECK(reset(first->issued.code).error().why == Refusal::wrong_credentials);
  CHECK(reset(second->issued.code).has_value());
}

TEST_CASE("an erased account is gone with its devices, and its login is free") {
  ServiceUnderTest t;
  REQUIRE(t.registered("viewer", "secret").has_value());
  const auto login = t.logged_in("viewer", "secret");
  const auto erase = [&](std::string password) {
    return answer_of<std::size_t>([&](auto done) {
      t.service->erase({login->account.id, login->device.id, password, "192.0.2.1"}, done);
    });
  };
  CHECK(erase("wrong!").error().why == Refusal::wrong_credentials);
  CHECK(erase("secret") == 1);
  CHECK(t.service->is_revoked(login->device.id));
  CHECK(t.refusal_of_login("viewer", "secret") == Refusal::wrong_credentials);
  CHECK(t.registered("viewer", "another").has_value());
}

TEST_CASE("revocations survive a restart for as long as access tokens live, and are forgotten then") {
  ServiceUnderTest t;
  REQUIRE(t.registered("viewer", "secret").has_value());
  const auto login = t.logged_in("viewer", "secret");
  CHECK(answer_of<std::size_t>([&](auto done) { t.service->end_other_devices(login->account.id, 0, done); }) == 1);
  t.open(quick_settings());
  CHECK(t.service->is_revoked(login->device.id));
  const auto tick_for_all = [&] {
    for (std::size_t i = 0; i < RevokedDevices::kShards; ++i) t.service->tick();
  };
  t.clock.advance(kMaxAccessLifetime + std::chrono::minutes(60));
  tick_for_all();
  CHECK(t.service->is_revoked(login->device.id));
  t.clock.advance(61s);
  tick_for_all();
  CHECK_FALSE(t.service->is_revoked(login->device.id));
}

TEST_CASE("a login renews a hash of another cost") {
  ServiceUnderTest t;
  REQUIRE(t.registered("viewer", "secret").has_value());
  const auto hash = [&] {
    return answer_of<Account>([&](auto done) { t.service->account_by_login("viewer", done); })->password_hash;
  };
  const auto before = hash();
  CHECK(t.logged_in("viewer", "secret").has_value());
  CHECK(hash() == before);
  auto settings = quick_settings();
  settings.hash_passes = 2;
  t.service->apply(settings);
  CHECK(t.logged_in("viewer", "secret").has_value());
  CHECK(hash() != before);
  CHECK(hash().find("t=2") != std::string::npos);
  CHECK(t.logged_in("viewer", "secret").has_value());
}

TEST_CASE("the service ends after the requests that have begun") {
  std::vector<std::future<Answer<LoggedIn>>> answers;
  {
    ServiceUnderTest t;
    REQUIRE(t.registered("viewer", "secret").has_value());
    for (int i = 0; i < 50; ++i) {
      auto promise = std::make_shared<std::promise<Answer<LoggedIn>>>();
      answers.push_back(promise->get_future());
      t.service->log_in({"viewer", "secret", "phone", "192.0.2.1", {}},
                        [promise](Answer<LoggedIn> answer) { promise->set_value(std::move(answer)); });
    }
  }
  for (auto& answer : answers) CHECK(answer.wait_for(0s) == std::future_status::ready);
}
