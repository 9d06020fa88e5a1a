#include "contracts/secret_file.h"

#include <cstdlib>

#include "base/text_file.h"

namespace tribune::contracts {
namespace {

std::string path_of_secret(const std::string& file) {
  const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");
  return file.starts_with('/') || !credentials ? file : std::string(credentials) + "/" + file;
}

}  // namespace

base::Result<std::string> read_secret_file(const std::string& file, std::size_t max_bytes) {
  const auto path = path_of_secret(file);
  auto read = base::read_text_file(path, max_bytes + 2);  // the line end is not part of it
  if (!read)
    return base::failure(base::ErrorKind::io, base::Fault::tribune, "cannot read " + path + ": " + read.error().text);
  auto secret = std::move(*read);
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.ends_with('\r')) secret.pop_back();
  return secret;
}

}  // namespace tribune::contracts
