#include "balancer/playlist_reply.h"

#include <cstddef>

#include "http/conditional.h"

namespace tribune::balancer {
namespace {

constexpr std::string_view kPlaylistType = "application/vnd.apple.mpegurl";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// "q=0", "q=0.0" …: not acceptable (RFC 9110 section 12.4.2).
bool is_refused(std::string_view parameter) {
  parameter = trimmed(parameter);
  if (parameter.size() < 3 || (parameter[0] != 'q' && parameter[0] != 'Q') || parameter[1] != '=') return false;
  return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

bool accepts_gzip(const http::Headers& request) {
  const auto field = request.joined("Accept-Encoding");
  if (!field) return false;
  bool any = false;
  for (std::string_view rest = *field; !rest.empty();) {
    const auto comma = rest.find(',');
    const auto item = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const auto semicolon = item.find(';');
    const auto coding = trimmed(item.substr(0, semicolon));
    const bool fine = semicolon == std::string_view::npos || !is_refused(item.substr(semicolon + 1));
    if (http::equals_ignoring_case(coding, "gzip") || http::equals_ignoring_case(coding, "x-gzip")) return fine;
    if (coding == "*") any = fine;
  }
  return any;
}

http::Response playlist_reply(const http::Headers& request, const Rendered& rendered) {
  const bool compressed = rendered.gzip && accepts_gzip(request);
  const auto& bytes = compressed ? rendered.gzip : rendered.body;
  const auto& etag = compressed ? rendered.gzip_etag : rendered.etag;
  http::Response response;
  response.headers = {{"Content-Type", std::string(kPlaylistType)}, {"Cache-Control", "no-cache"}, {"Vary", "Accept-Encoding"}, {"ETag", etag}};
  if (http::evaluate(request, {etag, std::nullopt}) == http::Precondition::not_modified) {
    response.status = 304;
    response.headers.remove("Content-Type");
    return response;
  }
  if (compressed) response.headers.add("Content-Encoding", "gzip");
  response.body = base::BytesSlice{bytes, 0, bytes->size()};
  return response;
}

http::Response session_playlist_reply(std::string text) {
  http::Response response;
  response.headers = {{"Content-Type", std::string(kPlaylistType)}, {"Cache-Control", "no-store"}};
  response.body = std::move(text);
  return response;
}

}  // namespace tribune::balancer
