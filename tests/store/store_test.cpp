#include "store/store.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <thread>

#include "support/folder.h"

using namespace tribune;
using test::Folder;
namespace fs = std::filesystem;

namespace {

base::LogSettings silent() {
  base::LogSettings settings;
  settings.level = base::LogLevel::off;
  return settings;
}

base::Log& quiet() {
  static base::Log log(silent());
  return log;
}

store::StoreOptions options_in(const Folder& folder, std::string format = "test 1") {
  return {.directory = folder.path(),
          .tables = {"a", "b"},
          .max_bytes = 8 << 20,
          .batch_window = std::chrono::milliseconds(1),
          .format = std::move(format)};
}

std::unique_ptr<store::Store> must_open(const store::StoreOptions& options) {
  auto opened = store::Store::open(options, quiet());
  REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
  return std::move(*opened);
}

std::string value_of(const store::Store& s, std::string_view table, std::string_view key) {
  auto got = s.get(table, key);
  REQUIRE(got.has_value());
  return got->value_or("(none)");
}

}  // namespace

TEST_CASE("flushed data is read back, in the same run and in the next") {
  const Folder folder;
  {
    auto s = must_open(options_in(folder));
    s->put("a", "k1", "v1");
    s->put("a", "k2", "v2");
    s->put("b", "k1", "other table");
    s->erase("a", "k2");
    REQUIRE(s->flush().has_value());
    CHECK(value_of(*s, "a", "k1") == "v1");
    CHECK(value_of(*s, "a", "k2") == "(none)");
    s->put("a", "k3", "queued when the store closes");
  }
  auto s = must_open(options_in(folder));
  CHECK_FALSE(s->set_aside().has_value());
  CHECK(value_of(*s, "b", "k1") == "other table");
  CHECK(value_of(*s, "a", "k3") == "queued when the store closes");
}

TEST_CASE("a scan visits keys in order and stops when the visitor returns false") {
  const Folder folder;
  auto s = must_open(options_in(folder));
  for (int i = 0; i < 100; ++i) s->put("a", "key" + std::to_string(100 + i), std::to_string(i));
  REQUIRE(s->flush().has_value());
  std::vector<std::string> keys;
  REQUIRE(s->scan("a", [&](auto key, auto) {
             keys.emplace_back(key);
             return keys.size() < 7;
           }).has_value());
  CHECK(keys.size() == 7);
  CHECK(std::is_sorted(keys.begin(), keys.end()));
  CHECK(keys.front() == "key100");
}

TEST_CASE("each write is reported once when it is on disk") {
  const Folder folder;
  std::atomic<int> told{0};
  {
    auto s = must_open(options_in(folder));
    std::vector<std::thread> writers;
    for (int t = 0; t < 4; ++t)
      writers.emplace_back([&, t] {
        for (int i = 0; i < 250; ++i)
          s->put("a", std::to_string(t) + "." + std::to_string(i), "v",
                 [&](base::Status status) { told += status.has_value(); });
      });
    for (auto& w : writers) w.join();
    REQUIRE(s->flush().has_value());
    CHECK(told == 1000);
  }
}

TEST_CASE("an invalid key or table is refused without affecting other writes") {
  const Folder folder;
  auto s = must_open(options_in(folder));
  std::atomic<int> refused{0};
  s->put("a", std::string(512, 'k'), "v", [&](base::Status status) { refused += !status.has_value(); });
  s->put("no such table", "k", "v", [&](base::Status status) { refused += !status.has_value(); });
  s->put("a", "fine", "v");
  s->flush();
  CHECK(refused == 2);
  CHECK(value_of(*s, "a", "fine") == "v");
}

namespace {

/// Writes until not one more record fits; returns the number of attempts. Each batch costs a slow disk half a second,
/// so batches start large and become smaller.
int fill(store::Store& s, std::size_t value_bytes) {
  int written = 0;
  for (int batch = 256; batch > 0 && written < 20'000;) {
    for (int i = 0; i < batch; ++i) s.put("a", "key" + std::to_string(written++), std::string(value_bytes, 'v'));
    if (!s.flush()) batch /= 2;
  }
  return written;
}

}  // namespace

TEST_CASE("a full map fails the batch that exceeds it, and after erasures later batches succeed") {
  const Folder folder;
  auto options = options_in(folder);
  options.max_bytes = 1 << 20;
  auto s = must_open(options);
  std::atomic<int> failed{0};
  int written = 0;
  while (failed == 0 && written < 10'000) {
    s->put("a", "key" + std::to_string(written++), std::string(30'000, 'v'), [&](base::Status status) {
      if (!status) failed += status.error().kind == base::ErrorKind::too_large ? 1 : 1000;
    });
    s->flush();
  }
  CHECK(failed == 1);
  CHECK(s->failed_batches() == 1);
  for (int i = 0; i < written; ++i) s->erase("a", "key" + std::to_string(i));
  CHECK(s->flush().has_value());
  s->put("a", "after", std::string(3000, 'w'));
  CHECK(s->flush().has_value());
  CHECK(value_of(*s, "a", "after") == std::string(3000, 'w'));
  CHECK(value_of(*s, "a", "key0") == "(none)");
}

TEST_CASE(
    "records may lack writes until they are confirmed, while a kept one is not written, and when they are set aside") {
  const Folder folder;
  const auto lacks = [&] { return must_open(options_in(folder))->may_lack_writes(); };
  const auto write = [](store::Store& s, std::size_t bytes) {
    s.keep("a", "key", std::string(bytes, 'x'));
    return s.flush().has_value();
  };
  {
    auto s = must_open(options_in(folder));
    CHECK(s->may_lack_writes());
    REQUIRE(write(*s, 1));
  }
  CHECK(lacks());
  {
    auto s = must_open(options_in(folder));
    s->confirm_complete();
    REQUIRE(write(*s, 1));
  }
  CHECK_FALSE(lacks());
  CHECK_FALSE(write(*must_open(options_in(folder)), 9 << 20));
  CHECK(lacks());
  {
    auto s = must_open(options_in(folder));
    s->confirm_complete();
    CHECK_FALSE(write(*s, 9 << 20));
    REQUIRE(write(*s, 1));
  }
  CHECK_FALSE(lacks());
  CHECK(must_open(options_in(folder, "test 2"))->may_lack_writes());
}

TEST_CASE("a flush reports a write that failed before it was called") {
  const Folder folder;
  auto s = must_open(options_in(folder));
  std::promise<void> told;
  s->put("a", std::string(512, 'k'), "v", [&](base::Status) { told.set_value(); });
  told.get_future().wait();
  s->put("a", "fine", "v");
  CHECK_FALSE(s->flush().has_value());
  CHECK(s->flush().has_value());
}

TEST_CASE("on a full map erasures that need more pages than are free succeed, and count as written") {
  const Folder folder;
  auto options = options_in(folder);
  options.max_bytes = 1 << 20;
  auto s = must_open(options);
  const int written = fill(*s, 100);
  const auto failed = s->failed_batches();
  std::atomic<int> erased{0};
  for (int i = 0; i < written; i += 10)  // some of every leaf
    s->erase("a", "key" + std::to_string(i), [&](base::Status status) { erased += status.has_value(); });
  CHECK(s->flush().has_value());
  CHECK(erased == (written + 9) / 10);
  CHECK(s->failed_batches() == failed);
}

TEST_CASE("on a full map each of several batches of erasures may copy all pages") {
  const Folder folder;
  auto options = options_in(folder);
  options.max_bytes = 1 << 20;
  auto s = must_open(options);
  const int written = fill(*s, 100);
  const auto failed = s->failed_batches();
  for (int first = 0; first < 10; ++first) {
    CAPTURE(first);
    for (int i = first; i < written; i += 10) s->erase("a", "key" + std::to_string(i));  // some of every leaf
    CHECK(s->flush().has_value());
  }
  CHECK(s->failed_batches() == failed);
}

TEST_CASE("filling and erasing in turns leaves the file at about three times its limit") {
  const Folder folder;
  auto options = options_in(folder);
  options.max_bytes = 1 << 20;
  auto s = must_open(options);
  for (int round = 0; round < 12; ++round) {
    const int written = fill(*s, 100);
    for (int first = 0; first < 10; ++first) {
      CAPTURE(round);
      for (int i = first; i < written; i += 10) s->erase("a", "key" + std::to_string(i));
      CHECK(s->flush().has_value());
    }
  }
  CHECK(fs::file_size(fs::path(folder / "data.mdb")) < 3 * options.max_bytes + options.max_bytes / 8);  // the free list
}

TEST_CASE("a full map that was emptied accepts values again, whatever the size of the batches that erased its keys") {
  for (const int keys_in_batch : {1, 2, 3, 5, 8, 13, 40, 1000}) {
    CAPTURE(keys_in_batch);
    const Folder folder;
    auto options = options_in(folder);
    options.max_bytes = 1 << 20;
    auto s = must_open(options);
    const int written = fill(*s, 3000);
    for (int i = 0; i < written;) {
      for (int end = std::min(i + keys_in_batch, written); i < end; ++i) s->erase("a", "key" + std::to_string(i));
      CHECK(s->flush().has_value());
    }
    int refused = 0;
    const auto put = [&] {
      s->put("a", "other", std::string(20'000, 'v'));
      return s->flush().has_value();
    };
    while (refused < 3 && !put()) ++refused;  // LMDB reuses freed pages from the transaction after the next one
    CHECK(refused < 3);
  }
}

TEST_CASE("a kept value is written when there is space again, and the newest value of a key is stored") {
  const Folder folder;
  auto options = options_in(folder);
  options.max_bytes = 1 << 20;
  const std::string first(20'000, '1'), second(20'000, '2');
  auto s = must_open(options);
  const int written = fill(*s, 3000);
  s->keep("b", "limit", first);
  CHECK_FALSE(s->flush().has_value());
  s->keep("b", "limit", second);
  s->keep("b", "drain", first);
  CHECK_FALSE(s->flush().has_value());
  s->keep("b", "drain", std::nullopt);
  CHECK(value_of(*s, "b", "limit") == "(none)");

  for (int i = 0; i < written; ++i) s->erase("a", "key" + std::to_string(i));
  for (int batch = 0; batch < 8; ++batch) {  // LMDB reuses freed pages only two transactions later
    s->put("a", "other", std::to_string(batch));
    s->flush();
  }
  CHECK((value_of(*s, "b", "limit") == second));
  CHECK(value_of(*s, "b", "drain") == "(none)");
  CHECK(value_of(*s, "a", "key0") == "(none)");
}

TEST_CASE("an erasure in the same batch as a write that does not fit is committed") {
  const Folder folder;
  auto options = options_in(folder);
  options.max_bytes = 1 << 20;
  options.batch_window = std::chrono::seconds(5);
  auto s = must_open(options);
  s->put("a", "small", "v");
  REQUIRE(s->flush().has_value());
  bool put_done = true, erase_done = false;
  s->put("a", "big", std::string(2 << 20, 'v'), [&](base::Status status) { put_done = status.has_value(); });
  s->erase("a", "small", [&](base::Status status) { erase_done = status.has_value(); });
  CHECK_FALSE(s->flush().has_value());
  CHECK_FALSE(put_done);
  CHECK(erase_done);
  CHECK(value_of(*s, "a", "small") == "(none)");
}

TEST_CASE("a store of another format is set aside and a new one is created") {
  const Folder folder;
  {
    auto s = must_open(options_in(folder, "test 2"));
    s->put("a", "k", "of the newer format");
  }
  {
    auto s = must_open(options_in(folder, "test 1"));
    REQUIRE(s->set_aside().has_value());
    CHECK(s->set_aside()->ends_with("data.mdb.set-aside-1"));
    CHECK(fs::exists(*s->set_aside()));
    CHECK(value_of(*s, "a", "k") == "(none)");
    s->put("a", "k", "of this format");
  }
  auto s = must_open(options_in(folder, "test 1"));
  CHECK_FALSE(s->set_aside().has_value());
  CHECK(value_of(*s, "a", "k") == "of this format");
}

TEST_CASE("a file that is not LMDB's is set aside without replacing an earlier one") {
  const Folder folder;
  std::ofstream(fs::path(folder / "data.mdb")) << std::string(100'000, 'x');
  std::ofstream(fs::path(folder / "data.mdb.set-aside-1")) << "from last time";
  auto s = must_open(options_in(folder));
  REQUIRE(s->set_aside().has_value());
  CHECK(s->set_aside()->ends_with("set-aside-2"));
  s->put("a", "k", "v");
  CHECK(s->flush().has_value());
}

TEST_CASE("a file that is truncated at any page is set aside or intact, and never causes a crash") {
  const Folder source;
  {
    auto options = options_in(source);
    auto s = must_open(options);
    for (int i = 0; i < 2000; ++i)
      s->put(i % 2 ? "a" : "b", "key" + std::to_string(i), std::string(i % 9 == 0 ? 9000 : 60, 'v'));
    REQUIRE(s->flush().has_value());
    for (int i = 0; i < 2000; i += 3) s->erase(i % 2 ? "a" : "b", "key" + std::to_string(i));
  }
  const auto size = fs::file_size(fs::path(source / "data.mdb"));
  int set_aside = 0;
  for (std::uint64_t cut = size - 1; cut > 4096 * 7; cut -= 4096 * 7) {
    const Folder folder;
    fs::copy_file(fs::path(source / "data.mdb"), fs::path(folder / "data.mdb"));
    fs::resize_file(fs::path(folder / "data.mdb"), cut);
    auto s = must_open(options_in(folder));
    set_aside += s->set_aside().has_value();
    std::size_t records = 0;
    for (const char* table : {"a", "b"})
      CHECK(s->scan(table, [&](auto, auto v) {
               records += !v.empty();
               return true;
             }).has_value());
    if (!s->set_aside()) CHECK(records > 1000);
  }
  CHECK(set_aside > 5);
}

TEST_CASE("flipped bits in page headers and references never crash the store") {
  const Folder source;
  {
    auto s = must_open(options_in(source));
    for (int i = 0; i < 400; ++i) s->put("a", "key" + std::to_string(i), std::string(40, 'v'));
  }
  const auto size = fs::file_size(fs::path(source / "data.mdb"));
  std::uint32_t seed = 12345;
  for (int round = 0; round < 60; ++round) {
    const Folder folder;
    const auto data = fs::path(folder / "data.mdb");
    fs::copy_file(fs::path(source / "data.mdb"), data);
    std::fstream file(data, std::ios::in | std::ios::out | std::ios::binary);
    for (std::uint64_t page = 0; page < size / 4096; ++page) {
      seed = seed * 1664525u + 1013904223u;
      const auto at = page * 4096 + (seed >> 8) % 64;
      file.seekg(static_cast<std::streamoff>(at));
      char byte = static_cast<char>(file.get());
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(byte ^ (1 << (seed & 7))));
    }
    file.close();
    auto s = must_open(options_in(folder));
    s->scan("a", [](auto, auto) { return true; });
    s->put("a", "new", "v");
    s->flush();
  }
}

TEST_CASE("a second store in the same folder is refused while the first is open") {
  const Folder folder;
  auto s = must_open(options_in(folder));
  auto second = store::Store::open(options_in(folder), quiet());
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().kind == base::ErrorKind::conflict);
}

namespace {

/// Writes forever, and sends each number through the pipe when it is on disk.
[[noreturn]] void write_until_killed(const store::StoreOptions& options, int pipe, std::uint32_t first) {
  auto opened = store::Store::open(options, quiet());
  if (!opened) ::_exit(1);
  for (std::uint32_t number = first;; ++number) {
    (*opened)->put("a", std::to_string(number), "value of " + std::to_string(number), [=](base::Status s) {
      if (s && ::write(pipe, &number, sizeof number) != sizeof number) ::_exit(1);
    });
    if (number % 64 == 0) (*opened)->flush();
  }
}

constexpr const char* kWriter = "a writer puts values until it is killed";

/// Runs this program again with the case below: a fork of a process with threads could not start threads under TSan.
pid_t start_writer(const Folder& folder, int pipe, std::uint32_t first) {
  const auto number = std::to_string(first), fd = std::to_string(pipe);
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setenv("STORE_FOLDER", folder.path().c_str(), 1);
  ::setenv("STORE_PIPE", fd.c_str(), 1);
  ::setenv("STORE_FIRST", number.c_str(), 1);
  const auto only = std::string("--test-case=") + kWriter;
  ::execl("/proc/self/exe", "store_tests", only.c_str(), "--no-skip", static_cast<char*>(nullptr));
  ::_exit(1);
}

}  // namespace

TEST_CASE("a writer puts values until it is killed" * doctest::skip()) {
  const char* folder = ::getenv("STORE_FOLDER");
  REQUIRE(folder != nullptr);
  const store::StoreOptions options{folder, {"a", "b"}, 64 << 20, std::chrono::milliseconds(1), "test 1"};
  write_until_killed(options, std::atoi(::getenv("STORE_PIPE")),
                     static_cast<std::uint32_t>(std::atoi(::getenv("STORE_FIRST"))));
}

TEST_CASE("kill -9 during writes loses nothing that was reported to be on disk") {
  const Folder folder;
  for (std::uint32_t round = 0; round < 8; ++round) {
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    const pid_t child = start_writer(folder, pipe_ends[1], round << 20);
    ::close(pipe_ends[1]);
    std::vector<std::uint32_t> acknowledged;
    std::uint32_t number = 0;
    while (acknowledged.size() < 500 && ::read(pipe_ends[0], &number, sizeof number) == sizeof number)
      acknowledged.push_back(number);
    ::kill(child, SIGKILL);
    while (::read(pipe_ends[0], &number, sizeof number) == sizeof number) acknowledged.push_back(number);
    ::close(pipe_ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    auto s = must_open({folder.path(), {"a", "b"}, 64 << 20, std::chrono::milliseconds(1), "test 1"});
    CHECK_FALSE(s->set_aside().has_value());
    std::size_t missing = 0;
    for (const auto n : acknowledged)
      missing += value_of(*s, "a", std::to_string(n)) != "value of " + std::to_string(n);
    CHECK(acknowledged.size() >= 500);
    CHECK(missing == 0);
  }
}
