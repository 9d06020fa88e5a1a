#include "http/problem.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "base/json.h"

using namespace tribune;

namespace {

std::string read(std::string_view name) {
  std::ifstream in{std::string(name)};  // tests run in the source folder
  REQUIRE(in.good());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string slug_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

/// The slugs of the kinds that problem.h declares.
std::set<std::string> declared() {
  std::set<std::string> slugs;
  std::istringstream header(read("src/http/problem.h"));
  for (std::string line; std::getline(header, line);) {
    constexpr std::string_view kBegin = "extern const ProblemType ";
    if (line.starts_with(kBegin)) slugs.insert(slug_of(line.substr(kBegin.size(), line.find(';') - kBegin.size())));
  }
  return slugs;
}

}  // namespace

TEST_CASE("a problem is JSON with a title and a detail for people") {
  const auto response = http::problem(http::problems::link_expired, "expired 5 s ago, \"quoted\"");
  CHECK(response.status == 403);
  CHECK(response.headers.first("content-type") == "application/problem+json");
  CHECK(response.headers.first("cache-control") == "no-store");
  const auto body = base::json::parse(std::get<std::string>(response.body));
  REQUIRE(body.has_value());
  CHECK(body->text("type") == "/problems/link-expired");
  CHECK(body->text("title") == "The link has expired");
  CHECK(body->whole("status") == 403);
  CHECK(body->text("detail") == "expired 5 s ago, \"quoted\"");
}

TEST_CASE("a problem without detail has none") {
  const auto response = http::problem(http::problems::not_found, "");
  const auto body = base::json::parse(std::get<std::string>(response.body));
  REQUIRE(body.has_value());
  CHECK(body->find("detail") == nullptr);
}

TEST_CASE("the list of problems has every declared kind once") {
  std::set<std::string> listed;
  for (const auto* type : http::problems::all()) {
    CHECK(type->status >= 400);
    CHECK_FALSE(type->title.empty());
    listed.insert(std::string(type->slug));
  }
  CHECK(listed.size() == http::problems::all().size());
  CHECK(listed == declared());
}

TEST_CASE("docs/problems.md describes exactly the declared problems") {
  const auto page = read("docs/problems.md");
  std::size_t rows = 0;
  for (auto at = page.find("| `/problems/"); at != std::string::npos; at = page.find("| `/problems/", at + 1)) ++rows;
  CHECK(rows == http::problems::all().size());
  for (const auto* type : http::problems::all()) {
    const auto row = "| `/problems/" + std::string(type->slug) + "` | " + std::to_string(type->status) + " | ";
    CAPTURE(row);
    CHECK(page.find(row) != std::string::npos);
  }
}
