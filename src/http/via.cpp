#include "http/via.h"

#include <algorithm>

namespace tribune::http {
namespace {

constexpr std::string_view kSpace = " \t";

/// The end of the member that begins here: the next comma outside of comments, which nest and have quoted pairs (RFC
/// 9110 section 5.6.5).
std::size_t end_of_member(std::string_view text) {
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (depth > 0 && c == '\\')
      ++at;
    else if (c == '(')
      ++depth;
    else if (c == ')' && depth > 0)
      --depth;
    else if (c == ',' && depth == 0)
      return at;
  }
  return text.size();
}

void skip_space(std::string_view& text) { text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size())); }

/// received-by of "1.1 name (comment)".
std::string_view receiver_of(std::string_view member) {
  skip_space(member);
  member.remove_prefix(std::min(member.find_first_of(kSpace), member.size()));
  skip_space(member);
  return member.substr(0, member.find_first_of(" \t("));
}

}  // namespace

bool via_names(std::string_view via, std::string_view pseudonym) {
  while (!via.empty()) {
    const auto end = end_of_member(via);
    if (receiver_of(via.substr(0, end)) == pseudonym) return true;
    via.remove_prefix(std::min(end + 1, via.size()));
  }
  return false;
}

}  // namespace tribune::http
