#include "accounts/login_guard.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace tribune;
using namespace tribune::accounts;
using std::chrono::minutes;
using std::chrono::seconds;
using Reason = LoginGuard::Reason;
using Decision = LoginGuard::Decision;

namespace {

#ifdef TRIBUNE_SANITIZED
constexpr int kManyLogins = 50'000;
#else
constexpr int kManyLogins = 1'000'000;
#endif

struct Guarded {
  explicit Guarded(const LoginGuard::Settings& settings = {}) : guard(settings, metrics) {}

  base::SteadyTime now() const { return clock.steady_now(); }
  Decision decide(std::string_view login, std::string_view address, std::optional<DeviceId> known = {}) {
    return guard.decide({login, address, known}, now());
  }
  /// Whether the attempt was allowed; then it failed.
  bool fail(std::string_view login, std::string_view address, std::optional<DeviceId> known = {}) {
    auto decision = decide(login, address, known);
    if (decision) decision->failed(now());
    return decision.has_value();
  }
  int fail_times(int times, std::string_view login, std::string_view address, std::optional<DeviceId> known = {}) {
    int allowed = 0;
    for (int i = 0; i < times; ++i) allowed += fail(login, address, known) ? 1 : 0;
    return allowed;
  }
  /// The reason and the seconds of a refusal; "allowed" otherwise.
  std::string outcome(std::string_view login, std::string_view address, std::optional<DeviceId> known = {}) {
    const auto decision = decide(login, address, known);
    if (decision) return "allowed";
    return std::string(to_string(decision.error().reason)) + " " + std::to_string(decision.error().retry_after.count());
  }
  bool scrape_has(std::string_view line) { return metrics.scrape().find(line) != std::string::npos; }

  base::ManualClock clock;
  base::Metrics metrics;
  LoginGuard guard;
};

std::string address_of(int number) {
  return "10." + std::to_string(number >> 16) + "." + std::to_string(number >> 8 & 255) + "." +
         std::to_string(number & 255);
}

}  // namespace

TEST_CASE("unknown devices may fail ten times for a login, and then once a minute") {
  Guarded guarded;
  for (int i = 0; i < 10; ++i) CHECK(guarded.fail("anna", address_of(i)));
  CHECK(guarded.outcome("anna", "192.0.2.1") == "login 60");
  CHECK(guarded.outcome("bert", "192.0.2.1") == "allowed");
  guarded.clock.advance(seconds{59});
  CHECK(guarded.outcome("anna", "192.0.2.1") == "login 1");
  guarded.clock.advance(seconds{1});
  CHECK(guarded.fail("anna", "192.0.2.1"));
  CHECK(guarded.outcome("anna", "192.0.2.1") == "login 60");
  guarded.clock.advance(minutes{10});
  CHECK(guarded.fail_times(20, "anna", "192.0.2.2") == 10);
  CHECK(guarded.scrape_has("tribune_accounts_login_refusals_total{reason=\"login\"}"));
}

TEST_CASE("an address may fail twenty times over all logins") {
  Guarded guarded;
  for (int i = 0; i < 20; ++i) CHECK(guarded.fail("login" + std::to_string(i), "192.0.2.1"));
  CHECK(guarded.outcome("anna", "192.0.2.1") == "address 30");
  CHECK(guarded.outcome("anna", "192.0.2.2") == "allowed");
  guarded.clock.advance(seconds{30});
  CHECK(guarded.outcome("anna", "192.0.2.1") == "allowed");
}

TEST_CASE("addresses count by network") {
  struct Row {
    std::string_view first, second;
    bool are_one;
  };
  for (const auto& row :
       {Row{"192.0.2.1", "192.0.2.1", true}, Row{"192.0.2.1", "192.0.2.2", false},
        Row{"192.0.2.1", "::ffff:192.0.2.1", true}, Row{"2001:db8::1", "2001:db8::ffff:0:0:1", true},
        Row{"2001:db8::1", "2001:db8:0:1::1", false}, Row{"unix", "unix", true}, Row{"unix", "", false}}) {
    CAPTURE(row.first);
    CAPTURE(row.second);
    Guarded guarded;
    for (int i = 0; i < 20; ++i) CHECK(guarded.fail("login" + std::to_string(i), row.first));
    CHECK((guarded.outcome("anna", row.second) == "address 30") == row.are_one);
  }
}

TEST_CASE("a refused attempt does not count, and the longer of two waits is told") {
  Guarded guarded;
  CHECK(guarded.fail_times(1'000, "anna", "192.0.2.1") == 10);
  CHECK(guarded.outcome("anna", "192.0.2.1") == "login 60");
  for (int i = 0; i < 10; ++i) CHECK(guarded.fail("login" + std::to_string(i), "192.0.2.1"));
  CHECK(guarded.outcome("anna", "192.0.2.1") == "login 60");
  CHECK(guarded.outcome("bert", "192.0.2.1") == "address 30");
}

TEST_CASE("a known device has a limit of its own only") {
  Guarded guarded;
  guarded.fail_times(20, "anna", "192.0.2.1");
  for (int i = 0; i < 20; ++i) guarded.fail("login" + std::to_string(i), "192.0.2.1");
  REQUIRE(guarded.outcome("anna", "192.0.2.1") == "login 60");
  CHECK(guarded.fail_times(20, "anna", "192.0.2.1", 7) == 10);
  CHECK(guarded.outcome("anna", "192.0.2.1", 7) == "device 60");
  CHECK(guarded.outcome("anna", "192.0.2.1", 8) == "allowed");
  guarded.clock.advance(minutes{10});
  CHECK(guarded.outcome("anna", "192.0.2.1", 7) == "allowed");
}

TEST_CASE("failures of a known device count neither for its login nor for its address") {
  Guarded guarded;
  for (DeviceId device = 1; device <= 10; ++device) CHECK(guarded.fail_times(20, "anna", "192.0.2.1", device) == 10);
  CHECK(guarded.fail_times(20, "anna", "192.0.2.1") == 10);
}

TEST_CASE("attempts under way count as failed until they are released") {
  Guarded guarded;
  std::vector<Decision> allowed;
  for (int i = 0; i < 1'000; ++i)
    if (auto decision = guarded.decide("anna", address_of(i))) allowed.push_back(std::move(decision));
  CHECK(allowed.size() == 10);
  CHECK(guarded.scrape_has("tribune_accounts_logins_under_way 10"));
  CHECK(guarded.outcome("anna", "192.0.2.1") == "login 1");
  allowed[0]->succeeded();
  allowed[0]->failed(guarded.now());  // has no effect: the outcome is known
  CHECK(guarded.outcome("anna", "192.0.2.1") == "allowed");
  allowed[1]->failed(guarded.now());
  CHECK(guarded.outcome("anna", "192.0.2.1") == "allowed");
  allowed.clear();  // the others are abandoned
  CHECK(guarded.scrape_has("tribune_accounts_logins_under_way 0"));
  CHECK(guarded.fail_times(20, "anna", "192.0.2.1") == 9);

  for (int i = 0; i < 100; ++i)
    if (auto decision = guarded.decide("bert", "192.0.2.9", 7)) allowed.push_back(std::move(decision));
  CHECK(allowed.size() == LoginGuard::kMaxUnderWayOfOwner);
  CHECK(guarded.outcome("bert", "192.0.2.9", 8) == "overload 1");
  CHECK(guarded.outcome("emma", "192.0.2.9", 9) == "allowed");
  for (int i = 0; i < 100; ++i)
    if (auto decision = guarded.decide("login" + std::to_string(i), "192.0.2.8"))
      allowed.push_back(std::move(decision));
  CHECK(allowed.size() == LoginGuard::kMaxUnderWayOfOwner + 20);
  CHECK(guarded.outcome("carl", "192.0.2.8") == "address 1");
}

TEST_CASE("successful logins are not limited, and do not clear former failures") {
  Guarded guarded;
  guarded.fail_times(9, "anna", "192.0.2.1");
  for (int i = 0; i < 100; ++i) {
    auto decision = guarded.decide("anna", "192.0.2.1");
    REQUIRE(decision);
    decision->succeeded();
  }
  CHECK(guarded.fail_times(9, "anna", "192.0.2.1") == 1);
}

TEST_CASE("a moved attempt is under way once") {
  Guarded guarded;
  {
    auto decision = guarded.decide("anna", "192.0.2.1");
    REQUIRE(decision);
    LoginGuard::Attempt moved(std::move(*decision));
    CHECK(guarded.scrape_has("tribune_accounts_logins_under_way 1"));
    moved.failed(guarded.now());
  }
  CHECK(guarded.scrape_has("tribune_accounts_logins_under_way 0"));
  CHECK(guarded.fail_times(20, "anna", "192.0.2.1") == 9);
}

TEST_CASE("10,000 guesses from 1,000 addresses leave the owner's device and other logins alone") {
  Guarded guarded;
  int computed = 0;
  for (int i = 0; i < 10'000; ++i) {
    computed += guarded.fail("anna", address_of(i % 1'000)) ? 1 : 0;
    if (i % 100 == 0) CHECK(guarded.outcome("anna", address_of(1), 7) == "allowed");
    guarded.clock.advance(std::chrono::milliseconds{60});  // ten minutes in all
  }
  CHECK(computed == 19);  // ten at once, and one a minute
  guarded.fail("anna", "192.0.2.1");
  CHECK(guarded.outcome("anna", "192.0.2.1").starts_with("login "));
  CHECK(guarded.outcome("bert", "192.0.2.1") == "allowed");
  CHECK(guarded.outcome("bert", address_of(1)) == "allowed");
  CHECK(guarded.scrape_has("tribune_accounts_devices_with_failures 0"));
  CHECK(guarded.scrape_has("tribune_accounts_logins_under_way 0"));
}

TEST_CASE("a flood of other logins neither clears the failures of a login nor refuses innocent ones") {
  struct Row {
    int logins, failures_of_each, refused_of_20_000;
  };
  for (const auto& row : {Row{kManyLogins, 1, 2}, Row{24'000, 10, 60}}) {
    CAPTURE(row.logins);
    Guarded guarded;
    guarded.fail_times(10, "anna", "192.0.2.1");
    REQUIRE(guarded.outcome("anna", "192.0.2.2") == "login 60");
    for (int i = 0; i < row.logins * row.failures_of_each; ++i)
      guarded.fail("victim" + std::to_string(i % row.logins), address_of(i / 15));
    CHECK(guarded.outcome("anna", "192.0.2.2") == "login 60");
    CHECK(guarded.outcome("victim0", "192.0.2.2") == (row.failures_of_each < 10 ? "allowed" : "login 60"));
    int refused = 0;
    for (int i = 0; i < 20'000; ++i)
      refused +=
          guarded.decide("viewer" + std::to_string(i), "2001:db8:0:" + std::to_string(i % 9'999) + "::1") ? 0 : 1;
    CHECK(refused <= row.refused_of_20_000);
    CHECK(guarded.outcome("anna", "192.0.2.1", 7) == "allowed");
  }
}

TEST_CASE("the sketch is never less strict than exact counters") {
  LoginGuard::Settings settings;
  settings.address = settings.login = {5, seconds{50}};
  Guarded guarded(settings);
  const auto limit = settings.login;
  std::map<std::string, base::SteadyTime> gone;
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto login = "login" + std::to_string(random() % 300), address = address_of(static_cast<int>(random() % 300));
    const auto exact = [&](const std::string& key) {
      const auto found = gone.find(key);
      return limit.wait(found == gone.end() ? guarded.now() : found->second, 0, guarded.now()).count() == 0;
    };
    const bool may_fail = exact(login) && exact(address);
    if (guarded.fail(login, address)) {
      REQUIRE(may_fail);
      for (const auto& key : {login, address}) gone[key] = limit.after_failure(gone[key], guarded.now());
    }
    guarded.clock.advance(std::chrono::milliseconds{random() % 60});
  }
}

TEST_CASE("at the bound the known device that has not failed for the longest time is forgotten and counted") {
  Guarded guarded;
  guarded.fail_times(10, "anna", "192.0.2.1", 1);
  guarded.fail_times(10, "bert", "192.0.2.1", 2);
  for (DeviceId device = 3; device <= LoginGuard::kMaxDevices; ++device) guarded.fail("login", "192.0.2.1", device);
  CHECK(guarded.outcome("anna", "192.0.2.1", 1) == "device 60");
  guarded.fail("login", "192.0.2.1", LoginGuard::kMaxDevices + 1);
  CHECK(guarded.outcome("anna", "192.0.2.1", 1) == "allowed");
  CHECK(guarded.outcome("bert", "192.0.2.1", 2) == "device 60");
  CHECK(guarded.scrape_has("tribune_accounts_devices_with_failures 65536"));
  CHECK(guarded.scrape_has("tribune_accounts_device_failures_dropped_total 1"));
  guarded.clock.advance(minutes{10});
  guarded.fail("login", "192.0.2.1", 3);
  CHECK(guarded.scrape_has("tribune_accounts_devices_with_failures 1\n"));
}

TEST_CASE("attempts under way have a bound for each class") {
  Guarded guarded;
  std::deque<Decision> under_way;
  for (int i = 0; i < static_cast<int>(LoginGuard::kMaxUnderWay); ++i)
    under_way.push_back(guarded.decide("login" + std::to_string(i), address_of(i)));
  CHECK(std::all_of(under_way.begin(), under_way.end(), [](const auto& decision) { return decision.has_value(); }));
  CHECK(guarded.outcome("anna", "192.0.2.1") == "overload 1");
  CHECK(guarded.outcome("anna", "192.0.2.1", 7) == "allowed");
  under_way.pop_front();
  CHECK(guarded.outcome("anna", "192.0.2.1") == "allowed");
}

TEST_CASE("other limits take effect at once, and absurd ones are bounded") {
  Guarded guarded({{2, seconds{100}}, {3, seconds{30}}, {1, seconds{5}}});
  CHECK(guarded.fail_times(5, "anna", "192.0.2.1") == 2);
  CHECK(guarded.outcome("anna", "192.0.2.1") == "address 50");
  CHECK(guarded.fail_times(5, "anna", "192.0.2.2") == 1);
  CHECK(guarded.outcome("anna", "192.0.2.3") == "login 10");
  CHECK(guarded.fail_times(5, "anna", "192.0.2.1", 7) == 1);
  CHECK(guarded.outcome("anna", "192.0.2.1", 7) == "device 5");
  guarded.guard.apply({{20, seconds{100}}, {30, seconds{30}}, {10, seconds{5}}});
  CHECK(guarded.outcome("anna", "192.0.2.1") == "address 5");  // the former limit was used up, and so is the new one
  guarded.clock.advance(seconds{5});
  CHECK(guarded.outcome("anna", "192.0.2.1") == "allowed");
  guarded.guard.apply({{0, seconds{0}}, {4'000'000'000, seconds{1'000'000'000}}, {0, seconds{-1}}});
  CHECK(guarded.fail_times(5, "bert", "192.0.2.9") == 1);
  CHECK(guarded.outcome("bert", "192.0.2.9") == "address 1");
}

TEST_CASE("threads that try at once pass the limit together as often as one would") {
  Guarded guarded;
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 200; ++i) allowed += guarded.fail("anna", address_of(thread * 1'000 + i)) ? 1 : 0;
    });
  for (auto& thread : threads) thread.join();
  CHECK(allowed == 10);
}
