#pragma once
// Texts for people in the languages of the API, and problems (RFC 9457) whose detail is in the language that the client
// prefers. Pure functions.

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "http/message.h"
#include "http/problem.h"

namespace tribune::api {

/// One text in each language.
struct Localized {
  std::string en;
  std::string ru;
};

enum class Language { en, ru };

/// The language with the highest weight in Accept-Language (RFC 9110 section 12.5.4): English unless the client prefers
/// Russian.
Language language_of(const http::Request&);

/// The problem with its detail in the client's language, Content-Language and Vary, and the members that
/// `write_members` adds.
http::Response problem(const http::Request&, const http::ProblemType&, const Localized& detail,
                       const std::function<void(base::json::Writer&)>& write_members = {});

/// As problem(), with Retry-After.
http::Response problem_with_retry(const http::Request&, const http::ProblemType&, const Localized& detail,
                                  std::chrono::seconds retry_after);

}  // namespace tribune::api
