#pragma once
// Durable tables that are changed by whole transactions: read, decide and write as one step, or not at all. Concurrent
// transactions share one commit (group commit), so that the disk's latency is paid once for all of them.
//
// Unlike Store, this one never sets a file aside: a damaged file, another program's, or one of a newer schema is an
// error that an operator must resolve.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace tribune::store {

/// A consistent view of the tables while it runs. After an error of the disk, reads return nothing, and the whole
/// transaction ends with that error, whatever its function returns. Views are valid until the next write.
class ReadTransaction {
 public:
  virtual ~ReadTransaction() = default;
  virtual std::optional<std::string_view> get(std::string_view table, std::string_view key) = 0;
  /// Visits the records from the key `first` on, in order of their keys, until `visit` returns false. `visit` must not
  /// write.
  virtual void scan(std::string_view table, std::string_view first,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit) = 0;
};

/// Reads see the writes of this transaction.
class WriteTransaction : public ReadTransaction {
 public:
  virtual void put(std::string_view table, std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view table, std::string_view key) = 0;
};

/// Changes the tables of schema version N to version N + 1.
using Migration = std::function<base::Status(WriteTransaction&)>;

struct TransactionalStoreOptions {
  std::string directory;
  std::string name;                      // of the content, "accounts": another program's file is rejected
  std::vector<std::string> tables;       // at most 32; fixed at opening
  std::uint64_t max_bytes = 1ull << 30;  // of the file
  /// The schema's version is 1 plus the number of migrations. An older file is migrated in one transaction when it is
  /// opened.
  std::vector<Migration> migrations;
};

/// Any thread; locks inside.
class TransactionalStore {
 public:
  /// Creates the directory and the file when absent. Errors: io; conflict when another process has it open; protocol
  /// for a damaged file, another program's file, or a newer schema.
  static base::Result<std::unique_ptr<TransactionalStore>> open(const TransactionalStoreOptions&, base::Log&);
  /// Finishes the queued transactions.
  virtual ~TransactionalStore() = default;

  using Work = std::function<base::Status(WriteTransaction&)>;
  using ReadWork = std::function<void(ReadTransaction&)>;
  using Done = std::function<void(base::Status)>;

  /// Queues a transaction. `work` runs on the store's writing thread, in the order queued, and sees everything that was
  /// written before. When it returns an error, nothing of it is written. What it has read and decided is void unless
  /// `done` reports success.
  /// `done` is called once on a thread of the store: with success when the transaction is on disk, with the error of
  /// `work`, with too_large at max_bytes, io for a full or broken disk, or unavailable when the queue is full.
  virtual void write(Work work, Done done) = 0;

  /// Queues a read of committed records. `work` and then `done` run on the store's reading thread.
  virtual void read(ReadWork work, Done done) = 0;

  /// Whether the last commit failed, for /readyz; the text names the directory and the reason.
  virtual base::Status health() const = 0;
};

}  // namespace tribune::store
