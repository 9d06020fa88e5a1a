#include "accounts/password_hasher.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>
#include <vector>

#include "accounts/account.h"
#include "support/eventually.h"

using namespace tribune;
using namespace tribune::accounts;
using std::chrono::seconds;

namespace {

using Settings = PasswordHasher::Settings;
using Checked = PasswordHasher::Checked;

constexpr base::PasswordHashCost kLeast{base::kMinPasswordMemoryBytes, 1};
constexpr auto kKnown = HashingPriority::known_device;
constexpr auto kOther = HashingPriority::other;

Settings least_settings() { return {1, 4, 4, seconds{10}, kLeast}; }

/// Each reading is two seconds after the one before.
class SteppingClock final : public base::Clock {
 public:
  base::SteadyTime steady_now() const override { return base::SteadyTime{seconds{2 * ++readings_}}; }
  base::WallTime wall_now() const override { return {}; }

 private:
  mutable std::atomic<int> readings_{0};
};

/// A hasher with one thread, which hold() keeps busy until release().
struct Pool {
  explicit Pool(const Settings& settings = least_settings()) { start(settings, clock); }
  Pool(const Settings& settings, const base::Clock& other_clock) { start(settings, other_clock); }
  ~Pool() { release(); }

  void start(const Settings& settings, const base::Clock& with) { hasher.emplace(settings, with, metrics); }
  void hold() {
    const auto is_held = std::make_shared<std::promise<void>>();
    REQUIRE(hasher->hash(kKnown, "held", [is_held, released = gate.get_future().share()](const auto&) {
      is_held->set_value();
      released.wait();
    }));
    is_held->get_future().wait();
    holds = true;
  }
  void release() {
    if (std::exchange(holds, false)) gate.set_value();
  }
  base::Result<std::string> hash(const std::string& password) {
    const auto answer = std::make_shared<std::promise<base::Result<std::string>>>();
    REQUIRE(hasher->hash(kOther, password, [answer](auto result) { answer->set_value(std::move(result)); }));
    return answer->get_future().get();
  }
  base::Result<Checked> check(const std::string& password, const std::string& stored) {
    const auto answer = std::make_shared<std::promise<base::Result<Checked>>>();
    REQUIRE(hasher->check(kOther, password, stored, [answer](auto result) { answer->set_value(std::move(result)); }));
    return answer->get_future().get();
  }
  bool scrape_has(std::string_view line) { return metrics.scrape().find(line) != std::string::npos; }

  base::ManualClock clock;
  base::Metrics metrics;
  std::promise<void> gate;
  bool holds = false;
  std::optional<PasswordHasher> hasher;
};

/// The names of the entries in the order of their answers, with "!" after those with an error. Must outlive the hasher,
/// whose threads may still tell of a change when the waiting test has seen it.
class Answers {
 public:
  base::Status add(PasswordHasher& hasher, HashingPriority priority, const std::string& name) {
    return hasher.check(priority, name, "", [this, name](const base::Result<Checked>& result) {
      {
        const std::lock_guard lock(changes_.mutex());
        names_.push_back(result ? name : name + "!");
      }
      changes_.changed();
    });
  }
  std::vector<std::string> wait_for(std::size_t count) {
    REQUIRE(changes_.wait([&] { return names_.size() >= count; }));
    const std::lock_guard lock(changes_.mutex());
    return names_;
  }

 private:
  test::Eventually changes_;
  std::vector<std::string> names_;
};

}  // namespace

TEST_CASE("a password that was hashed is right, and another one is wrong") {
  Pool pool;
  const auto hash = pool.hash("secret");
  REQUIRE(hash);
  const auto right = pool.check("secret", *hash);
  REQUIRE(right);
  CHECK(right->is_right);
  CHECK(right->renewed_hash.empty());
  const auto wrong = pool.check("Secret", *hash);
  REQUIRE(wrong);
  CHECK_FALSE(wrong->is_right);
  CHECK(wrong->renewed_hash.empty());
  CHECK(pool.scrape_has("tribune_accounts_password_work_total{outcome=\"made\"} 1"));
  CHECK(pool.scrape_has("tribune_accounts_password_work_total{outcome=\"right\"} 1"));
  CHECK(pool.scrape_has("tribune_accounts_password_work_total{outcome=\"wrong\"} 1"));
  CHECK(pool.scrape_has("tribune_accounts_password_hash_seconds_count 3"));
}

TEST_CASE("any password of a login that does not exist is wrong, and takes a computation") {
  Pool pool;
  for (const auto* password : {"", "secret"}) {
    const auto answer = pool.check(password, "");
    REQUIRE(answer);
    CHECK_FALSE(answer->is_right);
  }
  CHECK(pool.scrape_has("tribune_accounts_password_hash_seconds_count 2"));
}

TEST_CASE("a right password whose hash has a former cost gets a renewed hash of the present cost") {
  Pool pool;
  const auto former = pool.hash("secret");
  REQUIRE(former);
  auto settings = least_settings();
  settings.cost.passes = 2;
  pool.hasher->apply(settings);
  CHECK(pool.check("wrong", *former)->renewed_hash.empty());
  const auto answer = pool.check("secret", *former);
  REQUIRE(answer);
  CHECK(answer->is_right);
  CHECK(answer->renewed_hash.starts_with("$argon2id$v=19$m=8,t=2,p=1$"));
  const auto again = pool.check("secret", answer->renewed_hash);
  CHECK(again->is_right);
  CHECK(again->renewed_hash.empty());
  CHECK(pool.hash("new")->starts_with("$argon2id$v=19$m=8,t=2,p=1$"));
}

TEST_CASE("entries of known devices are computed before all others, each class in its order") {
  Answers answers;
  Pool pool;
  pool.hold();
  for (const auto* name : {"other 1", "other 2"}) REQUIRE(answers.add(*pool.hasher, kOther, name));
  for (const auto* name : {"known 1", "known 2"}) REQUIRE(answers.add(*pool.hasher, kKnown, name));
  CHECK(pool.scrape_has("tribune_accounts_password_work_waiting 4"));
  pool.release();
  CHECK(answers.wait_for(4) == std::vector<std::string>{"known 1", "known 2", "other 1", "other 2"});
  CHECK(pool.scrape_has("tribune_accounts_password_work_waiting 0"));
}

TEST_CASE("each class has a bound of its own, beyond which an entry is refused at once") {
  Answers answers;
  Pool pool;
  pool.hold();
  for (int i = 0; i < 4; ++i) REQUIRE(answers.add(*pool.hasher, kOther, "other"));
  const auto refused = answers.add(*pool.hasher, kOther, "refused");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == base::ErrorKind::unavailable);
  CHECK(refused.error().may_retry);
  for (int i = 0; i < 4; ++i) REQUIRE(answers.add(*pool.hasher, kKnown, "known"));
  CHECK_FALSE(answers.add(*pool.hasher, kKnown, "refused"));

  auto settings = least_settings();
  settings.max_waiting_other = 5;
  pool.hasher->apply(settings);
  CHECK(answers.add(*pool.hasher, kOther, "other"));
  CHECK_FALSE(answers.add(*pool.hasher, kKnown, "refused"));
  CHECK(pool.scrape_has("tribune_accounts_password_work_refused_total{reason=\"full\"} 3"));
  pool.release();
  const auto names = answers.wait_for(9);
  CHECK(std::count(names.begin(), names.end(), "refused") == 0);
}

TEST_CASE("a password that is too long is refused as the client's error") {
  Pool pool;
  const auto refused = pool.hasher->hash(kOther, std::string(kMaxPasswordBytes + 1, 'a'), [](const auto&) {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == base::ErrorKind::too_large);
  CHECK(pool.hash(std::string(kMaxPasswordBytes, 'a')));
}

TEST_CASE("an entry that has waited for too long is answered with an error and not computed") {
  Answers answers;
  Pool pool;
  pool.hold();
  REQUIRE(answers.add(*pool.hasher, kOther, "other late"));
  REQUIRE(answers.add(*pool.hasher, kKnown, "known late"));
  pool.clock.advance(seconds{6});
  REQUIRE(answers.add(*pool.hasher, kOther, "other"));
  REQUIRE(answers.add(*pool.hasher, kKnown, "known"));
  pool.clock.advance(seconds{4});
  pool.release();
  CHECK(answers.wait_for(4) == std::vector<std::string>{"other late!", "known late!", "known", "other"});
  CHECK(pool.scrape_has("tribune_accounts_password_work_refused_total{reason=\"late\"} 2"));
}

TEST_CASE("the end of the hasher answers what waits with an error, and finishes what runs") {
  Answers answers;
  Pool pool;
  pool.hold();
  REQUIRE(answers.add(*pool.hasher, kOther, "other"));
  REQUIRE(answers.add(*pool.hasher, kKnown, "known"));
  auto& hasher = *pool.hasher;
  auto ended = std::async(std::launch::async, [&] { pool.hasher.reset(); });
  // The destructor has begun when an entry is refused for another reason than a full queue.
  while (pool.scrape_has("refused_total{reason=\"stopped\"} 0")) std::ignore = answers.add(hasher, kOther, "more");
  pool.release();
  ended.get();
  auto names = answers.wait_for(2);
  CHECK(names.front() == "known!");
  CHECK(names.size() <= 5);
  CHECK(std::all_of(names.begin(), names.end(), [](const auto& name) { return name.ends_with('!'); }));
}

TEST_CASE("the expected wait grows with the entries ahead, which differ by class") {
  SteppingClock clock;
  auto settings = least_settings();
  settings.max_wait = std::chrono::hours{1};
  Answers answers;
  Pool pool(settings, clock);
  CHECK(pool.hasher->expected_wait(kOther) == seconds{1});
  CHECK(pool.hash("measured"));  // for one step of the clock
  CHECK(pool.hasher->expected_wait(kOther) == seconds{2});
  pool.hold();  // the answered entry does not run any more
  for (int i = 0; i < 3; ++i) REQUIRE(answers.add(*pool.hasher, kOther, "other"));
  CHECK(pool.hasher->expected_wait(kOther) == seconds{8});
  CHECK(pool.hasher->expected_wait(kKnown) == seconds{2});
  REQUIRE(answers.add(*pool.hasher, kKnown, "known"));
  CHECK(pool.hasher->expected_wait(kOther) == seconds{10});
  CHECK(pool.hasher->expected_wait(kKnown) == seconds{4});
  pool.release();
  answers.wait_for(4);
}

TEST_CASE("several threads compute at once, and every entry is answered once") {
  auto settings = least_settings();
  settings.threads = 3;
  settings.max_waiting_other = settings.max_waiting_known = 200;
  Answers answers;
  Pool pool(settings);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 50; ++i)
        if (!answers.add(*pool.hasher, i % 2 == 0 ? kKnown : kOther, std::to_string(caller) + "." + std::to_string(i)))
          std::abort();
    });
  for (auto& caller : callers) caller.join();
  auto names = answers.wait_for(200);
  std::sort(names.begin(), names.end());
  CHECK(names.size() == 200);
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEST_CASE("an answer may add the next entry") {
  Pool pool;
  const auto answer = std::make_shared<std::promise<bool>>();
  REQUIRE(pool.hasher->hash(kOther, "secret", [&pool, answer](base::Result<std::string> hash) {
    const auto added = pool.hasher->check(kOther, "secret", *hash, [answer](base::Result<Checked> checked) {
      answer->set_value(checked && checked->is_right);
    });
    if (!added) answer->set_value(false);
  }));
  CHECK(answer->get_future().get());
}
