#include "balancer/sources/playlist_query.h"

#include <charconv>

#include "balancer/routing/pathways.h"
#include "balancer/sources/sources.h"
#include "contracts/origin_path.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0 || text.empty()) return std::nullopt;
  return value;
}

bool is_not_the_origins(std::string_view key) {
  return key.substr(0, 5) == "_HLS_" || key.substr(0, 4) == "CMCD" || key == "cache" || key == "receipt" ||
         key == "gone" || key == "session" || key == "player" || key == kCloneKey;
}

}  // namespace

base::Result<std::optional<BlockingReload>> blocking_reload(std::string_view query) {
  const auto msn = http::query_value(query, "_HLS_msn");
  const auto part = http::query_value(query, "_HLS_part");
  if (!msn && part)
    return base::failure(base::ErrorKind::invalid_input, base::Fault::client, "_HLS_part without _HLS_msn");
  if (!msn) return std::optional<BlockingReload>{};
  BlockingReload want;
  const auto number = whole(*msn);
  if (!number) return base::failure(base::ErrorKind::invalid_input, base::Fault::client, "_HLS_msn is not a number");
  want.msn = *number;
  if (part) {
    want.part = whole(*part);
    if (!want.part)
      return base::failure(base::ErrorKind::invalid_input, base::Fault::client, "_HLS_part is not a number");
  }
  return std::optional<BlockingReload>{want};
}

std::string origin_query(std::string_view query) {
  if (query.empty()) return {};
  return contracts::canonical_query(http::query_without(query, is_not_the_origins));
}

const http::ProblemType& problem_of(const base::Error& error) {
  using base::ErrorKind;
  if (error.fault == base::Fault::client)
    return error.kind == ErrorKind::not_found ? http::problems::not_found : http::problems::bad_request;
  if (error.fault == base::Fault::tribune)
    return error.kind == ErrorKind::unavailable ? http::problems::overloaded : http::problems::internal;
  switch (error.kind) {
    case ErrorKind::timeout: return http::problems::origin_timeout;
    case ErrorKind::invalid_input:
    case ErrorKind::too_large:
    case ErrorKind::forbidden:
    case ErrorKind::protocol: return http::problems::origin_broken;
    default: return http::problems::origin_unavailable;
  }
}

std::string_view detail_for_viewers(const base::Error& error) {
  using base::ErrorKind;
  if (error.fault == base::Fault::client) return error.text;
  if (error.fault == base::Fault::tribune)
    return error.kind == ErrorKind::unavailable ? "too many viewers are waiting for this playlist"
                                                : "the playlist cannot be rendered";
  switch (error.kind) {
    case ErrorKind::timeout: return "the channel's source did not answer in time";
    case ErrorKind::invalid_input:
    case ErrorKind::too_large:
    case ErrorKind::forbidden:
    case ErrorKind::protocol: return "the response of the channel's source is unusable";
    default: return "the channel's source cannot be reached, or does not have the playlist";
  }
}

}  // namespace tribune::balancer
