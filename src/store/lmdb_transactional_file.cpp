#include "store/lmdb_transactional_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "store/lmdb_file_check.h"
#include "store/lmdb_handles.h"
#include "store/lmdb_transaction.h"

namespace tribune::store {
namespace {

constexpr std::string_view kSchemaTable = "_schema";
constexpr std::string_view kNameKey = "name", kVersionKey = "version";
constexpr unsigned kMaxTransactionReaders = 64;

base::Error protocol_error(std::string text) {
  return {base::ErrorKind::protocol, base::Fault::tribune, false, std::move(text)};
}

std::optional<std::uint64_t> stored_version(std::string_view text) {
  std::uint64_t version = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), version);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return version;
}

/// Writes the name and the version of an empty file, or checks them and migrates the file.
base::Status begin_schema(WriteTransaction& t, bool has_records, const TransactionalStoreOptions& options) {
  const auto own = options.migrations.size() + 1;
  const auto name = t.get(kSchemaTable, kNameKey);
  if (!name) {
    if (has_records) return tl::unexpected(protocol_error(options.directory + " has the file of another program"));
    t.put(kSchemaTable, kNameKey, options.name);
    t.put(kSchemaTable, kVersionKey, std::to_string(own));
    return {};
  }
  if (*name != options.name)
    return tl::unexpected(protocol_error(
        fmt::format("{} has a store of \"{}\", expected \"{}\"", options.directory, *name, options.name)));
  const auto version = stored_version(t.get(kSchemaTable, kVersionKey).value_or(""));
  if (!version || *version == 0)
    return tl::unexpected(protocol_error(options.directory + " has a store without a schema version"));
  if (*version > own)
    return tl::unexpected(protocol_error(
        fmt::format("{} has schema version {}, and this program knows versions up to {}: run the newer program, or "
                    "restore a backup that was made before its first start",
                    options.directory, *version, own)));
  for (auto next = *version; next < own; ++next)
    if (auto done = options.migrations[next - 1](t); !done) return done;
  if (*version < own) t.put(kSchemaTable, kVersionKey, std::to_string(own));
  return {};
}

base::Status open_tables(const TransactionalStoreOptions& options, TransactionalFile& file) {
  auto names = options.tables;
  names.emplace_back(kSchemaTable);
  auto txn = lmdb::begin(file.env.get(), 0);
  if (!txn) return tl::unexpected(txn.error());
  MDB_stat stat{};
  MDB_dbi main = 0;
  int code = mdb_dbi_open(txn->get(), nullptr, 0, &main);
  if (code == 0) code = mdb_stat(txn->get(), main, &stat);
  file.tables.assign(names.size(), 0);
  for (std::size_t i = 0; i < names.size() && code == 0; ++i)
    code = mdb_dbi_open(txn->get(), names[i].c_str(), MDB_CREATE, &file.tables[i]);
  if (code != 0) return tl::unexpected(lmdb::error_of(code, "cannot open the tables in " + options.directory));
  bool has_written = false;
  auto begun = run_work(
      file.env.get(), txn->get(), names, file.tables,
      [&](WriteTransaction& t) { return begin_schema(t, stat.ms_entries > 0, options); }, has_written);
  if (!begun) return begun;
  if ((code = mdb_txn_commit(txn->release())) != 0)
    return tl::unexpected(lmdb::error_of(code, "cannot write the tables in " + options.directory));
  return {};
}

}  // namespace

void TransactionalFile::Close::operator()(MDB_env* opened) const { mdb_env_close(opened); }

base::Status check_transactional_file(const TransactionalStoreOptions& options) {
  auto damage = lmdb_file_damage(options.directory + "/data.mdb");
  if (!damage) return tl::unexpected(damage.error());
  if (*damage)
    return tl::unexpected(
        protocol_error(fmt::format("{}/data.mdb is damaged: {}; restore a backup", options.directory, **damage)));
  return {};
}

base::Result<TransactionalFile> open_transactional_file(const TransactionalStoreOptions& options) {
  MDB_env* raw = nullptr;
  if (const int code = mdb_env_create(&raw); code != 0)
    return tl::unexpected(lmdb::error_of(code, "cannot create an environment"));
  TransactionalFile file;
  file.env.reset(raw);
  mdb_env_set_mapsize(raw, options.max_bytes);
  mdb_env_set_maxdbs(raw, static_cast<MDB_dbi>(options.tables.size() + 1));
  mdb_env_set_maxreaders(raw, kMaxTransactionReaders);
  if (const int code = mdb_env_open(raw, options.directory.c_str(), MDB_NOTLS, 0600); code != 0)
    return tl::unexpected(lmdb::error_of(code, "cannot open " + options.directory));
  int dead = 0;
  mdb_reader_check(raw, &dead);
  if (auto opened = open_tables(options, file); !opened) return tl::unexpected(opened.error());
  const base::File folder(::open(options.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd() >= 0) ::fsync(folder.fd());  // the names of the files that LMDB created
  return file;
}

}  // namespace tribune::store
