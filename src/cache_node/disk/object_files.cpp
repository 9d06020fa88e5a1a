#include "cache_node/disk/object_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/encoding.h"
#include "cache_node/objects/checksum.h"

namespace tribune::cache_node {

namespace {

namespace fs = std::filesystem;
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kProbeBytes = 64 * 1024;

tl::unexpected<base::Error> failed(std::string_view what, const std::string& path) {
  auto kind = base::ErrorKind::io;
  if (errno == ENOENT) kind = base::ErrorKind::not_found;
  if (errno == ENOSPC || errno == EDQUOT) kind = base::ErrorKind::too_large;
  if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) kind = base::ErrorKind::unavailable;
  return base::failure(kind, base::Fault::tribune, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)),
                       true);
}

tl::unexpected<base::Error> damaged(std::string text) {
  return base::failure(base::ErrorKind::protocol, base::Fault::tribune, std::move(text));
}

std::string name(const ObjectId& id, std::uint32_t generation) {
  return fmt::format("{}-{:08x}", id.hex(), generation);
}

struct FileName {
  ObjectId id;
  std::uint32_t generation = 0;
};

std::optional<FileName> read_name(const std::string& text) {
  if (text.size() != 32 + 1 + 8 || text[32] != '-') return std::nullopt;
  const auto bytes = base::from_hex(std::string_view(text).substr(0, 32));
  FileName parsed;
  const char* end = text.data() + text.size();
  if (!bytes || std::from_chars(text.data() + 33, end, parsed.generation, 16).ptr != end) return std::nullopt;
  std::memcpy(parsed.id.bytes.data(), bytes->data(), bytes->size());
  return parsed;
}

}  // namespace

std::string ObjectFiles::folder(const ObjectId& id) const {
  return fmt::format("{}/objects/{:02x}", root_, static_cast<unsigned char>(id.bytes[0]));
}

std::string ObjectFiles::path(const ObjectId& id, std::uint32_t generation) const {
  return folder(id) + "/" + name(id, generation);
}

std::string ObjectFiles::temporary_path(const ObjectId& id, std::uint32_t generation) const {
  return root_ + "/tmp/" + name(id, generation);
}

base::Status ObjectFiles::prepare() const {
  std::error_code error;
  for (const char* part : {"/objects", "/tmp"}) {
    fs::create_directories(root_ + part, error);
    if (error)
      return base::failure(base::ErrorKind::io, base::Fault::tribune,
                           fmt::format("cannot create {}{}: {}", root_, part, error.message()));
  }
  for (unsigned first = 0; first < 256; ++first) ::mkdir(fmt::format("{}/objects/{:02x}", root_, first).c_str(), 0777);
  for (fs::directory_iterator at(root_ + "/tmp", error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    fs::remove(at->path(), ignored);
  }
  return {};
}

base::Result<std::shared_ptr<const base::File>> ObjectFiles::begin(const ObjectId& id, std::uint32_t generation) const {
  const auto at = temporary_path(id, generation);
  const int fd = ::open(at.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd < 0) return failed("create", at);
  return std::make_shared<const base::File>(fd);
}

base::Status ObjectFiles::make_visible(const ObjectId& id, std::uint32_t generation) const {
  const auto from = temporary_path(id, generation);
  const auto to = path(id, generation);
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  if (errno != ENOENT) return failed("rename", from);
  std::error_code error;
  fs::create_directories(folder(id), error);
  if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename", from);
  return {};
}

void ObjectFiles::remove_unfinished(const ObjectId& id, std::uint32_t generation) const {
  ::unlink(temporary_path(id, generation).c_str());
}

base::Result<std::shared_ptr<const base::File>> ObjectFiles::open(const Object& object) const {
  const auto at = path(object.id, object.generation);
  const int fd = ::open(at.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed("open", at);
  auto file = std::make_shared<const base::File>(fd);
  struct stat status {};
  if (::fstat(fd, &status) != 0) return failed("stat", at);
  if (static_cast<std::uint64_t>(status.st_size) != object.size)
    return damaged(fmt::format("{} has {} bytes, expected {}", at, status.st_size, object.size));
  return file;
}

void ObjectFiles::remove(const Object& object) const { ::unlink(path(object.id, object.generation).c_str()); }

base::Status ObjectFiles::verify(const Object& object) const {
  const auto file = open(object);
  if (!file) return tl::unexpected(file.error());
  ::posix_fadvise((*file)->fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::vector<char> buffer(kReadBytes);
  Checksum sum;
  while (sum.length() < object.size) {
    const auto got = ::pread((*file)->fd(), buffer.data(), buffer.size(), static_cast<off_t>(sum.length()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", path(object.id, object.generation));
    if (got == 0) break;
    sum.add({buffer.data(), static_cast<std::size_t>(got)});
  }
  if (sum.length() != object.size || sum.value() != object.checksum)
    return damaged(path(object.id, object.generation) + " does not match its stored checksum");
  return {};
}

std::size_t ObjectFiles::sweep(const std::function<bool(const ObjectId&, std::uint32_t)>& wanted,
                               const std::function<bool()>& stop) const {
  std::size_t removed = 0;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator at(root_ + "/objects", options, error), end; !error && at != end;
       at.increment(error)) {
    if (stop()) break;
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    const auto parsed = read_name(at->path().filename().string());
    if (parsed && wanted(parsed->id, parsed->generation)) {
      if (at.depth() > 1)
        fs::rename(at->path(), path(parsed->id, parsed->generation),
                   ignored);  // an earlier version of the store had nested folders
      continue;
    }
    removed += fs::remove(at->path(), ignored);
  }
  return removed;
}

base::Status ObjectFiles::probe() const {
  const auto at = root_ + "/tmp/probe";
  const base::File file(::open(at.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  if (file.fd() < 0) return failed("create", at);
  const std::string bytes(kProbeBytes, 'p');
  const auto wrote = ::pwrite(file.fd(), bytes.data(), bytes.size(), 0);
  const int code = errno;
  ::unlink(at.c_str());
  if (wrote == static_cast<ssize_t>(bytes.size())) return {};
  errno = wrote < 0 ? code : ENOSPC;
  return failed("write", at);
}

base::Status ObjectFiles::is_there() const {
  struct statvfs status {};
  if (::statvfs(root_.c_str(), &status) == 0) return {};
  return base::failure(base::ErrorKind::io, base::Fault::tribune,
                       fmt::format("the storage directory {} is not usable: {}", root_, std::strerror(errno)), true);
}

std::uint64_t ObjectFiles::free_bytes() const {
  struct statvfs status {};
  if (::statvfs(root_.c_str(), &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace tribune::cache_node
