#pragma once
// One transaction of LMDB as the callers of a TransactionalStore see it, and what its errors mean. It does not begin,
// commit or abort: lmdb_handles.h does. Included by lmdb_*.cpp only.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/transactional_store.h"

struct MDB_env;
struct MDB_txn;

namespace tribune::store {

/// Owned by one worker: the thread that began the transaction. `names` and `tables` belong together by position; there
/// may be more tables than names. The transaction and both lists must outlive it.
class LmdbTransaction final : public WriteTransaction {
 public:
  LmdbTransaction(MDB_txn* txn, const std::vector<std::string>& names, const std::vector<unsigned>& tables)
      : txn_(txn), names_(names), tables_(tables) {}

  std::optional<std::string_view> get(std::string_view table, std::string_view key) override;
  void scan(std::string_view table, std::string_view first,
            const std::function<bool(std::string_view, std::string_view)>& visit) override;
  void put(std::string_view table, std::string_view key, std::string_view value) override;
  void erase(std::string_view table, std::string_view key) override;

  /// LMDB's code of the first operation that failed; 0 for none.
  int code() const { return code_; }
  bool has_written() const { return has_written_; }

 private:
  void keep(int code) { code_ = code_ ? code_ : code; }
  bool find_table(std::string_view name, unsigned& table);

  MDB_txn* txn_;
  const std::vector<std::string>& names_;
  const std::vector<unsigned>& tables_;
  int code_ = 0;
  bool has_written_ = false;
};

/// The error of a transaction that LMDB refused with this code: too_large when the file has reached its maximum size.
base::Error transaction_error(MDB_env*, int code);

/// Runs `work` in a transaction that the caller commits or aborts. A failed operation is the result, whatever `work`
/// returns. `has_written` tells whether `work` changed a table.
base::Status run_work(MDB_env*, MDB_txn*, const std::vector<std::string>& names, const std::vector<unsigned>& tables,
                      const TransactionalStore::Work& work, bool& has_written);

}  // namespace tribune::store
