#pragma once
// Source playlists for tests.

#include <doctest/doctest.h>

#include <string>

#include "hls/playlist.h"

namespace tribune::test {

inline hls::Playlist playlist_of(std::string_view text) {
  auto playlist = hls::parse(text);
  if (!playlist) FAIL(playlist.error().text);
  return std::move(*playlist);
}

/// A live media playlist: segments "{name}{msn}.ts" of 2 s, MSNs [first, end).
inline std::string live_text(std::int64_t first, std::int64_t end, const std::string& name = "seg",
                             const std::string& tags = "") {
  std::string text =
      "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:" + std::to_string(first) + "\n" +
      tags;
  for (auto msn = first; msn < end; ++msn) text += "#EXTINF:2.0,\n" + name + std::to_string(msn) + ".ts\n";
  return text;
}

inline hls::Playlist live(std::int64_t first, std::int64_t end, const std::string& name = "seg",
                          const std::string& tags = "") {
  return playlist_of(live_text(first, end, name, tags));
}

}  // namespace tribune::test
