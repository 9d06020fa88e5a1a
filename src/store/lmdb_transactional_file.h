#pragma once
// The opening of a TransactionalStore's file: is it sound, does it belong to this store, and is its schema known? An
// empty file receives its tables, and one of an older schema is migrated. The functions block and keep no state.
//
// The table _schema holds the name of the content and the version of the schema. It is not among the tables that
// callers of the store reach.

#include <memory>
#include <vector>

#include "base/result.h"
#include "store/transactional_store.h"

struct MDB_env;

namespace tribune::store {

/// An open file with its tables. Transactions of it may run on any thread; the owner closes it when none runs.
struct TransactionalFile {
  struct Close {
    void operator()(MDB_env*) const;
  };
  std::unique_ptr<MDB_env, Close> env;
  std::vector<unsigned> tables;  // in the order of the options; the last one is _schema
};

/// Reads the whole file, because LMDB trusts it (lmdb_file_check.h). Call it before the file is opened for the first
/// time. Errors: io; protocol for a damaged file.
base::Status check_transactional_file(const TransactionalStoreOptions&);

/// Creates the file when absent; its directory must exist and belong to this process (owned_directory.h). The tables
/// and all migrations are one transaction, which is on disk at return. Errors: io; too_large at max_bytes; protocol for
/// a damaged file, another program's file, or a newer schema; the error of a migration. After an error the records are
/// as before.
base::Result<TransactionalFile> open_transactional_file(const TransactionalStoreOptions&);

}  // namespace tribune::store
