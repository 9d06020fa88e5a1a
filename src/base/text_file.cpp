#include "base/text_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/bytes.h"

namespace tribune::base {
namespace {

constexpr int kPipePatienceMs = 2'000;

struct Descriptor {
  int fd;
  ~Descriptor() { ::close(fd); }
};

tl::unexpected<Error> unreadable(std::string why) { return failure(ErrorKind::io, Fault::tribune, std::move(why)); }

}  // namespace

Result<std::string> read_text_file(const std::string& path, std::size_t max_bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return unreadable(std::strerror(errno));
  const Descriptor closes{fd};
  struct stat status {};
  if (::fstat(fd, &status) != 0) return unreadable(std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return unreadable("it is a directory");
  const bool is_pipe = S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode);
  if (!is_pipe && !S_ISREG(status.st_mode)) return unreadable("it is neither a file nor a pipe");

  std::string text(max_bytes + 1, '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    pollfd ready{fd, POLLIN, 0};
    if (is_pipe && ::poll(&ready, 1, kPipePatienceMs) == 0)
      return unreadable("it is a pipe, and no data was written to it within 2 s");
    const auto n = ::read(fd, text.data() + got, text.size() - got);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return unreadable(std::strerror(errno));
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  text.resize(got);
  return text;
}

Status replace_file(const std::string& path, std::string_view content) {
  const auto failed = [&](const char* what) {
    return failure(ErrorKind::io, Fault::tribune, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)),
                   true);
  };
  const auto temporary = path + ".new";
  {
    const File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (file.fd() < 0) return failed("create");
    while (!content.empty()) {
      const auto wrote = ::write(file.fd(), content.data(), content.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return failed("write");
      content.remove_prefix(static_cast<std::size_t>(wrote));
    }
    if (::fsync(file.fd()) != 0) return failed("sync");
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return failed("replace");
  return {};
}

}  // namespace tribune::base
