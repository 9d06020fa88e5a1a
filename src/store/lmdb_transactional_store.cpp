// The transactional store on LMDB. The writing thread takes all transactions that wait, runs each as a child of one
// transaction, and commits once; a child that fails is aborted alone. The reading thread runs reads on snapshots.
//
// Lifetime
//   open      both threads work                                                              (open())
//   broken    a commit made the handle unusable; it is opened anew before the next batch     (the writing thread)
//   closing   the destructor runs: what is queued is carried out, then the threads end       (the owner)

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <thread>
#include <utility>

#include "base/memory.h"
#include "store/lmdb_file_check.h"
#include "store/lmdb_handles.h"
#include "store/owned_directory.h"
#include "store/transactional_store.h"

namespace tribune::store {

namespace {

constexpr std::size_t kMaxQueued = 16'384;
constexpr std::size_t kMaxGroup = 512;  // transactions of one commit
constexpr std::string_view kSchemaTable = "_schema";
constexpr std::string_view kNameKey = "name", kVersionKey = "version";
constexpr unsigned kMaxTransactionReaders = 64;

/// An open file with its tables.
struct OpenedFile {
  struct Close {
    void operator()(MDB_env* opened) const { mdb_env_close(opened); }
  };
  std::unique_ptr<MDB_env, Close> env;
  std::vector<MDB_dbi> tables;  // in the order of the options
};

base::Error protocol_error(std::string text) {
  return {base::ErrorKind::protocol, base::Fault::tribune, false, std::move(text)};
}

/// A transaction of the writing or the reading thread.
class LmdbTransaction final : public WriteTransaction {
 public:
  LmdbTransaction(MDB_txn* txn, const std::vector<std::string>& names, const std::vector<MDB_dbi>& tables)
      : txn_(txn), names_(names), tables_(tables) {}

  std::optional<std::string_view> get(std::string_view table, std::string_view key) override {
    MDB_dbi dbi = 0;
    if (!find_table(table, dbi)) return std::nullopt;
    MDB_val k = lmdb::val(key), value{};
    const int code = mdb_get(txn_, dbi, &k, &value);
    if (code == 0) return lmdb::view(value);
    if (code != MDB_NOTFOUND) keep(code);
    return std::nullopt;
  }

  void scan(std::string_view table, std::string_view first,
            const std::function<bool(std::string_view, std::string_view)>& visit) override {
    MDB_dbi dbi = 0;
    if (!find_table(table, dbi)) return;
    MDB_cursor* raw = nullptr;
    if (const int code = mdb_cursor_open(txn_, dbi, &raw); code != 0) return keep(code);
    const lmdb::Cursor cursor(raw);
    MDB_val key = lmdb::val(first), value{};
    int code = mdb_cursor_get(raw, &key, &value, first.empty() ? MDB_FIRST : MDB_SET_RANGE);
    while (code == 0 && visit(lmdb::view(key), lmdb::view(value))) code = mdb_cursor_get(raw, &key, &value, MDB_NEXT);
    if (code != 0 && code != MDB_NOTFOUND) keep(code);
  }

  void put(std::string_view table, std::string_view key, std::string_view value) override {
    MDB_dbi dbi = 0;
    if (!find_table(table, dbi)) return;
    MDB_val k = lmdb::val(key), v = lmdb::val(value);
    if (const int code = mdb_put(txn_, dbi, &k, &v, 0); code != 0) keep(code);
    has_written_ = true;
  }

  void erase(std::string_view table, std::string_view key) override {
    MDB_dbi dbi = 0;
    if (!find_table(table, dbi)) return;
    MDB_val k = lmdb::val(key);
    if (const int code = mdb_del(txn_, dbi, &k, nullptr); code != 0 && code != MDB_NOTFOUND) keep(code);
    has_written_ = true;
  }

  /// LMDB's code of the first operation that failed; 0 for none.
  int code() const { return code_; }
  bool has_written() const { return has_written_; }

 private:
  void keep(int code) { code_ = code_ ? code_ : code; }
  bool find_table(std::string_view name, MDB_dbi& dbi) {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at == names_.end()) {
      keep(MDB_BAD_DBI);
      return false;
    }
    dbi = tables_[static_cast<std::size_t>(at - names_.begin())];
    return code_ == 0;
  }

  MDB_txn* txn_;
  const std::vector<std::string>& names_;
  const std::vector<MDB_dbi>& tables_;
  int code_ = 0;
  bool has_written_ = false;
};

base::Error transaction_error(MDB_env* env, int code) {
  const int cause = lmdb::cause_of(env, code);
  auto error = lmdb::error_of(cause, "a transaction failed");
  if (cause == MDB_MAP_FULL || cause == MDB_TXN_FULL) error.kind = base::ErrorKind::too_large;
  return error;
}

/// Runs `work` in a transaction that the caller commits or aborts.
base::Status run_work(MDB_env* env, MDB_txn* txn, const std::vector<std::string>& names,
                      const std::vector<MDB_dbi>& tables, const TransactionalStore::Work& work, bool& has_written) {
  LmdbTransaction transaction(txn, names, tables);
  auto status = work(transaction);
  has_written = transaction.has_written();
  if (transaction.code() != 0) return tl::unexpected(transaction_error(env, transaction.code()));
  return status;
}

std::optional<std::uint64_t> stored_version(std::string_view text) {
  std::uint64_t version = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), version);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return version;
}

/// Creates the tables of an empty file, or checks its name and version and migrates it. Returns the error in words.
base::Status begin_schema(WriteTransaction& t, bool has_records, const TransactionalStoreOptions& options) {
  const auto own = options.migrations.size() + 1;
  const auto name = t.get(kSchemaTable, kNameKey);
  if (!name) {
    if (has_records) return tl::unexpected(protocol_error(options.directory + " has the file of another program"));
    t.put(kSchemaTable, kNameKey, options.name);
    t.put(kSchemaTable, kVersionKey, std::to_string(own));
    return {};
  }
  if (*name != options.name)
    return tl::unexpected(protocol_error(
        fmt::format("{} has a store of \"{}\", expected \"{}\"", options.directory, *name, options.name)));
  const auto version = stored_version(t.get(kSchemaTable, kVersionKey).value_or(""));
  if (!version || *version == 0)
    return tl::unexpected(protocol_error(options.directory + " has a store without a schema version"));
  if (*version > own)
    return tl::unexpected(protocol_error(
        fmt::format("{} has schema version {}, and this program knows versions up to {}: run the newer program, or "
                    "restore a backup that was made before its first start",
                    options.directory, *version, own)));
  for (auto next = *version; next < own; ++next)
    if (auto done = options.migrations[next - 1](t); !done) return done;
  if (*version < own) t.put(kSchemaTable, kVersionKey, std::to_string(own));
  return {};
}

base::Status open_tables(const TransactionalStoreOptions& options, OpenedFile& file) {
  auto names = options.tables;
  names.emplace_back(kSchemaTable);
  auto txn = lmdb::begin(file.env.get(), 0);
  if (!txn) return tl::unexpected(txn.error());
  MDB_stat stat{};
  MDB_dbi main = 0;
  int code = mdb_dbi_open(txn->get(), nullptr, 0, &main);
  if (code == 0) code = mdb_stat(txn->get(), main, &stat);
  file.tables.assign(names.size(), 0);
  for (std::size_t i = 0; i < names.size() && code == 0; ++i)
    code = mdb_dbi_open(txn->get(), names[i].c_str(), MDB_CREATE, &file.tables[i]);
  if (code != 0) return tl::unexpected(lmdb::error_of(code, "cannot open the tables in " + options.directory));
  bool has_written = false;
  auto begun = run_work(
      file.env.get(), txn->get(), names, file.tables,
      [&](WriteTransaction& t) { return begin_schema(t, stat.ms_entries > 0, options); }, has_written);
  if (!begun) return begun;
  if ((code = mdb_txn_commit(txn->release())) != 0)
    return tl::unexpected(lmdb::error_of(code, "cannot write the tables in " + options.directory));
  return {};
}

/// LMDB trusts its file, so the file is checked before its first opening (lmdb_file_check.h).
base::Status check_file(const TransactionalStoreOptions& options) {
  auto damage = lmdb_file_damage(options.directory + "/data.mdb");
  if (!damage) return tl::unexpected(damage.error());
  if (*damage)
    return tl::unexpected(
        protocol_error(fmt::format("{}/data.mdb is damaged: {}; restore a backup", options.directory, **damage)));
  return {};
}

base::Result<OpenedFile> open_file(const TransactionalStoreOptions& options) {
  MDB_env* raw = nullptr;
  if (const int code = mdb_env_create(&raw); code != 0)
    return tl::unexpected(lmdb::error_of(code, "cannot create an environment"));
  OpenedFile file;
  file.env.reset(raw);
  mdb_env_set_mapsize(raw, options.max_bytes);
  mdb_env_set_maxdbs(raw, static_cast<MDB_dbi>(options.tables.size() + 1));
  mdb_env_set_maxreaders(raw, kMaxTransactionReaders);
  if (const int code = mdb_env_open(raw, options.directory.c_str(), MDB_NOTLS, 0600); code != 0)
    return tl::unexpected(lmdb::error_of(code, "cannot open " + options.directory));
  int dead = 0;
  mdb_reader_check(raw, &dead);
  if (auto opened = open_tables(options, file); !opened) return tl::unexpected(opened.error());
  const base::File folder(::open(options.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd() >= 0) ::fsync(folder.fd());  // the names of the files that LMDB created
  return file;
}

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
                         OpenedFile file)
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
    auto opened = open_file(options_);
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
  OpenedFile file_;                  // without an environment while broken
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
  if (auto checked = check_file(options); !checked) return tl::unexpected(checked.error());
  auto file = open_file(options);
  if (!file) return tl::unexpected(file.error());
  return std::make_unique<LmdbTransactionalStore>(options, log, std::move(*owner), std::move(*file));
}

}  // namespace tribune::store
