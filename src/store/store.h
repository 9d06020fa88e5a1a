#pragma once
// Durable tables of small records: LMDB, written by one thread in batches. Bodies of objects do not live here.

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
  std::uint64_t max_bytes = 1ull << 30;        // of the file; LMDB's map size
  std::chrono::milliseconds batch_window{50};  // how long a write may wait for company
  std::string format;                          // name and version of what is stored, e.g. "cache-index 1"
};

/// Any thread; locks inside. A store of another format, or a damaged one, is set aside (renamed) and a new one begun;
/// `set_aside()` says so.
class Store {
 public:
  static base::Result<std::unique_ptr<Store>> open(const StoreOptions&, base::Log&);
  virtual ~Store() = default;  // commits what is queued

  virtual std::optional<std::string> set_aside() const = 0;

  /// Reads committed records. Blocks on the disk: not for a loop, except for tables known to be hot.
  virtual base::Result<std::optional<std::string>> get(std::string_view table, std::string_view key) const = 0;
  /// In key order; `visit` returns false to stop. Short scans only: a long reader makes the file grow.
  virtual base::Status scan(std::string_view table,
                            const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;

  /// Queues a write; never blocks on the disk. `on_committed` runs on the store's thread once it is on disk or failed.
  using OnCommitted = std::function<void(base::Status)>;
  virtual void put(std::string_view table, std::string key, std::string value, OnCommitted on_committed = {}) = 0;
  virtual void erase(std::string_view table, std::string key, OnCommitted on_committed = {}) = 0;

  /// As put, or with no value as erase, and what the disk refuses is tried again each second until it is written or a
  /// newer value came. Lost only when the process ends before: `on_committed` runs on the store's thread once, after
  /// the first try, and says how it went. For the few records that an operator's order makes, which nobody repeats.
  virtual void keep(std::string_view table, std::string key, std::optional<std::string> value,
                    OnCommitted on_committed = {}) = 0;

  /// Waits until all that was queued before is on disk. An error when a write was refused or failed since the flush
  /// before this one.
  virtual base::Status flush() = 0;
  virtual std::uint64_t failed_batches() const = 0;
};

}  // namespace tribune::store
