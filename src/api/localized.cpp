#include "api/localized.h"

#include <algorithm>

namespace tribune::api {
namespace {

/// The weight of a language range in thousandths, -1 when it is not named. "ru-RU" counts as "ru".
int weight_of(std::string_view field, std::string_view language) {
  int weight = -1;
  while (!field.empty()) {
    const auto end = std::min(field.find(','), field.size());
    auto range = field.substr(0, end);
    field.remove_prefix(std::min(end + 1, field.size()));
    while (range.starts_with(' ')) range.remove_prefix(1);
    const auto semicolon = std::min(range.find(';'), range.size());
    auto parameter = range.substr(semicolon);
    auto name = range.substr(0, semicolon);
    name = name.substr(0, std::min(name.find_first_of("- "), name.size()));
    if (!http::equals_ignoring_case(name, language)) continue;
    int thousandths = 1'000;
    if (const auto q = parameter.find("q=0"); q != std::string_view::npos) {
      thousandths = 0;
      parameter.remove_prefix(q + 3);
      if (parameter.starts_with('.')) parameter.remove_prefix(1);
      for (int unit = 100; unit > 0 && !parameter.empty() && parameter[0] >= '0' && parameter[0] <= '9'; unit /= 10) {
        thousandths += unit * (parameter[0] - '0');
        parameter.remove_prefix(1);
      }
    }
    weight = std::max(weight, thousandths);
  }
  return weight;
}

}  // namespace

Language language_of(const http::Request& request) {
  const auto field = request.headers.first("Accept-Language");
  if (!field) return Language::en;
  const auto ru = weight_of(*field, "ru");
  return ru > 0 && ru > weight_of(*field, "en") ? Language::ru : Language::en;
}

http::Response problem(const http::Request& request, const http::ProblemType& type, const Localized& detail,
                       const std::function<void(base::json::Writer&)>& write_members) {
  const auto language = language_of(request);
  auto response = http::problem(type, language == Language::ru ? detail.ru : detail.en, write_members);
  response.headers.add("Content-Language", language == Language::ru ? "ru" : "en");
  response.headers.add("Vary", "Accept-Language");
  return response;
}

http::Response problem_with_retry(const http::Request& request, const http::ProblemType& type, const Localized& detail,
                                  std::chrono::seconds retry_after) {
  auto response = problem(request, type, detail);
  response.headers.add("Retry-After", std::to_string(std::max<std::int64_t>(1, retry_after.count())));
  return response;
}

}  // namespace tribune::api
