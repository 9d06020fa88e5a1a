#pragma once
// One open LMDB file with its tables, and the texts of error codes. Only lmdb_*.cpp include LMDB.
//
// MDB_WRITEMAP is not used: with it a full disk raises SIGBUS, without it LMDB returns an error code.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct MDB_env;
struct MDB_txn;

namespace tribune::store {

struct EnvironmentOptions {
  std::string directory;
  std::vector<std::string> tables;
  std::uint64_t max_bytes = 0;
  std::string format;
};

/// One write of a batch.
struct Change {
  std::size_t table = 0;
  std::string key;
  std::optional<std::string> value;  // nullopt: erase
};

/// The outcome of a batch.
enum class Written { all, erasures_only, none };

struct WriteOutcome {
  Written written = Written::none;
  base::Error error;         // the reason when not all writes succeeded
  bool must_reopen = false;  // LMDB refuses further work on this handle
};

/// Reads from any thread. write() and the destructor run on one thread, without concurrent reads.
class LmdbEnvironment {
 public:
  struct Foreign {
    std::string what;
  };  // another format, or records without a format
  struct Opened {
    std::unique_ptr<LmdbEnvironment> environment;  // null when foreign
    Foreign foreign;
  };
  /// The file must have passed lmdb_file_damage(). Errors: io, or protocol when LMDB reports a damaged file.
  static base::Result<Opened> open(const EnvironmentOptions&);
  ~LmdbEnvironment();
  LmdbEnvironment(const LmdbEnvironment&) = delete;
  LmdbEnvironment& operator=(const LmdbEnvironment&) = delete;

  base::Result<std::optional<std::string>> get(std::size_t table, std::string_view key) const;
  base::Status scan(std::size_t table, const std::function<bool(std::string_view, std::string_view)>& visit) const;

  /// Writes all changes or none. They are durable when it returns `all`.
  WriteOutcome write(const std::vector<Change>&);
  /// Writes only the erasures, with a larger map, because LMDB needs space to erase. There must be no concurrent reads.
  /// Always commits a transaction, also when there is nothing to erase: a write can reuse the pages that transaction N
  /// freed only after transaction N + 1 is committed. A map without any other free page would refuse every write that
  /// could be N + 1.
  WriteOutcome write_erasures(const std::vector<Change>&);

 private:
  explicit LmdbEnvironment(MDB_env* env) : env_(env) {}
  base::Result<std::optional<std::string>> stored_format(bool& has_records) const;
  base::Status begin_tables(const EnvironmentOptions&, bool write_format);
  int apply(const std::vector<Change>&, bool erasures_only);
  int rewrite_format(MDB_txn*);
  int check_size(MDB_txn*) const;
  std::uint64_t bytes_for_erasures() const;

  MDB_env* env_;
  std::vector<unsigned> tables_;
  std::uint64_t max_bytes_ = 0;
};

}  // namespace tribune::store
