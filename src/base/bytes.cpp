#include "base/bytes.h"

#include <unistd.h>

namespace tribune::base {

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace tribune::base
