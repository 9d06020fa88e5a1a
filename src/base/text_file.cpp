#include "base/text_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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
  if (S_ISDIR(status.st_mode)) return unreadable("it is a folder");
  const bool is_pipe = S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode);
  if (!is_pipe && !S_ISREG(status.st_mode)) return unreadable("it is neither a file nor a pipe");

  std::string text(max_bytes + 1, '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    pollfd ready{fd, POLLIN, 0};
    if (is_pipe && ::poll(&ready, 1, kPipePatienceMs) == 0) return unreadable("it is a pipe, and nobody wrote to it within 2 s");
    const auto n = ::read(fd, text.data() + got, text.size() - got);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return unreadable(std::strerror(errno));
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  text.resize(got);
  return text;
}

}  // namespace tribune::base
