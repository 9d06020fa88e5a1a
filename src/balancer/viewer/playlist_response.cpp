#include "balancer/viewer/playlist_response.h"

#include <algorithm>
#include <cstddef>

#include "http/conditional_response.h"
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
  response.headers = {{"Cache-Control", "no-cache"}, {"Vary", "Accept-Encoding"}, {"ETag", etag}};
  if (http::is_decided_by_conditions(request, etag, response)) return response;
  response.headers.add("Content-Type", kPlaylistType);
  if (compressed) response.headers.add("Content-Encoding", "gzip");
  response.body = base::BytesSlice{bytes, 0, bytes->size()};
  return response;
}

std::string ended_text(std::string_view playlist) {
  constexpr std::string_view kEnd = "#EXT-X-ENDLIST", kDates = "#EXT-X-DATERANGE";
  std::size_t segments_end = 0;
  std::string dates;  // after the last segment
  for (std::size_t begin = 0; begin < playlist.size();) {
    const auto end = std::min(playlist.find('\n', begin), playlist.size() - 1) + 1;
    const auto line = playlist.substr(begin, end - begin);
    if (line.starts_with(kEnd)) return std::string(playlist);
    if (line.starts_with(kDates)) dates += line;
    if (line.front() != '#' && line.front() != '\n' && line.front() != '\r') {
      segments_end = end;
      dates.clear();
    }
    begin = end;
  }
  auto text = segments_end == 0 ? std::string(playlist) : std::string(playlist.substr(0, segments_end)) + dates;
  if (!text.ends_with('\n')) text += '\n';
  return text.append(kEnd).append("\n");
}

http::Response session_playlist_reply(std::string text) {
  http::Response response;
  response.headers = {{"Content-Type", std::string(kPlaylistType)}, {"Cache-Control", "no-store"}};
  response.body = std::move(text);
  return response;
}

}  // namespace tribune::balancer
