#include "base/text_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

using namespace tribune;

namespace {

struct Folder {
  std::string path = [] {
    std::string name =
        (std::getenv("TMPDIR") ? std::string(std::getenv("TMPDIR")) : std::string("/tmp")) + "/text_file_XXXXXX";
    REQUIRE(::mkdtemp(name.data()));
    return name;
  }();
  ~Folder() {
    ::unlink((path + "/f").c_str());
    ::rmdir(path.c_str());
  }
};

}  // namespace

TEST_CASE("a file is read whole, and of a longer one a byte more than the limit") {
  Folder folder;
  std::ofstream(folder.path + "/f") << "twelve bytes";
  CHECK(base::read_text_file(folder.path + "/f", 12).value() == "twelve bytes");
  CHECK(base::read_text_file(folder.path + "/f", 5).value().size() == 6);
}

TEST_CASE(
    "a file that cannot be read is an error with the reason, and a pipe without a writer does not block the reader") {
  Folder folder;
  CHECK(base::read_text_file(folder.path + "/f", 10).error().text == "No such file or directory");
  CHECK(base::read_text_file(folder.path, 10).error().text == "it is a directory");
  REQUIRE(::mkfifo((folder.path + "/f").c_str(), 0600) == 0);
  const auto began = std::chrono::steady_clock::now();
  const auto nobody = base::read_text_file(folder.path + "/f", 10);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(30));
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().text.find("pipe") != std::string::npos);
}

TEST_CASE("a pipe is read until its writer closes it") {
  Folder folder;
  REQUIRE(::mkfifo((folder.path + "/f").c_str(), 0600) == 0);
  if (const auto child = ::fork(); child == 0) {
    std::ofstream(folder.path + "/f") << "through a pipe";
    ::_exit(0);
  }
  CHECK(base::read_text_file(folder.path + "/f", 100).value() == "through a pipe");
}
