#pragma once
// The names under which viewers know the playlists of a multivariant playlist, while their URIs at the origin may
// change with every response (a token in the query or the path). A playlist keeps the name under which it was first
// listed. It is recognised by, in this order:
//   URI                      equal to that of the last refresh, or to the first one
//   path                     only the query differs, and as many playlists of that path left as arrived; in their order
//   position and attributes  the same line of a list of the same length, with the same attributes
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
  /// Gives each playlist of a refresh the path and query under which viewers know it. Returns whether the names changed
  /// and must be saved.
  bool recognise(std::vector<NamedPlaylist>&);

  /// One record, bound to the source. load() ignores a damaged record and one of another source.
  std::string save(std::string_view source) const;
  void load(std::string_view record, std::string_view source);

 private:
  struct Name {
    std::string path;  // as it was first listed
    std::string query;
    std::string last_path;  // as the origin named it last
    std::string last_query;
    hls::UriKind kind{};
    std::uint64_t attributes = 0;
  };
  /// One playlist of a refresh, on one line or several.
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

/// The playlist that a viewer requests with another query, because another balancer listed it with another token: the
/// only playlist of that path with the same query keys that shares most of their values. Null when there is none or
/// more than one.
const std::string* closest_playlist(std::string_view requested, const std::vector<const std::string*>& known);

}  // namespace tribune::balancer
