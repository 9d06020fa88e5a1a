#include "store/transactional_store.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>

#include "support/folder.h"
#include "support/silent_log.h"

using namespace tribune;
using store::ReadTransaction;
using store::TransactionalStore;
using store::TransactionalStoreOptions;
using store::WriteTransaction;
using test::Folder;

namespace {

TransactionalStoreOptions account_like(const Folder& folder) {
  return {.directory = folder.path(), .name = "test", .tables = {"a", "b"}, .max_bytes = 8 << 20, .migrations = {}};
}

std::unique_ptr<TransactionalStore> must_open_tables(const TransactionalStoreOptions& options) {
  auto opened = TransactionalStore::open(options, test::silent_log());
  REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
  return std::move(*opened);
}

base::Status committed(TransactionalStore& store, TransactionalStore::Work work) {
  std::promise<base::Status> done;
  store.write(std::move(work), [&](base::Status status) { done.set_value(std::move(status)); });
  return done.get_future().get();
}

std::string text_of(TransactionalStore& store, std::string_view table, std::string_view key) {
  std::promise<std::string> text;
  std::string found;
  store.read([&](ReadTransaction& t) { found = std::string(t.get(table, key).value_or("(none)")); },
             [&](base::Status status) { text.set_value(status ? found : status.error().text); });
  return text.get_future().get();
}

base::Status refusal() { return base::failure(base::ErrorKind::conflict, base::Fault::client, "taken"); }

}  // namespace

TEST_CASE("a transaction is written as a whole, is read back, and survives a restart") {
  const Folder folder;
  {
    auto store = must_open_tables(account_like(folder));
    CHECK(committed(*store, [](WriteTransaction& t) -> base::Status {
            t.put("a", "k", "1");
            t.put("b", "k", "2");
            CHECK(t.get("a", "k") == "1");
            return {};
          }).has_value());
    CHECK(text_of(*store, "b", "k") == "2");
  }
  auto store = must_open_tables(account_like(folder));
  CHECK(text_of(*store, "a", "k") == "1");
}

TEST_CASE("a transaction that returns an error writes nothing, and its group is not affected") {
  const Folder folder;
  auto store = must_open_tables(account_like(folder));
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  std::vector<std::promise<base::Status>> done(21);
  store->write(  // the others wait behind this one, and become one group
      [opened](WriteTransaction&) -> base::Status {
        opened.wait();
        return {};
      },
      [&](base::Status status) { done[20].set_value(std::move(status)); });
  for (std::size_t i = 0; i < 20; ++i)
    store->write(
        [i](WriteTransaction& t) -> base::Status {
          t.put("a", "key" + std::to_string(i), "value");
          return i % 2 ? refusal() : base::Status{};
        },
        [&done, i](base::Status status) { done[i].set_value(std::move(status)); });
  gate.set_value();
  for (std::size_t i = 0; i < 20; ++i) CHECK(done[i].get_future().get().has_value() == (i % 2 == 0));
  CHECK(done[20].get_future().get().has_value());
  CHECK(text_of(*store, "a", "key4") == "value");
  CHECK(text_of(*store, "a", "key5") == "(none)");
}

TEST_CASE("each transaction sees those before it: 1,000 concurrent claims of one key succeed once") {
  const Folder folder;
  auto store = must_open_tables(account_like(folder));
  std::atomic<int> won{0}, settled{0};
  std::promise<void> all;
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n)
    threads.emplace_back([&, n] {
      for (int i = 0; i < 250; ++i)
        store->write(
            [n](WriteTransaction& t) -> base::Status {
              if (t.get("a", "key")) return refusal();
              t.put("a", "key", std::to_string(n));
              return {};
            },
            [&](base::Status status) {
              won += status.has_value();
              if (++settled == 1'000) all.set_value();
            });
    });
  for (auto& thread : threads) thread.join();
  all.get_future().wait();
  CHECK(won == 1);
}

TEST_CASE("a scan begins at its first key and stops when the visitor returns false") {
  const Folder folder;
  auto store = must_open_tables(account_like(folder));
  std::vector<std::string> seen, none;
  CHECK(committed(*store, [&](WriteTransaction& t) -> base::Status {
          t.scan("a", "", [&](std::string_view key, std::string_view) { return none.emplace_back(key), true; });
          for (const auto* key : {"a1", "b1", "b2", "b3", "c1"}) t.put("a", key, "");
          t.scan("a", "b2", [&](std::string_view key, std::string_view) {
            seen.emplace_back(key);
            return key != "b3";
          });
          return {};
        }).has_value());
  CHECK(none.empty());
  CHECK(seen == std::vector<std::string>{"b2", "b3"});
}

TEST_CASE("an operation that the engine refuses fails the transaction, whatever it returns") {
  const Folder folder;
  auto store = must_open_tables(account_like(folder));
  const auto unknown_table = committed(*store, [](WriteTransaction& t) -> base::Status {
    t.put("a", "k", "1");
    t.put("nowhere", "k", "1");
    return {};
  });
  CHECK_FALSE(unknown_table.has_value());
  CHECK_FALSE(committed(*store, [](WriteTransaction& t) -> base::Status {
                t.put("a", std::string(600, 'k'), "1");
                return {};
              }).has_value());
  CHECK(text_of(*store, "a", "k") == "(none)");
}

TEST_CASE("a transaction that does not fit fails alone, and the store goes on") {
  const Folder folder;
  auto store = must_open_tables(account_like(folder));
  const auto large = committed(*store, [](WriteTransaction& t) -> base::Status {
    t.put("a", "small", "1");
    t.put("a", "large", std::string(16 << 20, 'x'));
    return {};
  });
  REQUIRE_FALSE(large.has_value());
  CHECK(large.error().kind == base::ErrorKind::too_large);
  CHECK(text_of(*store, "a", "small") == "(none)");
  CHECK_FALSE(store->health().has_value());
  CHECK(committed(*store, [](WriteTransaction&) -> base::Status { return {}; }).has_value());
  CHECK_FALSE(store->health().has_value());
  CHECK(committed(*store, [](WriteTransaction& t) -> base::Status {
          t.put("a", "small", "1");
          return {};
        }).has_value());
  CHECK(store->health().has_value());
}

TEST_CASE("an older schema is migrated in one transaction, and a newer one is refused") {
  const Folder folder;
  auto options = account_like(folder);
  {
    auto store = must_open_tables(options);
    CHECK(committed(*store, [](WriteTransaction& t) -> base::Status {
            t.put("a", "name", "old");
            return {};
          }).has_value());
  }
  const auto rename = [](WriteTransaction& t) -> base::Status {
    t.put("b", "name", std::string(t.get("a", "name").value_or("?")) + "+1");
    t.erase("a", "name");
    return {};
  };
  SUBCASE("a migration that fails leaves the store as it was") {
    options.migrations = {rename, [](WriteTransaction&) { return refusal(); }};
    CHECK_FALSE(TransactionalStore::open(options, test::silent_log()).has_value());
    auto store = must_open_tables(account_like(folder));
    CHECK(text_of(*store, "a", "name") == "old");
  }
  SUBCASE("a migration runs once") {
    options.migrations = {rename};
    for (int start = 0; start < 2; ++start) {
      auto store = must_open_tables(options);
      CHECK(text_of(*store, "b", "name") == "old+1");
    }
    const auto older = TransactionalStore::open(account_like(folder), test::silent_log());
    REQUIRE_FALSE(older.has_value());
    CHECK(older.error().text.find("has schema version 2, and this program knows versions up to 1") !=
          std::string::npos);
  }
}

TEST_CASE("a store of another program, a damaged one, and one in use are refused and left as they are") {
  const Folder folder;
  auto options = account_like(folder);
  {
    auto store = must_open_tables(options);
    const auto second = TransactionalStore::open(options, test::silent_log());
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().kind == base::ErrorKind::conflict);
  }
  options.name = "other";
  const auto foreign = TransactionalStore::open(options, test::silent_log());
  REQUIRE_FALSE(foreign.has_value());
  CHECK(foreign.error().text.find("has a store of \"test\", expected \"other\"") != std::string::npos);

  const auto path = folder.path() + "/data.mdb";
  std::ofstream(path, std::ios::in | std::ios::out | std::ios::binary).write("garbage garbage garbage garbage", 31);
  std::ifstream(path, std::ios::binary).ignore(0);
  const auto damaged = TransactionalStore::open(account_like(folder), test::silent_log());
  REQUIRE_FALSE(damaged.has_value());
  CHECK(damaged.error().kind == base::ErrorKind::protocol);
  CHECK(std::filesystem::exists(path));
}

namespace {

constexpr const char* kTransactionWriter = "a writer commits transactions until it is killed";

/// Runs this program again with the case below: a fork of a process with threads could not start threads under TSan.
pid_t start_transaction_writer(const Folder& folder, int pipe) {
  const auto fd = std::to_string(pipe);
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setenv("STORE_FOLDER", folder.path().c_str(), 1);
  ::setenv("STORE_PIPE", fd.c_str(), 1);
  const auto only = std::string("--test-case=") + kTransactionWriter;
  ::execl("/proc/self/exe", "store_tests", only.c_str(), "--no-skip", static_cast<char*>(nullptr));
  ::_exit(1);
}

}  // namespace

TEST_CASE("a writer commits transactions until it is killed" * doctest::skip()) {
  const char* folder = ::getenv("STORE_FOLDER");
  REQUIRE(folder != nullptr);
  const int pipe = std::atoi(::getenv("STORE_PIPE"));
  auto store = TransactionalStore::open(
      {.directory = folder, .name = "test", .tables = {"a", "b"}, .max_bytes = 8 << 20, .migrations = {}},
      test::silent_log());
  REQUIRE(store.has_value());
  for (int i = 0;; ++i) {
    const auto status = committed(**store, [i](WriteTransaction& t) -> base::Status {
      t.put("a", std::to_string(i), "x");
      t.put("b", std::to_string(i), "x");
      return {};
    });
    if (!status || ::write(pipe, &i, sizeof i) != sizeof i) ::_exit(1);
  }
}

TEST_CASE("what was reported as written is there after kill -9") {
  const Folder folder;
  int reports[2];
  REQUIRE(::pipe(reports) == 0);
  const pid_t child = start_transaction_writer(folder, reports[1]);
  ::close(reports[1]);
  int last = -1;
  while (last < 20) REQUIRE(::read(reports[0], &last, sizeof last) == sizeof last);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  for (int next = 0; ::read(reports[0], &next, sizeof next) == sizeof next;) last = next;
  ::close(reports[0]);
  auto store = must_open_tables(account_like(folder));
  for (int i = 0; i <= last; ++i) {
    CHECK(text_of(*store, "a", std::to_string(i)) == "x");
    CHECK(text_of(*store, "b", std::to_string(i)) == "x");
  }
  CHECK(text_of(*store, "a", std::to_string(last + 1)) == text_of(*store, "b", std::to_string(last + 1)));
}
