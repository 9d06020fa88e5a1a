#include "api/localized.h"

#include <doctest/doctest.h>

using namespace tribune;

TEST_CASE("the language is the one with the highest weight, and English otherwise") {
  const std::vector<std::pair<std::string, api::Language>> table{
      {"", api::Language::en},
      {"ru", api::Language::ru},
      {"ru-RU, ru;q=0.9, en;q=0.8", api::Language::ru},
      {"en-US,en;q=0.9,ru;q=0.8", api::Language::en},
      {"en;q=0.5, RU;q=0.7", api::Language::ru},
      {"ru;q=0", api::Language::en},
      {"ru;q=0.000, en;q=0.1", api::Language::en},
      {"de, fr;q=0.5", api::Language::en},
      {"de, ru;q=0.1", api::Language::ru},
      {"ru;q=0.5, en;q=0.5", api::Language::en},
      {"run, rus", api::Language::en},
      {";;,,=,q=0.", api::Language::en},
      {"ru;q=0.99999", api::Language::ru},
  };
  for (const auto& row : table) {
    CAPTURE(row.first);
    http::Request request;
    request.headers.add("Accept-Language", row.first);
    CHECK(api::language_of(request) == row.second);
  }
  CHECK(api::language_of(http::Request{}) == api::Language::en);
}

TEST_CASE("a problem is in the client's language and says so") {
  http::Request request;
  request.headers.add("Accept-Language", "ru");
  const auto response = api::problem_with_retry(request, http::problems::too_many_requests, {"wait", "подождите"},
                                                std::chrono::seconds{0});
  CHECK(response.status == 429);
  CHECK(std::get<std::string>(response.body).find("подождите") != std::string::npos);
  CHECK(response.headers.first("Content-Language") == "ru");
  CHECK(response.headers.first("Vary") == "Accept-Language");
  CHECK(response.headers.first("Retry-After") == "1");
}
