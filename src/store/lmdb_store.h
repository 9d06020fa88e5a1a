#pragma once
// The store on LMDB: a queue, one writing thread, and an environment that is reopened when LMDB no longer accepts a
// handle.
//
// Lifetime
//   open       put, erase, get, scan, flush                             (any thread)
//   broken     the last batch made the handle unusable; reads fail, the next batch reopens it   (the writing thread)
//   closing    the destructor runs: queued writes are written, then the thread ends                (the owner)

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "store/lmdb_environment.h"
#include "store/store.h"

namespace tribune::store {

/// Any thread; locks inside.
class LmdbStore final : public Store {
 public:
  /// `owner_lock` keeps other processes out of the directory while the store lives.
  LmdbStore(const StoreOptions&, base::Log&, std::unique_ptr<LmdbEnvironment>, std::unique_ptr<base::File> owner_lock,
            std::optional<std::string> set_aside);
  ~LmdbStore() override;

  std::optional<std::string> set_aside() const override { return set_aside_; }
  bool may_lack_writes() const override { return may_lack_writes_; }
  void confirm_complete() override;
  base::Result<std::optional<std::string>> get(std::string_view table, std::string_view key) const override;
  base::Status scan(std::string_view table,
                    const std::function<bool(std::string_view, std::string_view)>& visit) const override;
  void put(std::string_view table, std::string key, std::string value, OnCommitted on_committed) override;
  void erase(std::string_view table, std::string key, OnCommitted on_committed) override;
  void keep(std::string_view table, std::string key, std::optional<std::string> value,
            OnCommitted on_committed) override;
  base::Status flush() override;
  std::uint64_t failed_batches() const override;

  static EnvironmentOptions environment_options(const StoreOptions&);

 private:
  struct Waiting {
    Change change;
    OnCommitted on_committed;
    bool is_kept = false;  // retried until it is written
  };
  struct Refused {
    base::Error error;
    OnCommitted on_committed;
  };

  std::optional<std::size_t> table_number(std::string_view table) const;
  void queue(std::string_view table, Change change, OnCommitted on_committed, bool is_kept = false);
  void run();
  void wait_for_work(std::unique_lock<std::mutex>&);
  std::vector<Waiting> take_unwritten();
  void write_or_give_up(std::vector<Waiting> batch) noexcept;
  void write(std::vector<Waiting>& batch);
  /// With environment_mutex_ held exclusively.
  base::Status open_anew();
  void settle(Waiting&, Change, base::Status);
  void mark_complete(bool);
  bool holds_all_kept() const;
  void report_failure(const base::Error&, std::size_t writes);
  void report_recovery();

  const StoreOptions options_;
  base::Log& log_;
  const std::unique_ptr<base::File> owner_lock_;
  const bool may_lack_writes_;
  bool is_marked_complete_;  // used by the writing thread only
  const std::optional<std::string> set_aside_;

  mutable std::shared_mutex environment_mutex_;   // shared: reading; exclusive: replacing or resizing the environment
  std::unique_ptr<LmdbEnvironment> environment_;  // null while broken

  mutable std::mutex mutex_;  // guards the members below
  std::condition_variable work_;
  std::condition_variable written_;
  std::vector<Waiting> waiting_;
  std::vector<Refused> refused_;
  std::map<std::pair<std::size_t, std::string>, std::optional<std::string>>
      unwritten_;  // of keep(), failed on disk, by table and key
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t queued_ = 0;   // writes queued since opening
  std::uint64_t settled_ = 0;  // writes written or failed
  std::uint64_t failed_batches_ = 0;
  std::uint64_t reported_failures_ = 0;  // those that a flush() has reported
  bool is_failing_ = false;              // the last batch was not written
  bool is_confirmed_;                    // the records are complete when all writes of keep() are written
  std::size_t flushes_ = 0;              // callers in flush(): the batch is written at once
  bool closing_ = false;

  std::thread thread_;  // the last member: it uses all of the above
};

}  // namespace tribune::store
