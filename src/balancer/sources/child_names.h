#pragma once
// Under which names the playlists of a multivariant playlist are known, while their URIs at the origin may change with
// every response (a token in the query or the path). A playlist keeps the name under which it was listed first. It is
// recognised by, in this order
//   its URI               the same as at the last reading, or as it was listed first
//   its path              the query alone differs, and as many playlists of that path went as came; by their order
//   place and attributes  the same line of the list, which is as long as before, with the same attributes
// Pure; owned by one worker.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/sources/source_links.h"

namespace tribune::balancer {

class ChildNames {
 public:
  /// Gives each playlist that a reading names the path and query under which it is known. Whether the names changed, so
  /// that they are to be saved.
  bool recognise(std::vector<NamedPlaylist>&);

  /// As one record, bound to the source. A record of another source, or a damaged one, is ignored.
  std::string save(std::string_view source) const;
  void load(std::string_view record, std::string_view source);

 private:
  struct Name {
    std::string path;  // as it was listed first
    std::string query;
    std::string last_path;  // as the origin named it last
    std::string last_query;
    hls::UriKind kind{};
    std::uint64_t attributes = 0;
  };
  /// One playlist of a reading, however many lines name it.
  struct Fresh {
    std::string path;
    std::string query;
    hls::UriKind kind{};
    std::uint64_t attributes = 0;
    std::optional<std::size_t> known;
  };
  void match(std::vector<Fresh>&) const;

  std::vector<Name> names_;
};

/// Which of the playlists a viewer means whose URL has another query, because another balancer listed it with another
/// token: the only one of that path, with the same query keys, that shares most of their values. Null when none or
/// several are.
const std::string* closest_playlist(std::string_view asked, const std::vector<const std::string*>& known);

}  // namespace tribune::balancer
