#include "web/site.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <fstream>

using namespace tribune;
using namespace tribune::web;
namespace fs = std::filesystem;

namespace {

/// A temporary folder that is removed with the test.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "tribune-site-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    write("index.html", "<!doctype html>hello");
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string halve(std::string_view bytes) { return std::string(bytes.substr(0, bytes.size() / 2)); }

std::shared_ptr<const Site> load(const Folder& folder, const SiteLimits& limits = {}) {
  auto site = Site::load(folder.path(), halve, limits);
  REQUIRE(site.has_value());
  return *site;
}

http::Request get(std::string path, http::Headers headers = {}) {
  http::Request request;
  request.path = std::move(path);
  request.headers = std::move(headers);
  return request;
}

std::string body_of(const http::Response& response) {
  const auto* bytes = std::get_if<base::BytesSlice>(&response.body);
  return bytes ? std::string(bytes->view()) : "";
}

}  // namespace

TEST_CASE("the root and a folder are served with their index.html") {
  Folder folder;
  folder.write("help/index.html", "help");
  const auto site = load(folder);
  CHECK(body_of(site->answer(get("/"))) == "<!doctype html>hello");
  CHECK(body_of(site->answer(get("/index.html"))) == "<!doctype html>hello");
  CHECK(body_of(site->answer(get("/help/"))) == "help");
}

TEST_CASE("a folder without the slash at the end is redirected to the path with it") {
  Folder folder;
  folder.write("api/docs/index.html", "docs");
  const auto site = load(folder);
  const auto redirected = site->answer(get("/api/docs"));
  CHECK(redirected.status == 308);
  CHECK(redirected.headers.first("Location") == "/api/docs/");
  CHECK(body_of(site->answer(get("/api/docs/"))) == "docs");
  CHECK(site->answer(get("/api")).status == 404);
  CHECK(site->answer(get("/api/")).status == 404);
}

TEST_CASE("a file has the content type of its suffix, and nosniff") {
  Folder folder;
  folder.write("assets/app.js", "run()");
  folder.write("unknown.bin", "x");
  const auto site = load(folder);
  const auto script = site->answer(get("/assets/app.js"));
  CHECK(script.headers.first("Content-Type") == "text/javascript; charset=utf-8");
  CHECK(script.headers.first("X-Content-Type-Options") == "nosniff");
  CHECK(site->answer(get("/unknown.bin")).headers.first("Content-Type") == "application/octet-stream");
}

TEST_CASE("assets whose names have a hash are cached forever, and pages are revalidated") {
  Folder folder;
  folder.write("assets/app-1f2e.js", "run()");
  const auto site = load(folder);
  CHECK(site->answer(get("/assets/app-1f2e.js")).headers.first("Cache-Control") ==
        "public, max-age=31536000, immutable");
  CHECK(site->answer(get("/")).headers.first("Cache-Control") == "no-cache");
}

TEST_CASE("a page may run its own scripts only") {
  Folder folder;
  const auto page = load(folder)->answer(get("/"));
  const auto policy = page.headers.first("Content-Security-Policy");
  CHECK(policy.value_or("").find("frame-ancestors 'none'") != std::string_view::npos);
  REQUIRE(policy.has_value());
  CHECK(policy->find("default-src 'self'") != std::string_view::npos);
  CHECK(policy->find("unsafe") == std::string_view::npos);
}

TEST_CASE("a request with the current ETag gets 304 without a body") {
  Folder folder;
  const auto site = load(folder);
  const auto first = site->answer(get("/"));
  const auto again = site->answer(get("/", {{"If-None-Match", std::string(*first.headers.first("ETag"))}}));
  CHECK(again.status == 304);
  CHECK(http::length_of(again.body) == 0);
  CHECK(again.headers.first("ETag") == first.headers.first("ETag"));
}

TEST_CASE("changed bytes get another ETag") {
  Folder folder;
  const auto before = load(folder)->find("/")->etag;
  folder.write("index.html", "<!doctype html>hullo");
  CHECK(load(folder)->find("/")->etag != before);
}

TEST_CASE("compressed bytes are sent to clients that accept them, with an ETag of their own") {
  Folder folder;
  folder.write("long.css", std::string(2000, 'a'));
  const auto site = load(folder);
  const auto plain = site->answer(get("/long.css"));
  const auto packed = site->answer(get("/long.css", {{"Accept-Encoding", "br, gzip"}}));
  CHECK(http::length_of(plain.body) == 2000);
  CHECK_FALSE(plain.headers.first("Content-Encoding").has_value());
  CHECK(http::length_of(packed.body) == 1000);
  CHECK(packed.headers.first("Content-Encoding") == "gzip");
  CHECK(plain.headers.first("ETag") != packed.headers.first("ETag"));
  CHECK(plain.headers.first("Vary") == "Accept-Encoding");
  CHECK(packed.headers.first("Vary") == "Accept-Encoding");
}

TEST_CASE("pictures and short texts are not compressed") {
  Folder folder;
  folder.write("picture.png", std::string(2000, 'a'));
  const auto site = load(folder);
  CHECK(site->find("/picture.png")->gzip == nullptr);
  CHECK(site->find("/")->gzip == nullptr);
}

TEST_CASE("nothing outside the folder is served, by path or by symbolic link") {
  Folder folder;
  Folder outside;
  outside.write("secret.txt", "secret");
  fs::create_symlink(outside.path() / "secret.txt", folder.path() / "link.txt");
  fs::create_directory_symlink(outside.path(), folder.path() / "linked");
  const auto site = load(folder);
  for (const char* path :
       {"/../secret.txt", "/%2e%2e/secret.txt", "/link.txt", "/linked/secret.txt", "/index.html%00.txt", "/absent"}) {
    CAPTURE(path);
    CHECK(site->answer(get(path)).status == 404);
  }
}

TEST_CASE("a folder that is absent, without index.html or too large is refused") {
  Folder folder;
  CHECK(Site::load(folder.path() / "absent", halve).error().kind == base::ErrorKind::io);
  CHECK(Site::load(folder.path(), halve, {.max_bytes = 10, .max_files = 10}).error().kind ==
        base::ErrorKind::too_large);
  folder.write("second.txt", "x");
  CHECK(Site::load(folder.path(), halve, {.max_bytes = 1000, .max_files = 1}).error().kind ==
        base::ErrorKind::too_large);
  fs::remove(folder.path() / "index.html");
  CHECK(Site::load(folder.path(), halve).error().kind == base::ErrorKind::not_found);
}
