#include "store/lmdb_environment.h"

#include <algorithm>

#include "base/memory.h"
#include "store/lmdb_handles.h"

namespace tribune::store {

using lmdb::begin;
using lmdb::cause_of;
using lmdb::Cursor;
using lmdb::error_of;
using lmdb::Transaction;
using lmdb::val;
using lmdb::view;

namespace {

constexpr const char* kFormatTable = "_format";
constexpr std::string_view kFormatKey = "format";
constexpr unsigned kMaxReaders = 512;

/// The size of the map. A map uses address space: when RLIMIT_AS is the tightest bound, it takes at most a quarter of
/// the space that is left. LMDB maps a larger file completely.
std::uint64_t mappable(std::uint64_t bytes) {
  const auto use = base::Memory::of_process().look();
  if (!use || use->bound_by != base::kAddressBound) return bytes;
  constexpr std::uint64_t kPage = 4096, kLeast = 1 << 20;
  return std::max(kLeast, std::min(bytes, use->left() / 4)) / kPage * kPage;
}

}  // namespace

base::Result<LmdbEnvironment::Opened> LmdbEnvironment::open(const EnvironmentOptions& options) {
  MDB_env* env = nullptr;
  if (const int code = mdb_env_create(&env); code != 0)
    return tl::unexpected(error_of(code, "cannot create an environment"));
  Opened opened;
  opened.environment.reset(new LmdbEnvironment(env));
  opened.environment->max_bytes_ = mappable(options.max_bytes);
  mdb_env_set_mapsize(env, opened.environment->max_bytes_);
  mdb_env_set_maxdbs(env, static_cast<MDB_dbi>(options.tables.size() + 1));
  mdb_env_set_maxreaders(env, kMaxReaders);
  if (const int code = mdb_env_open(env, options.directory.c_str(), MDB_NOTLS, 0640); code != 0)
    return tl::unexpected(error_of(code, "cannot open " + options.directory));
  int dead = 0;
  mdb_reader_check(env, &dead);

  bool has_records = false;
  auto format = opened.environment->stored_format(has_records);
  if (!format) return tl::unexpected(format.error());
  if (format->has_value() ? **format != options.format : has_records) {
    opened.foreign.what = format->has_value()
                              ? "the file has the format \"" + **format + "\", expected \"" + options.format + "\""
                              : "the file has records of another program";
    opened.environment.reset();
    return opened;
  }
  if (auto begun = opened.environment->begin_tables(options, !format->has_value()); !begun)
    return tl::unexpected(begun.error());
  return opened;
}

LmdbEnvironment::~LmdbEnvironment() { mdb_env_close(env_); }

base::Result<std::optional<std::string>> LmdbEnvironment::stored_format(bool& has_records) const {
  auto txn = begin(env_, MDB_RDONLY);
  if (!txn) return tl::unexpected(txn.error());
  MDB_stat stat{};
  MDB_dbi main = 0, format = 0;
  int code = mdb_dbi_open(txn->get(), nullptr, 0, &main);
  if (code == 0) code = mdb_stat(txn->get(), main, &stat);
  if (code != 0) return tl::unexpected(error_of(code, "cannot read the list of tables"));
  has_records = stat.ms_entries > 0;
  code = mdb_dbi_open(txn->get(), kFormatTable, 0, &format);
  if (code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE) return std::nullopt;
  if (code != 0) return tl::unexpected(error_of(code, "cannot read the format"));
  MDB_val key = val(kFormatKey), value{};
  code = mdb_get(txn->get(), format, &key, &value);
  if (code == MDB_NOTFOUND) return std::nullopt;
  if (code != 0) return tl::unexpected(error_of(code, "cannot read the format"));
  return std::optional<std::string>(view(value));
}

base::Status LmdbEnvironment::begin_tables(const EnvironmentOptions& options, bool write_format) {
  // WHY: read-only when all tables exist, so that an existing store opens on a full disk.
  if (!write_format) {
    auto reading = begin(env_, MDB_RDONLY);
    if (!reading) return tl::unexpected(reading.error());
    std::vector<unsigned> tables(options.tables.size());
    int code = 0;
    for (std::size_t i = 0; i < tables.size() && code == 0; ++i)
      code = mdb_dbi_open(reading->get(), options.tables[i].c_str(), 0, &tables[i]);
    if (code == 0) {
      // Handles opened in a read transaction stay open only when it is committed.
      if ((code = mdb_txn_commit(reading->release())) != 0)
        return tl::unexpected(error_of(code, "cannot open the tables"));
      tables_ = std::move(tables);
      return {};
    }
    if (code != MDB_NOTFOUND) return tl::unexpected(error_of(code, "cannot open the tables"));
  }
  auto txn = begin(env_, 0);
  if (!txn) return tl::unexpected(txn.error());
  tables_.assign(options.tables.size(), 0);
  int code = 0;
  for (std::size_t i = 0; i < tables_.size() && code == 0; ++i)
    code = mdb_dbi_open(txn->get(), options.tables[i].c_str(), MDB_CREATE, &tables_[i]);
  if (code == 0 && write_format) {
    MDB_dbi format = 0;
    MDB_val key = val(kFormatKey), value = val(options.format);
    code = mdb_dbi_open(txn->get(), kFormatTable, MDB_CREATE, &format);
    if (code == 0) code = mdb_put(txn->get(), format, &key, &value, 0);
  }
  if (code == 0) code = mdb_txn_commit(txn->release());
  if (code != 0) return tl::unexpected(error_of(code, "cannot create the tables"));
  return {};
}

base::Result<std::optional<std::string>> LmdbEnvironment::get(std::size_t table, std::string_view key) const {
  auto txn = begin(env_, MDB_RDONLY);
  if (!txn) return tl::unexpected(txn.error());
  MDB_val k = val(key), value{};
  const int code = mdb_get(txn->get(), tables_[table], &k, &value);
  if (code == MDB_NOTFOUND) return std::nullopt;
  if (code != 0) return tl::unexpected(error_of(code, "cannot read a record"));
  return std::optional<std::string>(view(value));
}

base::Status LmdbEnvironment::scan(std::size_t table,
                                   const std::function<bool(std::string_view, std::string_view)>& visit) const {
  auto txn = begin(env_, MDB_RDONLY);
  if (!txn) return tl::unexpected(txn.error());
  MDB_cursor* raw = nullptr;
  int code = mdb_cursor_open(txn->get(), tables_[table], &raw);
  if (code != 0) return tl::unexpected(error_of(code, "cannot read a table"));
  const Cursor cursor(raw);
  MDB_val key{}, value{};
  while ((code = mdb_cursor_get(raw, &key, &value, MDB_NEXT)) == 0)
    if (!visit(view(key), view(value))) return {};
  if (code != MDB_NOTFOUND) return tl::unexpected(error_of(code, "cannot read a table"));
  return {};
}

int LmdbEnvironment::apply(const std::vector<Change>& changes, bool erasures_only) {
  MDB_txn* raw = nullptr;
  if (const int code = mdb_txn_begin(env_, nullptr, 0, &raw); code != 0) return code;
  Transaction txn(raw);
  for (const auto& change : changes) {
    MDB_val key = val(change.key);
    int code = 0;
    if (!change.value) {
      code = mdb_del(raw, tables_[change.table], &key, nullptr);
      if (code == MDB_NOTFOUND) code = 0;
    } else if (!erasures_only) {
      MDB_val value = val(*change.value);
      code = mdb_put(raw, tables_[change.table], &key, &value, 0);
    }
    if (code != 0) return code;
  }
  if (const int code = erasures_only ? rewrite_format(raw) : check_size(raw); code != 0) return code;
  return mdb_txn_commit(txn.release());
}

/// Bounds the pages in use. The map alone does not: erasures on a full map make the file, and with it the map, larger.
int LmdbEnvironment::check_size(MDB_txn* txn) const {
  std::uint64_t bytes = 0;
  for (const auto table : tables_) {
    MDB_stat stat{};
    if (const int code = mdb_stat(txn, table, &stat); code != 0) return code;
    bytes += stat.ms_psize * (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages);
  }
  return bytes > max_bytes_ ? MDB_MAP_FULL : 0;
}

/// Changes one page and no value. LMDB does not commit a transaction that changes no page.
int LmdbEnvironment::rewrite_format(MDB_txn* txn) {
  MDB_dbi format = 0;
  MDB_val key = val(kFormatKey), value{};
  int code = mdb_dbi_open(txn, kFormatTable, 0, &format);
  if (code == 0) code = mdb_get(txn, format, &key, &value);
  if (code != 0) return code;
  const std::string text(view(value));  // the write may move what mdb_get points to
  value = val(text);
  return mdb_put(txn, format, &key, &value, 0);
}

WriteOutcome LmdbEnvironment::write(const std::vector<Change>& changes) {
  WriteOutcome outcome;
  const int code = cause_of(env_, apply(changes, false));
  if (code == 0) {
    outcome.written = Written::all;
    return outcome;
  }
  outcome.error = error_of(code, "a batch of writes failed");
  if (code == MDB_MAP_FULL) outcome.error.kind = base::ErrorKind::too_large;
  outcome.must_reopen = code != MDB_MAP_FULL && code != MDB_TXN_FULL && code != MDB_BAD_VALSIZE;
  return outcome;
}

/// Twice the size of the file: LMDB copies each page that a transaction changes, and the pages that the transactions
/// before it freed may not be reusable yet. The file stays at about three times max_bytes, because check_size() bounds
/// what can be copied.
std::uint64_t LmdbEnvironment::bytes_for_erasures() const {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  return 2 * std::max<std::uint64_t>(max_bytes_, (info.me_last_pgno + 1) * stat.ms_psize);
}

WriteOutcome LmdbEnvironment::write_erasures(const std::vector<Change>& changes) {
  WriteOutcome outcome;
  int code = mdb_env_set_mapsize(env_, bytes_for_erasures());
  if (code == 0) code = apply(changes, true);
  // LMDB does not shrink the map below the used size.
  mdb_env_set_mapsize(env_, max_bytes_);
  if (code == 0) {
    outcome.written = Written::erasures_only;
    return outcome;
  }
  outcome.error = error_of(code, "a batch of deletions failed");
  outcome.must_reopen = code != MDB_MAP_FULL && code != MDB_TXN_FULL;
  return outcome;
}

}  // namespace tribune::store
