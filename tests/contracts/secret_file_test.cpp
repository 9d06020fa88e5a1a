#include "contracts/secret_file.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "support/folder.h"

using namespace tribune;

TEST_CASE("a secret is the content of its file without one line end") {
  const test::Folder folder;
  const auto read = [&](const std::string& content) {
    std::ofstream(folder.path() + "/secret") << content;
    return contracts::read_secret_file(folder.path() + "/secret", 8).value();
  };
  CHECK(read("secret") == "secret");
  CHECK(read("secret\n") == "secret");
  CHECK(read("secret\r\n") == "secret");
  CHECK(read("secret\n\n") == "secret\n");
  CHECK(read("").empty());
  CHECK(read("12345678\r\n") == "12345678");
  CHECK(read("123456789").size() > 8);
  const auto missing = contracts::read_secret_file(folder.path() + "/missing", 8);
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().text.starts_with("cannot read " + folder.path() + "/missing: "));
}

TEST_CASE("a relative path of a secret is looked up in the directory of credentials") {
  const test::Folder folder;
  std::ofstream(folder.path() + "/secret") << "secret";
  ::setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
  CHECK(contracts::read_secret_file("secret", 8) == "secret");
  ::unsetenv("CREDENTIALS_DIRECTORY");
  CHECK_FALSE(contracts::read_secret_file("secret", 8).has_value());
}
