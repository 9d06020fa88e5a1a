#include "http/content_coding.h"

#include "base/bytes.h"

namespace tribune::http {
namespace {

/// "q=0", "q=0.0" …: not acceptable (RFC 9110 section 12.4.2).
bool is_refused(std::string_view parameter) {
  parameter = base::trimmed(parameter);
  if (parameter.size() < 3 || (parameter[0] != 'q' && parameter[0] != 'Q') || parameter[1] != '=') return false;
  return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

bool accepts_gzip(const Headers& request) {
  const auto field = request.joined("Accept-Encoding");
  if (!field) return false;
  bool any = false;
  for (std::string_view rest = *field; !rest.empty();) {
    const auto comma = rest.find(',');
    const auto item = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const auto semicolon = item.find(';');
    const auto coding = base::trimmed(item.substr(0, semicolon));
    const bool fine = semicolon == std::string_view::npos || !is_refused(item.substr(semicolon + 1));
    if (equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip")) return fine;
    if (coding == "*") any = fine;
  }
  return any;
}

}  // namespace tribune::http
