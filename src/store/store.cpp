// Opening: the check of the file, and setting a damaged file aside.
#include "store/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "store/lmdb_environment.h"
#include "store/lmdb_file_check.h"
#include "store/lmdb_store.h"
#include "store/owned_directory.h"

namespace tribune::store {

namespace {

namespace fs = std::filesystem;

base::Error io_error(std::string text) { return {base::ErrorKind::io, base::Fault::tribune, false, std::move(text)}; }

/// Renames the data file to the first free "data.mdb.set-aside-N"; the rename is durable when it returns.
base::Result<std::string> rename_aside(const fs::path& directory) {
  const auto data = directory / "data.mdb";
  for (int n = 1;; ++n) {
    const fs::path aside = data.string() + ".set-aside-" + std::to_string(n);
    std::error_code error;
    if (fs::exists(aside, error)) continue;
    fs::rename(data, aside, error);
    if (error) return tl::unexpected(io_error(fmt::format("cannot rename {}: {}", data.string(), error.message())));
    fs::remove(directory / "lock.mdb", error);
    const base::File folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.fd() >= 0) ::fsync(folder.fd());
    return aside.string();
  }
}

}  // namespace

base::Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, base::Log& log) {
  const fs::path directory(options.directory);
  auto owner = own_directory(options.directory);
  if (!owner) return tl::unexpected(owner.error());

  std::optional<std::string> aside;
  while (true) {
    auto damage = lmdb_file_damage((directory / "data.mdb").string());
    if (!damage) return tl::unexpected(damage.error());
    auto wrong = std::move(*damage);
    if (!wrong) {
      auto opened = LmdbEnvironment::open(LmdbStore::environment_options(options));
      if (opened && opened->environment)
        return std::make_unique<LmdbStore>(options, log, std::move(opened->environment), std::move(*owner),
                                           std::move(aside));
      if (!opened && opened.error().kind != base::ErrorKind::protocol) return tl::unexpected(opened.error());
      wrong = opened ? opened->foreign.what : opened.error().text;
    }
    if (aside)
      return tl::unexpected(
          io_error("the store that was just created in " + options.directory + " is damaged: " + *wrong));
    auto renamed = rename_aside(directory);
    if (!renamed) return tl::unexpected(renamed.error());
    aside = *renamed;
    log.warning("store", "store_set_aside", {{"directory", options.directory}, {"as", *aside}, {"reason", *wrong}});
  }
}

}  // namespace tribune::store
