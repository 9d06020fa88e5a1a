#pragma once
// One open LMDB file and its tables, and the words of its error codes. LMDB stays inside lmdb_*.cpp.
//
// Never MDB_WRITEMAP: with it a full disk is a SIGBUS, without it an error code.

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
  std::optional<std::string> value;  // nothing: erase
};

/// What became of a batch.
enum class Written { all, erasures_only, none };

struct WriteOutcome {
  Written written = Written::none;
  base::Error error;          // why not all
  bool must_reopen = false;   // LMDB refuses further work on this handle
};

/// Reads from any thread; write() and what ends the object by one thread while nobody reads.
class LmdbEnvironment {
 public:
  struct Foreign { std::string what; };  // another format, or records without a format
  struct Opened {
    std::unique_ptr<LmdbEnvironment> environment;  // null when foreign
    Foreign foreign;
  };
  /// The file must have passed lmdb_file_damage(). Errors: io, or protocol when LMDB itself calls the file damaged.
  static base::Result<Opened> open(const EnvironmentOptions&);
  ~LmdbEnvironment();
  LmdbEnvironment(const LmdbEnvironment&) = delete;
  LmdbEnvironment& operator=(const LmdbEnvironment&) = delete;

  base::Result<std::optional<std::string>> get(std::size_t table, std::string_view key) const;
  base::Status scan(std::size_t table, const std::function<bool(std::string_view, std::string_view)>& visit) const;

  /// All changes, or none. Durable when it returns `all`.
  WriteOutcome write(const std::vector<Change>&);
  /// The erasures alone, with more bytes of map: LMDB needs room even to erase. Nobody may be reading. Always commits a transaction, also when
  /// there is nothing to erase: a write can use the pages that transaction N freed only when N + 1 is committed, and a map that has no other
  /// page left would otherwise refuse every write that could be N + 1.
  WriteOutcome write_erasures(const std::vector<Change>&);

 private:
  explicit LmdbEnvironment(MDB_env* env) : env_(env) {}
  base::Result<std::optional<std::string>> stored_format(bool& has_records) const;
  base::Status begin_tables(const EnvironmentOptions&, bool write_format);
  int apply(const std::vector<Change>&, bool erasures_only);
  int rewrite_format(MDB_txn*);

  MDB_env* env_;
  std::vector<unsigned> tables_;
  std::uint64_t max_bytes_ = 0;
};

}  // namespace tribune::store
