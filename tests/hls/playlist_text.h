#pragma once
// Playlists for tests: valid texts parsed, and the committed corpus.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "hls/playlist.h"

namespace tribune::test {

inline const std::string kHead = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n";

/// The playlist of a valid text; any other text fails the test.
inline hls::Playlist good(std::string_view text, const hls::Context& context = {}) {
  auto playlist = hls::parse(text, context);
  if (!playlist) FAIL(playlist.error().text);
  return std::move(*playlist);
}

/// Rejects what the lenient parser drops or repairs.
inline hls::Context strict() {
  hls::Context context;
  context.strict = true;
  return context;
}

/// File name → bytes of tests/fuzz/corpus/playlist. Tests run in the source folder.
inline std::map<std::string, std::string> corpus() {
  std::map<std::string, std::string> texts;
  const auto folder = std::filesystem::path("tests/fuzz/corpus/playlist");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ostringstream text;
    text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    texts[entry.path().filename().string()] = text.str();
  }
  return texts;
}

}  // namespace tribune::test
