#include "store/lmdb_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/memory.h"

namespace tribune::store {

namespace {
constexpr std::size_t kMaxKeyBytes = 511;                // LMDB's bound
constexpr std::uint64_t kMaxWaitingBytes = 64ull << 20;  // bounds the memory while the disk hangs
constexpr std::uint64_t kFullBatchBytes = 4ull << 20;    // written without waiting for more writes
constexpr std::chrono::seconds kRetryPause{1};           // between two attempts of keep()

// The first byte of the file owner.lock. It is replaced in place, for which a full disk needs no space.
constexpr char kComplete = '0', kLacksWrites = '1';

char marked(const base::File& owner_lock) {
  char mark = kLacksWrites;
  return ::pread(owner_lock.fd(), &mark, 1, 0) == 1 ? mark : kLacksWrites;
}

base::Error unavailable(std::string text) {
  return {base::ErrorKind::unavailable, base::Fault::tribune, true, std::move(text)};
}
}  // namespace

EnvironmentOptions LmdbStore::environment_options(const StoreOptions& options) {
  return {options.directory, options.tables, options.max_bytes, options.format};
}

LmdbStore::LmdbStore(const StoreOptions& options, base::Log& log, std::unique_ptr<LmdbEnvironment> environment,
                     std::unique_ptr<base::File> owner_lock, std::optional<std::string> set_aside)
    : options_(options),
      log_(log),
      owner_lock_(std::move(owner_lock)),
      may_lack_writes_(set_aside.has_value() || marked(*owner_lock_) != kComplete),
      is_marked_complete_(!may_lack_writes_),
      set_aside_(std::move(set_aside)),
      environment_(std::move(environment)),
      is_confirmed_(!may_lack_writes_),
      thread_([this] { run(); }) {}

LmdbStore::~LmdbStore() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  work_.notify_all();
  thread_.join();
}

std::optional<std::size_t> LmdbStore::table_number(std::string_view table) const {
  const auto at = std::find(options_.tables.begin(), options_.tables.end(), table);
  if (at == options_.tables.end()) return std::nullopt;
  return static_cast<std::size_t>(at - options_.tables.begin());
}

base::Result<std::optional<std::string>> LmdbStore::get(std::string_view table, std::string_view key) const {
  const auto number = table_number(table);
  if (!number) return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, "unknown table");
  if (key.empty() || key.size() > kMaxKeyBytes) return std::nullopt;
  const std::shared_lock lock(environment_mutex_);
  if (!environment_) return tl::unexpected(unavailable("the store is closed because a write failed"));
  return environment_->get(*number, key);
}

base::Status LmdbStore::scan(std::string_view table,
                             const std::function<bool(std::string_view, std::string_view)>& visit) const {
  const auto number = table_number(table);
  if (!number) return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, "unknown table");
  const std::shared_lock lock(environment_mutex_);
  if (!environment_) return tl::unexpected(unavailable("the store is closed because a write failed"));
  return environment_->scan(*number, visit);
}

void LmdbStore::put(std::string_view table, std::string key, std::string value, OnCommitted on_committed) {
  queue(table, Change{0, std::move(key), std::move(value)}, std::move(on_committed));
}

void LmdbStore::erase(std::string_view table, std::string key, OnCommitted on_committed) {
  queue(table, Change{0, std::move(key), std::nullopt}, std::move(on_committed));
}

void LmdbStore::keep(std::string_view table, std::string key, std::optional<std::string> value,
                     OnCommitted on_committed) {
  queue(table, Change{0, std::move(key), std::move(value)}, std::move(on_committed), true);
}

void LmdbStore::queue(std::string_view table, Change change, OnCommitted on_committed, bool is_kept) {
  const auto number = table_number(table);
  const std::uint64_t bytes = change.key.size() + (change.value ? change.value->size() : 0);
  {
    const std::lock_guard lock(mutex_);
    ++queued_;
    if (!number || change.key.empty() || change.key.size() > kMaxKeyBytes) {
      refused_.push_back({{base::ErrorKind::invalid_input, base::Fault::tribune, false,
                           "unknown table, or the key is empty or too long"},
                          std::move(on_committed)});
    } else if (!is_kept && waiting_bytes_ + bytes > kMaxWaitingBytes) {
      refused_.push_back({unavailable("the queue of writes to the disk is full"), std::move(on_committed)});
    } else {
      change.table = *number;
      if (is_kept) unwritten_.erase({change.table, change.key});
      waiting_bytes_ += bytes;
      waiting_.push_back({std::move(change), std::move(on_committed), is_kept});
    }
  }
  work_.notify_all();
}

base::Status LmdbStore::flush() {
  std::unique_lock lock(mutex_);
  const auto until = queued_;
  ++flushes_;
  work_.notify_all();
  written_.wait(lock, [&] { return settled_ >= until; });
  --flushes_;
  if (std::exchange(reported_failures_, failed_batches_) == failed_batches_) return {};
  return base::failure(base::ErrorKind::io, base::Fault::tribune, "a batch of writes failed", true);
}

std::uint64_t LmdbStore::failed_batches() const {
  const std::lock_guard lock(mutex_);
  return failed_batches_;
}

/// Waits until a write is queued, or until it is time to retry the writes of keep().
void LmdbStore::wait_for_work(std::unique_lock<std::mutex>& lock) {
  const auto has_work = [this] { return closing_ || !waiting_.empty() || !refused_.empty(); };
  if (unwritten_.empty()) {
    work_.wait(lock, has_work);
  } else if (!work_.wait_for(lock, kRetryPause, has_work)) {
    return;
  }
  work_.wait_for(lock, options_.batch_window,
                 [this] { return closing_ || flushes_ > 0 || !refused_.empty() || waiting_bytes_ >= kFullBatchBytes; });
}

/// Failed writes of keep() are a batch of their own, so that other writes do not fail with them.
std::vector<LmdbStore::Waiting> LmdbStore::take_unwritten() {
  std::vector<Waiting> batch;
  for (auto& [at, value] : unwritten_) batch.push_back({Change{at.first, at.second, std::move(value)}, {}, true});
  unwritten_.clear();
  return batch;
}

void LmdbStore::run() {
  std::unique_lock lock(mutex_);
  do {
    wait_for_work(lock);
    const auto writes = waiting_.size() + refused_.size();
    auto refused = std::exchange(refused_, {});
    auto again = take_unwritten();
    auto batch = std::exchange(waiting_, {});
    waiting_bytes_ = 0;
    lock.unlock();
    for (auto& r : refused)
      if (r.on_committed) r.on_committed(tl::unexpected(std::move(r.error)));
    if (!again.empty()) write_or_give_up(std::move(again));
    if (!batch.empty()) write_or_give_up(std::move(batch));
    lock.lock();
    if (!refused.empty()) ++failed_batches_;
    settled_ += writes;
    written_.notify_all();
  } while (!closing_ || !waiting_.empty() || !refused_.empty());
}

/// A failed allocation fails the batch; its callbacks receive the error.
void LmdbStore::write_or_give_up(std::vector<Waiting> batch) noexcept {
  try {
    return write(batch);
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
  }
  for (auto& w : batch) {
    try {
      settle(w, std::move(w.change), tl::unexpected(unavailable("out of memory for a batch of writes")));
    } catch (const std::bad_alloc&) {
      base::Memory::of_process().gave_up_work();
    }
  }
}

void LmdbStore::write(std::vector<Waiting>& batch) {
  std::vector<Change> changes;
  changes.reserve(batch.size());
  for (auto& w : batch) changes.push_back(std::move(w.change));

  WriteOutcome outcome;
  if (!environment_) {  // replaced only by this thread
    const std::unique_lock alone(environment_mutex_);
    if (auto opened = open_anew(); !opened) outcome.error = opened.error();
  }
  if (environment_) {
    outcome = environment_->write(changes);
    if (outcome.written == Written::none && outcome.error.kind == base::ErrorKind::too_large) {
      const auto full = outcome.error;
      const std::unique_lock alone(environment_mutex_);
      outcome = environment_->write_erasures(changes);
      const bool had_values =
          std::any_of(changes.begin(), changes.end(), [](const Change& c) { return c.value.has_value(); });
      if (outcome.written == Written::erasures_only && !had_values) outcome.written = Written::all;
      if (outcome.written == Written::erasures_only) outcome.error = full;
    }
    if (outcome.must_reopen) {
      // At once, because what was written before can still be read.
      const std::unique_lock alone(environment_mutex_);
      environment_.reset();
      open_anew();
    }
  }
  if (outcome.written == Written::all) {
    if (holds_all_kept()) mark_complete(true);
    report_recovery();
  } else {
    report_failure(outcome.error, changes.size());
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const bool done =
        outcome.written == Written::all || (outcome.written == Written::erasures_only && !changes[i].value);
    settle(batch[i], std::move(changes[i]), done ? base::Status{} : tl::unexpected(outcome.error));
  }
}

base::Status LmdbStore::open_anew() {
  auto opened = LmdbEnvironment::open(environment_options(options_));
  if (!opened) return tl::unexpected(opened.error());
  if (!opened->environment) return tl::unexpected(unavailable(opened->foreign.what));
  environment_ = std::move(opened->environment);
  return {};
}

void LmdbStore::settle(Waiting& waiting, Change change, base::Status status) {
  if (waiting.is_kept && !status && !change.key.empty()) {
    mark_complete(false);
    const std::lock_guard lock(mutex_);
    const auto is_newer = [&](const Waiting& other) {
      return other.is_kept && other.change.table == change.table && other.change.key == change.key;
    };
    if (std::none_of(waiting_.begin(), waiting_.end(), is_newer))
      unwritten_.insert_or_assign({change.table, std::move(change.key)}, std::move(change.value));
  }
  if (const auto tell = std::exchange(waiting.on_committed, {})) tell(std::move(status));
}

/// On a full disk an empty file cannot be marked. The next process takes it for incomplete.
void LmdbStore::mark_complete(bool is_complete) {
  if (std::exchange(is_marked_complete_, is_complete) == is_complete) return;
  const char mark = is_complete ? kComplete : kLacksWrites;
  if (::pwrite(owner_lock_->fd(), &mark, 1, 0) == 1) ::fdatasync(owner_lock_->fd());
}

bool LmdbStore::holds_all_kept() const {
  const std::lock_guard lock(mutex_);
  return is_confirmed_ && unwritten_.empty();
}

void LmdbStore::confirm_complete() {
  const std::lock_guard lock(mutex_);
  is_confirmed_ = true;
}

/// Logs the first failed batch of a series only, because a disk may be full for hours.
void LmdbStore::report_failure(const base::Error& error, std::size_t writes) {
  {
    const std::lock_guard lock(mutex_);
    ++failed_batches_;
    if (std::exchange(is_failing_, true)) return;
  }
  log_.error("store", "batch_failed", {{"directory", options_.directory}, {"writes", writes}, {"error", error.text}});
}

void LmdbStore::report_recovery() {
  std::uint64_t failed = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(is_failing_, false)) return;
    failed = failed_batches_;
  }
  log_.warning("store", "store_writes_again", {{"directory", options_.directory}, {"failed_batches", failed}});
}

}  // namespace tribune::store
