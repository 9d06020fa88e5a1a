#pragma once
// The committed corpus, for tests that read every playlist in it.

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace tribune::hls::testing {

/// File name → bytes of tests/fuzz/corpus/playlist.
inline std::map<std::string, std::string> corpus() {
  std::map<std::string, std::string> texts;
  const auto folder = std::filesystem::path(__FILE__).parent_path().parent_path() / "fuzz" / "corpus" / "playlist";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ostringstream text;
    text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    texts[entry.path().filename().string()] = text.str();
  }
  return texts;
}

}  // namespace tribune::hls::testing
