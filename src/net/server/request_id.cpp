#include "net/server/request_id.h"

#include <algorithm>

#include "base/hash.h"
#include "base/ids.h"

namespace tribune::net {

namespace {
constexpr std::size_t kMaxLength = 64;
constexpr std::size_t kDigits = 16;
}  // namespace

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLength && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

RequestIds::RequestIds() : state_(base::random_u64()) {}

/// splitmix64: no state repeats before all 2^64 were used.
std::string RequestIds::next() {
  auto x = base::mixed_hash(state_ += base::kGoldenRatio);
  std::string text(kDigits, '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, x >>= 4) *digit = "0123456789abcdef"[x & 15];
  return text;
}

void settle_request_id(http::Request& request, bool is_trusted, RequestIds& ids) {
  const auto given = request.headers.first(kRequestIdField);
  if (given && is_trusted && is_request_id(*given) && request.headers.count(kRequestIdField) == 1) return;
  if (given) request.headers.remove(kRequestIdField);
  request.headers.add(kRequestIdField, ids.next());
}

}  // namespace tribune::net
