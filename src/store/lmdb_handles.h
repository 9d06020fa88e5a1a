#pragma once
// LMDB's handles with owners, and its codes as errors. Included by lmdb_*.cpp only.

#include <fmt/format.h>
#include <lmdb.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace tribune::store::lmdb {

struct AbortTransaction {
  void operator()(MDB_txn* t) const { mdb_txn_abort(t); }
};
using Transaction = std::unique_ptr<MDB_txn, AbortTransaction>;

struct CloseCursor {
  void operator()(MDB_cursor* c) const { mdb_cursor_close(c); }
};
using Cursor = std::unique_ptr<MDB_cursor, CloseCursor>;

inline MDB_val val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
inline std::string_view view(const MDB_val& v) { return {static_cast<const char*>(v.mv_data), v.mv_size}; }

inline bool says_damaged(int code) {
  return code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID || code == MDB_VERSION_MISMATCH ||
         code == MDB_INCOMPATIBLE || code == MDB_PANIC;
}

inline base::Error error_of(int code, std::string_view what) {
  const auto kind = says_damaged(code) ? base::ErrorKind::protocol : base::ErrorKind::io;
  return {kind, base::Fault::tribune, true, fmt::format("{}: {}", what, mdb_strerror(code))};
}

inline base::Result<Transaction> begin(MDB_env* env, unsigned flags) {
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env, nullptr, flags, &txn); code != 0)
    return tl::unexpected(error_of(code, "cannot begin a transaction"));
  return Transaction(txn);
}

/// LMDB reports EIO for a write that was carried out in part, which is how a disk becomes full.
inline int cause_of(MDB_env* env, int code) {
  const char* path = nullptr;
  struct statvfs disk {};
  const bool is_full =
      code == EIO && mdb_env_get_path(env, &path) == 0 && ::statvfs(path, &disk) == 0 && disk.f_bavail == 0;
  return is_full ? ENOSPC : code;
}

}  // namespace tribune::store::lmdb
