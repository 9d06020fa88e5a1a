#include "balancer/viewer/playlist_response.h"

#include <cstddef>

#include "http/conditional.h"
#include "http/content_coding.h"

namespace tribune::balancer {
namespace {

constexpr std::string_view kPlaylistType = "application/vnd.apple.mpegurl";

}  // namespace

http::Response playlist_reply(const http::Headers& request, const Rendered& rendered) {
  const bool compressed = rendered.gzip && http::accepts_gzip(request);
  const auto& bytes = compressed ? rendered.gzip : rendered.body;
  const auto& etag = compressed ? rendered.gzip_etag : rendered.etag;
  http::Response response;
  response.headers = {{"Content-Type", std::string(kPlaylistType)},
                      {"Cache-Control", "no-cache"},
                      {"Vary", "Accept-Encoding"},
                      {"ETag", etag}};
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
