#include "http/conditional_response.h"

#include <optional>
#include <string>
#include <utility>

#include "http/conditional.h"
#include "http/problem.h"

namespace tribune::http {

bool is_decided_by_conditions(const Headers& request, std::string_view etag, Response& response) {
  switch (evaluate(request, {std::string(etag), std::nullopt})) {
    case Precondition::proceed: return false;
    case Precondition::not_modified: response.status = 304; return true;
    case Precondition::failed: break;
  }
  auto refused = problem(problems::precondition_failed, "The current ETag is not among those in If-Match.");
  for (const auto* name : {"ETag", "Vary"})
    if (const auto value = response.headers.first(name)) refused.headers.set(name, *value);
  response = std::move(refused);
  return true;
}

}  // namespace tribune::http
