// The transactional store on LMDB. The writing thread takes all transactions that wait, runs each as a child of one
// transaction, and commits once; a child that fails is aborted alone. The reading thread runs reads on snapshots.
//
// Lifetime
//   open      both threads work                                                              (open())
//   broken    a commit made the handle unusable; it is opened anew before the next batch     (the writing thread)
//   closing   the destructor runs: what is queued is carried out, then the threads end       (the owner)

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <thread>
#include <utility>

#include "base/memory.h"
#include "store/lmdb_handles.h"
#include "store/lmdb_transaction.h"
#include "store/lmdb_transactional_file.h"
#include "store/owned_directory.h"
#include "store/transactional_store.h"

namespace tribune::store {

namespace {

constexpr std::size_t kMaxQueued = 16'384;
constexpr std::size_t kMaxGroup = 512;  // transactions of one commit

/// Work that waits for a thread. Any thread; locks inside.
template <class Item>
class WorkQueue {
 public:
  bool push(Item& item) {
    const std::lock_guard lock(mutex_);
    if (items_.size() >= kMaxQueued) return false;
    items_.push_back(std::move(item));
    filled_.notify_one();
    return true;
  }
  /// Waits for items and takes up to kMaxGroup of them. Empty after close(), when nothing is left.
  std::vector<Item> take() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return is_closed_ || !items_.empty(); });
    const auto count = std::min(items_.size(), kMaxGroup);
    std::vector<Item> taken(std::make_move_iterator(items_.begin()),
                            std::make_move_iterator(items_.begin() + static_cast<std::ptrdiff_t>(count)));
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(count));
    return taken;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    filled_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Item> items_;
  bool is_closed_ = false;
};

class LmdbTransactionalStore final : public TransactionalStore {
 public:
  LmdbTransactionalStore(const TransactionalStoreOptions& options, base::Log& log, std::unique_ptr<base::File> owner,
                         TransactionalFile file)
      : options_(options),
        log_(log),
        owner_(std::move(owner)),
        file_(std::move(file)),
        writer_([this] { run_writer(); }),
        reader_([this] { run_reader(); }) {}

  ~LmdbTransactionalStore() override {
    writes_.close();
    reads_.close();
    writer_.join();
    reader_.join();
  }

  void write(Work work, Done done) override {
    Write item{std::move(work), std::move(done), {}};
    if (!writes_.push(item)) item.done(tl::unexpected(queue_is_full()));
  }

  void read(ReadWork work, Done done) override {
    Read item{std::move(work), std::move(done), {}};
    if (!reads_.push(item)) item.done(tl::unexpected(queue_is_full()));
  }

  base::Status health() const override {
    const std::lock_guard lock(health_mutex_);
    return health_;
  }

 private:
  struct Write {
    Work work;
    Done done;
    base::Status status;
  };
  struct Read {
    ReadWork work;
    Done done;
    base::Status status;
  };

  static base::Error queue_is_full() {
    return {base::ErrorKind::unavailable, base::Fault::tribune, true, "too many transactions wait for the disk"};
  }
  static base::Error out_of_memory() {
    base::Memory::of_process().gave_up_work();
    return {base::ErrorKind::unavailable, base::Fault::tribune, true, "out of memory for a transaction"};
  }

  void run_writer() {
    while (true) {
      auto group = writes_.take();
      if (group.empty()) return;
      bool has_committed = false;
      base::Status status;
      try {
        status = write_group(group, has_committed);
      } catch (const std::bad_alloc&) {
        status = tl::unexpected(out_of_memory());
      }
      if (!status)
        for (auto& item : group) item.status = status;
      report(group, has_committed);
      for (auto& item : group) finish(item.done, std::move(item.status));
    }
  }

  /// A callback that cannot allocate loses its answer, and not the process.
  static void finish(const Done& done, base::Status status) {
    try {
      done(std::move(status));
    } catch (const std::bad_alloc&) {
      base::Memory::of_process().gave_up_work();
    }
  }

  /// Commits the transactions of the group that succeed. An error: none of them is written.
  base::Status write_group(std::vector<Write>& group, bool& has_committed) {
    if (!file_.env) {
      if (auto opened = reopen(); !opened) return opened;
    }
    auto txn = lmdb::begin(file_.env.get(), 0);
    if (!txn) return tl::unexpected(txn.error());
    bool has_written = false;
    for (auto& item : group) {
      bool writes = false;
      item.status = run_child(txn->get(), item.work, writes);
      has_written = has_written || (writes && item.status);
    }
    if (!has_written) return {};
    const int code = mdb_txn_commit(txn->release());
    has_committed = code == 0;
    if (code == 0) return {};
    auto error = transaction_error(file_.env.get(), code);
    // WHY: after a failed write LMDB may refuse the handle. Opened anew at once, because committed records can be read.
    if (error.kind != base::ErrorKind::too_large) static_cast<void>(reopen());
    return tl::unexpected(std::move(error));
  }

  base::Status run_child(MDB_txn* parent, const Work& work, bool& writes) {
    MDB_txn* raw = nullptr;
    if (const int code = mdb_txn_begin(file_.env.get(), parent, 0, &raw); code != 0)
      return tl::unexpected(transaction_error(file_.env.get(), code));
    lmdb::Transaction child(raw);
    base::Status status;
    try {
      status = run_work(file_.env.get(), raw, options_.tables, file_.tables, work, writes);
    } catch (const std::bad_alloc&) {
      status = tl::unexpected(out_of_memory());
    }
    if (!status) return status;
    if (const int code = mdb_txn_commit(child.release()); code != 0)
      return tl::unexpected(transaction_error(file_.env.get(), code));
    return {};
  }

  base::Status reopen() {
    const std::unique_lock alone(file_mutex_);
    file_ = {};
    auto opened = open_transactional_file(options_);
    if (!opened) return tl::unexpected(opened.error());
    file_ = std::move(*opened);
    return {};
  }

  void run_reader() {
    while (true) {
      auto group = reads_.take();
      if (group.empty()) return;
      {
        const std::shared_lock lock(file_mutex_);
        for (auto& item : group) item.status = read_one(item.work);
      }
      for (auto& item : group) finish(item.done, std::move(item.status));
    }
  }

  base::Status read_one(const ReadWork& work) {
    if (!file_.env)
      return base::failure(base::ErrorKind::unavailable, base::Fault::tribune,
                           "the store is closed because a write failed", true);
    auto txn = lmdb::begin(file_.env.get(), MDB_RDONLY);
    if (!txn) return tl::unexpected(txn.error());
    LmdbTransaction view(txn->get(), options_.tables, file_.tables);
    try {
      work(view);
    } catch (const std::bad_alloc&) {
      return tl::unexpected(out_of_memory());
    }
    if (view.code() != 0) return tl::unexpected(transaction_error(file_.env.get(), view.code()));
    return {};
  }

  /// What the group tells about the disk: nothing, if it wrote nothing. Logs the first failure of a series only,
  /// because a disk may be full for hours.
  void report(const std::vector<Write>& group, bool has_committed) {
    const auto failed = std::find_if(group.begin(), group.end(), [](const Write& w) { return is_of_disk(w.status); });
    if (failed == group.end() && !has_committed) return;
    bool was_healthy = true;
    {
      const std::lock_guard lock(health_mutex_);
      was_healthy = health_.has_value();
      health_ = {};
      if (failed != group.end())
        health_ = base::failure(failed->status.error().kind, base::Fault::tribune,
                                options_.directory + ": " + failed->status.error().text, true);
    }
    if (was_healthy && failed != group.end())
      log_.error("store", "commit_failed", {{"directory", options_.directory}, {"error", failed->status.error().text}});
    if (!was_healthy && failed == group.end())
      log_.warning("store", "store_writes_again", {{"directory", options_.directory}});
  }

  static bool is_of_disk(const base::Status& status) {
    return !status &&
           (status.error().kind == base::ErrorKind::io || status.error().kind == base::ErrorKind::too_large ||
            status.error().kind == base::ErrorKind::protocol);
  }

  const TransactionalStoreOptions options_;
  base::Log& log_;
  const std::unique_ptr<base::File> owner_;
  mutable std::shared_mutex
      file_mutex_;                   // shared: reading; exclusive: replacing the file. The writer alone replaces it
  TransactionalFile file_;           // without an environment while broken
  mutable std::mutex health_mutex_;  // guards health_
  base::Status health_;
  WorkQueue<Write> writes_;
  WorkQueue<Read> reads_;
  std::thread writer_, reader_;  // the last members: they use all of the above
};

}  // namespace

base::Result<std::unique_ptr<TransactionalStore>> TransactionalStore::open(const TransactionalStoreOptions& options,
                                                                           base::Log& log) {
  auto owner = own_directory(options.directory);
  if (!owner) return tl::unexpected(owner.error());
  if (auto checked = check_transactional_file(options); !checked) return tl::unexpected(checked.error());
  auto file = open_transactional_file(options);
  if (!file) return tl::unexpected(file.error());
  return std::make_unique<LmdbTransactionalStore>(options, log, std::move(*owner), std::move(*file));
}

}  // namespace tribune::store
