#pragma once
// Maps paths to handlers. Patterns are literal segments, `{name}` for one segment, a literal prefix before a name
// ("~{session}"), and `{name...}` for the rest (one or more segments). The most literal pattern wins.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/message.h"

namespace tribune::http {

/// The values of a pattern's names in a path, percent-encoded as in the path. Views into the matched path.
class PathParameters {
 public:
  std::string_view operator[](std::string_view name) const;  // empty when the pattern has no such name
  std::vector<std::pair<std::string_view, std::string_view>> values;
};

/// Immutable after building. Const methods from any thread.
class Router {
 public:
  /// `route` is the caller's index for (methods, pattern). HEAD is routed like GET.
  void add(std::vector<Method> methods, std::string_view pattern, std::size_t route);

  struct Match {
    std::size_t route;
    PathParameters parameters;
  };
  /// not_found when no pattern matches, method_not_allowed with the Allow list when patterns match only for other
  /// methods.
  struct NotFound {};
  struct MethodNotAllowed {
    std::string allow;
  };
  using Outcome = std::variant<Match, NotFound, MethodNotAllowed>;
  Outcome match(Method, std::string_view path) const;

 private:
  struct Pattern;
  std::vector<Pattern> patterns_;

 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;
};

}  // namespace tribune::http
