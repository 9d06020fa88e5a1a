#include "store/lmdb_transaction.h"

#include <algorithm>

#include "store/lmdb_handles.h"

namespace tribune::store {

std::optional<std::string_view> LmdbTransaction::get(std::string_view table, std::string_view key) {
  MDB_dbi dbi = 0;
  if (!find_table(table, dbi)) return std::nullopt;
  MDB_val k = lmdb::val(key), value{};
  const int code = mdb_get(txn_, dbi, &k, &value);
  if (code == 0) return lmdb::view(value);
  if (code != MDB_NOTFOUND) keep(code);
  return std::nullopt;
}

void LmdbTransaction::scan(std::string_view table, std::string_view first,
                           const std::function<bool(std::string_view, std::string_view)>& visit) {
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

void LmdbTransaction::put(std::string_view table, std::string_view key, std::string_view value) {
  MDB_dbi dbi = 0;
  if (!find_table(table, dbi)) return;
  MDB_val k = lmdb::val(key), v = lmdb::val(value);
  if (const int code = mdb_put(txn_, dbi, &k, &v, 0); code != 0) keep(code);
  has_written_ = true;
}

void LmdbTransaction::erase(std::string_view table, std::string_view key) {
  MDB_dbi dbi = 0;
  if (!find_table(table, dbi)) return;
  MDB_val k = lmdb::val(key);
  if (const int code = mdb_del(txn_, dbi, &k, nullptr); code != 0 && code != MDB_NOTFOUND) keep(code);
  has_written_ = true;
}

bool LmdbTransaction::find_table(std::string_view name, unsigned& table) {
  const auto at = std::find(names_.begin(), names_.end(), name);
  if (at == names_.end()) {
    keep(MDB_BAD_DBI);
    return false;
  }
  table = tables_[static_cast<std::size_t>(at - names_.begin())];
  return code_ == 0;
}

base::Error transaction_error(MDB_env* env, int code) {
  const int cause = lmdb::cause_of(env, code);
  auto error = lmdb::error_of(cause, "a transaction failed");
  if (cause == MDB_MAP_FULL || cause == MDB_TXN_FULL) error.kind = base::ErrorKind::too_large;
  return error;
}

base::Status run_work(MDB_env* env, MDB_txn* txn, const std::vector<std::string>& names,
                      const std::vector<unsigned>& tables, const TransactionalStore::Work& work, bool& has_written) {
  LmdbTransaction transaction(txn, names, tables);
  auto status = work(transaction);
  has_written = transaction.has_written();
  if (transaction.code() != 0) return tl::unexpected(transaction_error(env, transaction.code()));
  return status;
}

}  // namespace tribune::store
