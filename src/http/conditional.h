#pragma once
// Validators and preconditions for GET and HEAD (RFC 9110 section 13). Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"

namespace tribune::http {

/// The validators of a representation. `etag` is as sent, with quotes and W/; empty when there is none.
struct Validators {
  std::string etag;
  std::optional<base::WallTime> last_modified;
};

enum class Precondition { proceed, not_modified, failed };

/// If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since in the order of section 13.2.2, for GET and HEAD.
Precondition evaluate(const Headers& request, const Validators&);

/// Whether a Range applies under the request's If-Range (strong comparison, section 13.1.5); true without If-Range.
bool if_range_holds(const Headers& request, const Validators&);

bool etags_match_weakly(std::string_view a, std::string_view b);
bool etags_match_strongly(std::string_view a, std::string_view b);

}  // namespace tribune::http
