#include "store/owned_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace tribune::store {

base::Result<std::unique_ptr<base::File>> own_directory(const std::string& directory) {
  const auto failed = [](std::string text) {
    return base::failure(base::ErrorKind::io, base::Fault::tribune, std::move(text));
  };
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return failed(fmt::format("cannot create {}: {}", directory, error.message()));
  const auto path = (std::filesystem::path(directory) / "owner.lock").string();
  auto file = std::make_unique<base::File>(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (file->fd() < 0) return failed(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  if (::flock(file->fd(), LOCK_EX | LOCK_NB) != 0)
    return base::failure(base::ErrorKind::conflict, base::Fault::tribune, directory + " is in use by another store");
  return file;
}

}  // namespace tribune::store
