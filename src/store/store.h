#pragma once
// Durable tables of small records: LMDB, written by one thread in batches. Bodies of objects are not stored here.

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

struct StoreOptions {
  std::string directory;
  std::vector<std::string> tables;             // fixed at opening
  std::uint64_t max_bytes = 1ull << 30;        // of the records; the file may take about three times as much
  std::chrono::milliseconds batch_window{50};  // how long a write may wait for others
  std::string format;                          // name and version of the content, for example "cache-index 1"
};

/// Any thread; locks inside. A store of another format, or a damaged one, is set aside (renamed) and a new one is
/// created; `set_aside()` reports it.
class Store {
 public:
  static base::Result<std::unique_ptr<Store>> open(const StoreOptions&, base::Log&);
  virtual ~Store() = default;  // commits the queued writes

  virtual std::optional<std::string> set_aside() const = 0;

  /// Whether records of keep() may be older than what their writer last had: a former process ended before a failed one
  /// was written, or these are a copy or the first records.
  virtual bool may_lack_writes() const { return false; }
  /// The owner has replaced what may lack: the next process finds the records complete, unless writes fail until then.
  virtual void confirm_complete() {}

  /// Reads committed records. Blocks on the disk: not for an event loop, except for tables that are in the page cache.
  virtual base::Result<std::optional<std::string>> get(std::string_view table, std::string_view key) const = 0;
  /// Visits records in key order until `visit` returns false. For short scans only, because the file grows while a scan
  /// runs.
  virtual base::Status scan(std::string_view table,
                            const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;

  /// Queues a write; never blocks on the disk. `on_committed` runs on the store's thread when the write is on disk or
  /// has failed.
  using OnCommitted = std::function<void(base::Status)>;
  virtual void put(std::string_view table, std::string key, std::string value, OnCommitted on_committed = {}) = 0;
  virtual void erase(std::string_view table, std::string key, OnCommitted on_committed = {}) = 0;

  /// Like put(), or like erase() without a value, but a failed write is retried each second until it is written or
  /// replaced by a newer value. It is lost only when the process ends before. `on_committed` runs once on the store's
  /// thread, after the first attempt, with its outcome. Intended for operators' orders, which are not sent again, and
  /// for the numbering of channels, which others rely on. A record of keep() is also erased by keep().
  virtual void keep(std::string_view table, std::string key, std::optional<std::string> value,
                    OnCommitted on_committed = {}) = 0;

  /// Waits until all writes queued before are on disk. Returns an error when a write has failed since the last flush.
  virtual base::Status flush() = 0;
  virtual std::uint64_t failed_batches() const = 0;
};

}  // namespace tribune::store
